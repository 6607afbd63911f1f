"""Named, reversible cleaning, and the cleaner that applies it to any rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from autoglm.core.errors import DataError, SpecError
from autoglm.core.spec import CleanAction, TaskType
from autoglm.core.text import say
from autoglm.dataflow._plan_cleaning import plan_cleaning as plan_cleaning
from autoglm.dataflow._rows import Rows as Rows
from autoglm.dataflow._rows import missing_columns, take_cells
from autoglm.dataflow.columns import Column, Columns, Kind
from autoglm.dataflow.derive import Derived
from autoglm.dataflow.parse import (
    Cells,
    ParseRule,
    cell_reader,
    parse_booleans,
    parse_dates,
    parse_names,
    parse_numbers,
)
from autoglm.dataflow.profile import ColumnProfile, TableProfile

#: Every cleaning action and what it does.
ACTIONS: dict[str, str] = {
    "drop_requested": "leaves out a column that the user does not want",
    "drop_all_missing": "leaves out a column without any value",
    "drop_constant": "leaves out a column with one value only",
    "drop_id": "leaves out a column that names rows",
    "drop_copy": "leaves out a column that repeats another",
    "drop_leak": "leaves out a column that tells the target",
    "mark_missing": "takes cells such as ? and N/A for missing",
    "parse_number": "reads text such as 1.2万, ¥5, 12% and 23 kmpl as numbers",
    "parse_date": "reads text, or seconds since 1970, as dates",
    "parse_boolean": "reads words such as yes and no as true and false",
    "read_as": "takes a column for the kind given; only on request",
    "drop_missing_target": "leaves out training rows without a target",
    "drop_duplicate_rows": "leaves out repeated training rows; only on request",
}
_DROPS = frozenset(name for name in ACTIONS if name.startswith("drop_"))
_ROW_DROPS = frozenset(("drop_missing_target", "drop_duplicate_rows"))
_PARSERS: dict[str, str] = {
    "number": "parse_number", "date": "parse_date", "boolean": "parse_boolean"
}  # fmt: skip
_READERS: dict[str, Callable[[Cells, ParseRule], NDArray[Any]]] = {
    "number": parse_numbers, "date": parse_dates, "boolean": parse_booleans
}  # fmt: skip
_FEW = 8
_FORMAT_VERSION = 1


@dataclass(frozen=True)
class _Feature:
    name: str
    kind: Kind
    rule: ParseRule

    def read(self, cells: Cells) -> NDArray[Any]:
        return _READERS.get(self.kind, parse_names)(cells, self.rule)


@dataclass(frozen=True)
class _Target:
    """How target cells are read: as numbers, as true and false, or as labels (text)."""

    name: str
    reading: Literal["number", "integer", "date", "truth", "label"]
    rule: ParseRule
    drop_missing: bool = True
    drop_duplicates: bool = False


class Cleaner:
    """Turns raw rows into canonical columns, in training and in prediction alike.

    Attributes
    ----------
    kinds
        Kind of each feature kept, by name, in table order.
    inputs
        The columns that rows must have.
    target
        Name of the target column, or None.
    derived
        Columns that are computed from the others.

    Examples
    --------
    >>> from autoglm.dataflow.profile import profile_table
    >>> table = pd.DataFrame({"price": ["¥1,200", "¥900"], "sold": ["yes", "no"]})
    >>> profile = profile_table(table)
    >>> cleaner = Cleaner.build(plan_cleaning(profile, (), target="sold"), profile, "sold")
    >>> cleaner.columns([{"price": "0.1万"}])["price"].values.tolist()
    [1000.0]
    """

    def __init__(
        self,
        features: Sequence[_Feature],
        target: _Target | None,
        derived: Sequence[Derived] = (),
    ) -> None:
        self._features = tuple(features)
        self._target = target
        self.derived = tuple(derived)
        self.kinds: dict[str, Kind] = {f.name: f.kind for f in features}
        self.inputs: list[str] = list(self.kinds)
        self.target: str | None = target.name if target else None
        self._cell_readers = [cell_reader(f.kind, f.rule) for f in features]

    @classmethod
    def build(
        cls,
        actions: Sequence[CleanAction],
        profile: TableProfile,
        target: str | None = None,
        task_type: TaskType | None = None,
    ) -> Self:
        """Build from the actions and the profile of the training table.

        An action that is not in `actions` is not done: its column is then what it is as it
        stands in the table.

        Raises
        ------
        SpecError
            When an action is unknown or its options are wrong.
        DataError
            When a column is not in the table, or no feature is left.
        """
        for action in actions:
            _check(action, profile)
        dropped = {a.column for a in actions if a.name in _DROPS - _ROW_DROPS}
        of_column: dict[str, dict[str, CleanAction]] = {}
        for action in actions:
            of_column.setdefault(action.column or "", {})[action.name] = action
        features = [
            _feature(column, of_column.get(name, {}))
            for name, column in profile.columns.items()
            if name != target and name not in dropped
        ]
        if not features:
            raise _no_feature()
        if target is None:
            return cls(features, None)
        if target not in profile.columns:
            raise missing_columns([target], list(profile.columns))
        names = {a.name for a in actions}
        about = _target(profile.columns[target], of_column.get(target, {}), task_type)
        return cls(
            features,
            _Target(target, *about, drop_missing="drop_missing_target" in names,
                    drop_duplicates="drop_duplicate_rows" in names),
        )  # fmt: skip

    def with_derived(self, derived: Sequence[Derived]) -> Self:
        """Return a cleaner that computes columns from the others too."""
        return type(self)(self._features, self._target, derived)

    @property
    def rules(self) -> dict[str, tuple[Kind, ParseRule]]:
        """How each column is read, by name: its kind, and the rule for its cells."""
        return {f.name: (f.kind, f.rule) for f in self._features}

    def columns(self, rows: Rows) -> Columns:
        """Return the canonical feature columns of rows of any accepted form.

        Parameters
        ----------
        rows
            A data frame, a list of records, a mapping of columns, or one record. Columns that
            are not needed are ignored, their order is free.

        Raises
        ------
        DataError
            When a needed column is not there.
        """
        cells, n_rows = take_cells(rows, self.inputs)
        by_name: dict[str, Column] = {}
        if n_rows <= _FEW:
            # For a handful of rows the fixed cost of array calls is all the time there is.
            for feature, column, read in zip(
                self._features, cells, self._cell_readers, strict=True
            ):
                dtype = np.float64 if feature.kind in _READERS else object
                values = np.empty(n_rows, dtype=dtype)
                for i in range(n_rows):
                    values[i] = read(column[i])
                by_name[feature.name] = Column(feature.kind, values)
        else:
            for feature, column in zip(self._features, cells, strict=True):
                by_name[feature.name] = Column(feature.kind, feature.read(column))
        if self.derived:
            base = Columns(dict(by_name), n_rows)
            by_name |= {one.name: one.column(base) for one in self.derived}
        return Columns(by_name, n_rows)

    def target_values(self, frame: Rows) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the target of each row and whether the row can be learned from.

        Returns
        -------
        values
            (n,) float64 or int64 numbers, booleans, or objects (labels; None where missing).
        keep
            (n,) mask: rows with a target. `values[keep]` is what `TargetCodec.fit` takes.

        Raises
        ------
        DataError
            When the target is not in the table, or some targets are missing and the action
            `drop_missing_target` has been taken out.
        """
        if self._target is None:
            raise DataError(
                say(en="No target was chosen.", zh="没有选定目标列。"),
                hint=say(en="Build the cleaner with a target.", zh="请在构建时指定目标列。"),
            )
        (cells,), _ = take_cells(frame, [self._target.name])
        values, keep = _read_target(cells, self._target)
        if not self._target.drop_missing and not keep.all():
            raise DataError(
                say(en=f"{int((~keep).sum())} rows have no target value.",
                    zh=f"{int((~keep).sum())} 行没有目标值。"),
                hint=say(en="Fill them in, or put drop_missing_target back.",
                         zh="请补全目标值,或恢复 drop_missing_target。"),
            )  # fmt: skip
        if self._target.drop_duplicates and isinstance(frame, pd.DataFrame):
            keep = keep & ~frame.astype(str).duplicated().to_numpy()
        return values, keep

    def to_json(self) -> str:
        """Return the cleaner as JSON text."""
        features = [
            {"name": f.name, "kind": f.kind, "rule": f.rule.model_dump(exclude_defaults=True)}
            for f in self._features
        ]
        target = self._target and {
            **self._target.__dict__, "rule": self._target.rule.model_dump(exclude_defaults=True)
        }  # fmt: skip
        content = {"format_version": _FORMAT_VERSION, "features": features, "target": target}
        if self.derived:
            content["derived"] = [one.model_dump(mode="json") for one in self.derived]
        return json.dumps(content, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        features = [
            _Feature(f["name"], f["kind"], ParseRule.model_validate(f["rule"]))
            for f in data["features"]
        ]
        about = data["target"]
        if about is not None:
            about = _Target(**about | {"rule": ParseRule.model_validate(about["rule"])})
        derived = [Derived.model_validate(one) for one in data.get("derived", ())]
        if not {n for one in derived for n in one.inputs} <= {f.name for f in features}:
            raise ValueError("a computed column needs one that is not there")
        return cls(features, about, derived)


def _check(action: CleanAction, profile: TableProfile) -> None:
    if action.name not in ACTIONS:
        raise SpecError(
            say(en=f"There is no cleaning action {action.name!r}.",
                zh=f"没有名为 {action.name!r} 的清洗动作。"),
            hint=say(en=f"There are: {', '.join(ACTIONS)}.", zh=f"可用的有:{', '.join(ACTIONS)}。"),
        )  # fmt: skip
    if action.column is not None and action.column not in profile.columns:
        raise missing_columns([action.column], list(profile.columns))


def _feature(column: ColumnProfile, actions: dict[str, CleanAction]) -> _Feature:
    kind, rule = column.kind, column.rule
    if kind in ("id", "constant"):
        kind = column.raw_kind if rule.kind == "string" else rule.kind
    if "read_as" in actions:
        kind = actions["read_as"].options.get("kind", kind)
        options = {k: v for k, v in actions["read_as"].options.items() if k != "kind"}
        return _Feature(column.name, _known_kind(kind), _changed(rule, options))
    if rule.kind != "string":
        parser = actions.get(_PARSERS[rule.kind])
        if parser is not None:
            return _Feature(column.name, kind, _changed(rule, parser.options))
        if not rule.plain:
            # The cells as they are: unread text, or the bare number that a date was made of.
            bare = ParseRule() if column.raw_kind != "number" else ParseRule(kind="number")
            return _Feature(column.name, column.raw_kind, bare)
        return _Feature(column.name, kind, rule)
    marked = actions.get("mark_missing")
    missing = marked.options.get("missing", rule.missing) if marked else ()
    return _Feature(column.name, kind, _changed(rule, {"missing": missing}))


def _target(
    column: ColumnProfile, actions: dict[str, CleanAction], task_type: TaskType | None
) -> tuple[Literal["number", "integer", "date", "truth", "label"], ParseRule]:
    feature = _feature(column, actions)
    labels = task_type in ("binary", "multiclass")
    if labels and not column.rule.plain:
        # Names of classes stay as they are written: "10%" is not 0.1, "yes" not 1.
        return "label", ParseRule(missing=column.rule.missing if actions else ())
    if feature.kind == "boolean":
        return ("truth", feature.rule) if column.rule.plain else ("label", ParseRule())
    if feature.kind == "date":
        return "date", feature.rule
    if feature.kind == "number" or (task_type == "regression" and column.rule.kind == "number"):
        return (
            "integer" if column.integer and task_type != "regression" else "number"
        ), feature.rule
    return "label", feature.rule


def _read_target(cells: Cells, target: _Target) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    if target.reading == "label":
        names = parse_names(cells, target.rule)
        return names, np.array([name is not None for name in names], dtype=bool)
    read = {"date": parse_dates, "truth": parse_booleans}.get(target.reading, parse_numbers)
    numbers = read(cells, target.rule)
    keep = np.isfinite(numbers)
    if target.reading in ("number", "date"):
        return numbers, keep
    convert: type = bool if target.reading == "truth" else int
    if target.reading == "integer" and not (numbers[keep] == np.floor(numbers[keep])).all():
        return numbers, keep
    if keep.all():
        return numbers.astype(convert), keep
    values = np.empty(len(numbers), dtype=object)
    values[keep] = numbers[keep].astype(convert).tolist()
    return values, keep


def _known_kind(kind: Any) -> Kind:
    allowed: tuple[Kind, ...] = ("number", "boolean", "date", "category", "text")
    if kind in allowed:
        return allowed[allowed.index(kind)]
    raise SpecError(
        say(en=f"A column cannot be read as {kind!r}.", zh=f"列不能按 {kind!r} 读取。"),
        hint=say(en=f"Kinds are: {', '.join(allowed)}.", zh=f"可选类型:{', '.join(allowed)}。"),
    )


def _changed(rule: ParseRule, options: dict[str, Any]) -> ParseRule:
    """Return the rule with the options of an action, which the user may have edited."""
    unknown = sorted(set(options) - set(ParseRule.model_fields))
    if unknown:
        raise SpecError(
            say(en=f"A cleaning action has an unknown option {unknown[0]!r}.",
                zh=f"清洗动作含有未知选项 {unknown[0]!r}。"),
            hint=say(en=f"Options are: {', '.join(ParseRule.model_fields)}.",
                     zh=f"可用选项:{', '.join(ParseRule.model_fields)}。"),
        )  # fmt: skip
    try:
        return ParseRule.model_validate(rule.model_dump() | options)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SpecError(
            say(en=f"A cleaning action has a wrong option {where}: {first['msg']}.",
                zh=f"清洗动作的选项 {where} 有误:{first['msg']}。"),
            hint=say(en="Correct it, or take the action out.", zh="请更正,或移除该动作。"),
        ) from error  # fmt: skip


def _no_feature() -> DataError:
    return DataError(
        say(en="No column is left to predict from.", zh="没有可用于预测的列。"),
        hint=say(en="Columns that are empty, constant or left out cannot be used; add others.",
                 zh="全空、恒定或被排除的列不能使用;请增加其他列。"),
    )  # fmt: skip
