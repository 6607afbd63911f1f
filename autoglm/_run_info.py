"""What a run knows beside its workspace."""

from __future__ import annotations

import json
from dataclasses import dataclass

from autoglm._prepare import Prepared
from autoglm.core.budget import TimeBudget
from autoglm.core.spec import TaskSpec
from autoglm.dataflow.findings import Finding
from autoglm.dataflow.joins import Joins
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
    joins
        How the table was made of several; None for a single one.
    """

    spec: TaskSpec
    profile: TableProfile | None
    findings: tuple[Finding, ...]
    prepared: Prepared
    budget: TimeBudget
    peak_mb: float = 0.0
    joins: Joins | None = None

    def to_json(self) -> str:
        """Return what a resumed run needs, as JSON."""
        return json.dumps(
            {
                "spec": json.loads(self.spec.to_json()),
                "profile": self.profile.model_dump(mode="json") if self.profile else None,
                "findings": [f.model_dump(mode="json") for f in self.findings],
                "joins": self.joins.model_dump(mode="json") if self.joins else None,
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
        joins = Joins.model_validate(data["joins"]) if data.get("joins") else None
        return cls(spec, profile, findings, prepared, budget, joins=joins)
