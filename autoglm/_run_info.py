"""What a run knows beside its workspace."""

from __future__ import annotations

import json
from dataclasses import dataclass

from autoglm._prepare import Prepared
from autoglm.core.budget import TimeBudget
from autoglm.core.spec import TaskSpec
from autoglm.dataflow.findings import Finding
from autoglm.dataflow.profile import TableProfile


@dataclass
class RunInfo:
    """What a run knows beside its workspace.

    Attributes
    ----------
    spec, profile, findings
        The task and what was found in its table.
    prepared
        What turns raw rows into views.
    budget
        Time of the whole run.
    peak_mb
        Highest memory seen, all processes together.
    """

    spec: TaskSpec
    profile: TableProfile | None
    findings: tuple[Finding, ...]
    prepared: Prepared
    budget: TimeBudget
    peak_mb: float = 0.0

    def to_json(self) -> str:
        """Return what a resumed run needs, as JSON."""
        return json.dumps(
            {
                "spec": json.loads(self.spec.to_json()),
                "profile": self.profile.model_dump(mode="json") if self.profile else None,
                "findings": [f.model_dump(mode="json") for f in self.findings],
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str, prepared: Prepared, budget: TimeBudget) -> RunInfo:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        profile = TableProfile.model_validate(data["profile"]) if data["profile"] else None
        findings = tuple(Finding.model_validate(f) for f in data["findings"])
        spec = TaskSpec.from_json(json.dumps(data["spec"]))
        return cls(spec, profile, findings, prepared, budget)
