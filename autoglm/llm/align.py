"""One prompt on several engines: the same shape out, and how often they say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from autoglm.core.errors import AutoGLMError, BudgetError
from autoglm.llm.contract import LanguageModel
from autoglm.llm.programs import Example, PromptProgram


@dataclass(frozen=True)
class Alignment:
    """What several engines made of the same inputs.

    Attributes
    ----------
    engines
        Their names.
    valid
        Share of the inputs that each answered in the shape of the signature.
    agreement
        Share of the inputs on which two gave equal outputs, by their names; of those that both
        answered.
    unanimous
        Share of the inputs on which all gave equal outputs.
    rows
        For each input, the outputs by engine; an error's text where there are none.
    """

    engines: tuple[str, ...]
    valid: dict[str, float]
    agreement: dict[tuple[str, str], float]
    unanimous: float
    rows: tuple[dict[str, dict[str, Any] | str], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "engines": list(self.engines),
            "valid": self.valid,
            "agreement": [
                {"engines": list(pair), "share": share} for pair, share in self.agreement.items()
            ],
            "unanimous": self.unanimous,
            "rows": list(self.rows),
        }


def align(
    program: PromptProgram, models: Sequence[LanguageModel], inputs: Sequence[Example]
) -> Alignment:
    """Ask every engine the same, and compare.

    Parameters
    ----------
    program
        The prompt; pin it (`PromptProgram.pinned`) so that all engines are sure to get the same.
    models
        The engines, with different names.
    inputs
        What is asked.

    Raises
    ------
    BudgetError
        When the budget ends.
    """
    rows = [{model.name: _answer(program, model, one) for model in models} for one in inputs]
    names = tuple(model.name for model in models)
    total = max(1, len(rows))
    valid = {n: sum(isinstance(r[n], dict) for r in rows) / total for n in names}
    agreement = {}
    for one, other in combinations(names, 2):
        both = [r for r in rows if isinstance(r[one], dict) and isinstance(r[other], dict)]
        same = sum(_same(r[one]) == _same(r[other]) for r in both)
        agreement[one, other] = same / max(1, len(both))
    unanimous = sum(
        all(isinstance(v, dict) for v in r.values()) and len({_same(v) for v in r.values()}) == 1
        for r in rows
    )
    return Alignment(names, valid, agreement, unanimous / total, tuple(rows))


def _answer(program: PromptProgram, model: LanguageModel, one: Example) -> dict[str, Any] | str:
    try:
        return program.predict(model, one).values
    except BudgetError:
        raise
    except AutoGLMError as error:
        return error.message


def _same(values: dict[str, Any] | str) -> str:
    """Return outputs in the form in which they are compared: case and blanks do not count."""
    if isinstance(values, str):
        return values
    parts = (f"{k}={' '.join(str(v).split()).strip(' .。').casefold()}" for k, v in values.items())
    return "\n".join(sorted(parts))
