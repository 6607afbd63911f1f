"""A language model's reading of a sentence: proposed in a fixed shape, checked before it counts.

The model sees the sentence and what the columns are: names, kinds, counts, and the values of
columns that have few. It sees no rows. What it answers are values of fields, never anything that is
run, so that text in a table which poses as an instruction can at the most change a proposal, and a
proposal has to fit the table.

How sure a model says it is tells little, so it is not asked. A value counts for more where the
words of the sentence that it rests on are really there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from autoglm.core.config import Settings
from autoglm.core.errors import AutoGLMError, BudgetError, ConfigError, ModelError
from autoglm.core.events import emit
from autoglm.core.spec import Decision, Split, TaskType
from autoglm.core.text import current_language, say
from autoglm.dataflow.profile import ColumnProfile, TableProfile
from autoglm.llm.contract import LanguageModel, Request, Sampling
from autoglm.llm.engines import means_embedded, open_model
from autoglm.llm.prompts import template
from autoglm.llm.structured import ask_json
from autoglm.task import _measures
from autoglm.task._words import normal
from autoglm.task.understand import Proposal

FOLDER = Path(__file__).with_name("templates")
#: Columns of a table that are shown, the last ones among them, and characters of a name or a value.
MOST_COLUMNS, LAST_COLUMNS, MOST_CHARACTERS = 300, 50, 60
#: Values of a column that are shown, where it has no more.
MOST_VALUES = 10
#: Tokens of an answer, and characters of a reason.
MOST_TOKENS, MOST_REASON = 1_200, 200
#: Seconds that an answer may take, and its share of a run's time.
MOST_SECONDS, SHARE = 20.0, 0.25
#: How sure a value is whose words are in the sentence, and another one.
QUOTED, UNQUOTED = 1.0, 0.6

_NUMBERS = ("false_negative_cost", "time_limit_s", "latency_ms", "size_mb", "memory_mb")
_LISTS = ("drop_columns", "increasing", "decreasing", "fair_to")
_COLUMN = ("target", "group_column", "time_column")
#: Fields that only the sentence can ask for: without its words they do not count.
_SAID = frozenset({
    "split", "group_column", "time_column", *_LISTS, "interpretable", *_NUMBERS,
})  # fmt: skip


class ModelParser:
    """Reads a sentence by a language model.

    Parameters
    ----------
    model
        Is asked once, and once more where its answer does not have the shape.
    """

    def __init__(self, model: LanguageModel) -> None:
        self.model = model

    def propose(
        self, sentence: str, profile: TableProfile, settled: Mapping[str, Decision[Any]]
    ) -> Proposal:
        """Propose decisions on the fields that `settled` leaves open.

        A model that cannot be asked, or gives no answer of the right shape, proposes nothing: the
        event `model_failed` says why.
        """
        if not sentence.strip() or self.model.prompt_set:
            return Proposal({})  # nothing to read; or a model that reads its own prompts alone
        metrics = list(dict.fromkeys(m for group in _measures.METRICS.values() for m in group))
        values = {
            "sentence": sentence,
            "columns": "\n".join(map(_shown, _seen(profile))),
            "metrics": ", ".join(metrics),
        }
        turns = template("understand", current_language(), FOLDER).fill(values)
        request = Request(turns, Sampling(max_tokens=MOST_TOKENS, thinking=False))
        try:
            found = ask_json(self.model, request, _schema(profile, metrics)).value
        except (ModelError, BudgetError) as error:
            emit("model_failed", model=self.model.name, reason=error.message)
            return Proposal({})
        decisions = {
            name: _decision(name, value, sentence)
            for name, value in found.items()
            if name not in settled and value is not None and value["value"] is not None
        }
        return Proposal({
            name: one
            for name, one in decisions.items()
            if one.confidence >= QUOTED or name not in _SAID
        })  # fmt: skip


def parser_of(settings: Settings, time_limit_s: float | None = None) -> ModelParser | None:
    """Return the language model that reads sentences beside the rules; None where none is set.

    Parameters
    ----------
    settings
        `planner` and those of the language model.
    time_limit_s
        Of the run; by default the setting.

    Raises
    ------
    ConfigError
        When the planner is to be a model and none can be asked.
    """
    if settings.planner == "rules":
        return None
    if means_embedded(settings):
        if settings.planner == "auto":
            return None
        raise ConfigError(
            say(en="No language model is set that can plan; glm-nano solves word problems alone.",
                zh="未设置可用于规划的语言模型;glm-nano 只会解应用题。"),
            hint=say(en="Set ZHIPUAI_API_KEY, or name a model: --llm NAME; or plan by rules: "
                     "--planner rules.",
                     zh="请设置 ZHIPUAI_API_KEY,或用 --llm 指定模型;也可用 --planner rules。"),
        )  # fmt: skip
    limit = SHARE * (settings.time_limit if time_limit_s is None else time_limit_s)
    seconds = min(settings.llm_timeout, MOST_SECONDS, max(1.0, limit))
    try:
        return ModelParser(open_model(settings.model_copy(update={"llm_timeout": seconds})))
    except AutoGLMError as error:
        if settings.planner == "model":
            raise
        emit("model_failed", model=settings.llm, reason=error.message)
        return None


@contextmanager
def model_parser(
    settings: Settings, sentence: str, time_limit_s: float | None = None
) -> Iterator[ModelParser | None]:
    """Give what `parser_of` returns while the block lasts; None where there is nothing to read."""
    parser = parser_of(settings, time_limit_s) if sentence.strip() else None
    try:
        yield parser
    finally:
        if parser is not None:
            parser.model.close()


def _seen(profile: TableProfile) -> list[ColumnProfile]:
    """Return the columns that are shown; of very many the first ones and the last."""
    every = list(profile.columns.values())
    if len(every) <= MOST_COLUMNS:
        return every
    return every[: MOST_COLUMNS - LAST_COLUMNS] + every[-LAST_COLUMNS:]


def _shown(column: ColumnProfile) -> str:
    facts: dict[str, Any] = {"name": column.name, "kind": column.kind, "values": column.n_unique}
    if column.n_missing:
        facts["missing"] = column.n_missing
    if column.top and column.n_unique <= MOST_VALUES and column.kind not in ("text", "id"):
        facts["values"] = [value[:MOST_CHARACTERS] for value, _ in column.top]
    elif column.min is not None and column.kind == "number":
        facts["range"] = [column.min, column.max]
    return json.dumps(facts, ensure_ascii=False)


def _schema(profile: TableProfile, metrics: list[str]) -> dict[str, Any]:
    """Return the shape of a proposal: columns are those of the table, metrics those that exist."""
    number: dict[str, Any] = {"type": "number", "exclusiveMinimum": 0}
    column: dict[str, Any] = {"enum": [c.name for c in _seen(profile)]}
    kinds: dict[str, dict[str, Any]] = {
        **dict.fromkeys(_COLUMN, column),
        "task_type": {"enum": list(get_args(TaskType))},
        "metric": {"enum": metrics},
        "positive_class": {"type": "string"},
        "split": {"enum": list(get_args(Split))},
        **{name: {"type": "array", "items": column} for name in _LISTS},
        "interpretable": {"type": "boolean"},
        **dict.fromkeys(_NUMBERS, number),
    }
    return {
        "type": "object",
        "properties": {name: _field(kind) for name, kind in kinds.items()},
        "required": ["target"],
        "additionalProperties": False,
    }


def _field(kind: dict[str, Any]) -> dict[str, Any]:
    value = {"anyOf": [kind, {"type": "null"}]}
    text = {"type": "string"}
    whole = {
        "type": "object",
        "properties": {"value": value, "words": text, "reason": text},
        "required": ["value"],
        "additionalProperties": False,
    }
    return {"anyOf": [whole, {"type": "null"}]}


def _decision(name: str, found: Mapping[str, Any], sentence: str) -> Decision[Any]:
    value = tuple(found["value"]) if name in _LISTS else found["value"]
    words = normal(found.get("words", "")).strip().casefold()
    quoted = bool(words) and words in normal(sentence).casefold()
    reason = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", found.get("reason", "")).split())
    return Decision[Any](
        value=value, source="model", reason=reason[:MOST_REASON],
        confidence=QUOTED if quoted else UNQUOTED,
    )  # fmt: skip
