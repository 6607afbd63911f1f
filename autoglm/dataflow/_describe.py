"""One column's kind and statistics, from its distinct cells."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.text import has_chinese
from autoglm.dataflow._distinct import Distinct
from autoglm.dataflow._infer_rule import Inference, dates_by_name, infer_rule
from autoglm.dataflow.columns import NUMERIC_KINDS, Kind
from autoglm.dataflow.parse import ParseRule, name_of, parse_dates, parse_numbers

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_TOP = 10
_SAMPLE = 1000
_ID_WORDS = frozenset(
    [
        "id",
        "ids",
        "uuid",
        "guid",
        "uid",
        "pid",
        "sid",
        "rowid",
        "rownames",
        "rowname",
        "index",
        "idx",
        "key",
        "pk",
        "serial",
        "sn",
        "no",
        "nr",
        "nbr",
        "number",
        "code",
        "record",
        "ref",
    ]
)
_ROW_WORDS = frozenset(
    ["order", "instant", "rank", "row", "rownum", "unnamed", "column", "seq", "sequence"]
)
_TIME_WORDS = frozenset(
    [
        "time",
        "date",
        "year",
        "month",
        "day",
        "week",
        "hour",
        "minute",
        "second",
        "age",
        "period",
        "step",
        "t",
        "ts",
        "timestamp",
        "epoch",
        "quarter",
    ]
)
_ID_CHINESE = re.compile(
    r"编号|序号|主键|工号|学号|身份证|单号|流水号|账号|帐号|卡号|证件号|手机号|电话|号码|户号|代码$|ID"
)
_MACHINE_ID = re.compile(
    r"(?i)[{]?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}[}]?|(?=.*\d)[0-9a-f]{16,64}"
)

_NO_TEXT: dict[str, Any] = {"mean_words": 0.0, "mean_characters": 0.0, "language": ""}


def describe(name: str, distinct: Distinct) -> dict[str, Any]:
    """Return the fields of the column's `ColumnProfile`, but for `copy_of`."""
    inference = _infer(name, distinct)
    # Text is not looked at where every cell is a bare number: on wide tables that is the time.
    read = inference.rule.kind != "string" and inference.rule.plain
    texts = _NO_TEXT if read else _text_facts(distinct)
    raw_kind = _raw_kind(inference.rule, distinct, texts)
    values = inference.values
    present = _present(distinct, inference)
    counts = distinct.counts
    n_unique = _n_distinct(values, present)
    n_missing = len(distinct.codes) - int(counts[present].sum())
    kind: Kind = raw_kind if inference.rule.kind == "string" else inference.rule.kind
    if n_unique == 0 or (n_unique == 1 and n_missing == 0):
        kind = "constant"
    elif _names_rows(name, distinct, inference, texts):
        kind = "id"
    facts: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "raw_kind": raw_kind,
        "rule": inference.rule,
        "n_rows": len(distinct.codes),
        "n_missing": n_missing,
        "n_unique": n_unique,
        "n_changed": _n_changed(distinct, inference, present),
        "examples": tuple(_shown(distinct.uniques[i]) for i in np.flatnonzero(present)[:5]),
        "top": () if kind == "text" else _top(distinct, present),
        "notes": inference.notes
        + ((f"unreadable:{inference.unreadable}",) if inference.unreadable else ()),
    }
    if values is not None:
        facts |= _number_facts(values[present], counts[present])
        if kind == "date":
            facts |= {"first_date": _iso(facts["min"]), "last_date": _iso(facts["max"])}
    elif raw_kind not in NUMERIC_KINDS:
        facts |= texts
    return facts


def _infer(name: str, distinct: Distinct) -> Inference:
    uniques = distinct.uniques
    if distinct.dtype == "category":
        return Inference(ParseRule(), None)
    if isinstance(uniques, list):
        found = infer_rule(uniques, distinct.counts)
    elif distinct.dtype == "date":
        return Inference(ParseRule(kind="date"), parse_dates(uniques))
    elif distinct.dtype == "boolean":
        return Inference(ParseRule(kind="boolean"), uniques.astype(np.float64))
    else:
        found = Inference(ParseRule(kind="number"), parse_numbers(uniques))
    if found.rule.kind == "number" and found.rule.plain and found.values is not None:
        epoch = dates_by_name(found.values, name)
        if epoch is not None:
            rule = ParseRule(kind="date", plain=False, epoch=epoch, formats=(epoch,))
            return Inference(rule, parse_dates(found.values, rule), notes=found.notes)
    return found


def _present(distinct: Distinct, inference: Inference) -> NDArray[np.bool_]:
    """Return which distinct cells have a value."""
    if inference.values is not None:
        return np.isfinite(inference.values)
    missing = set(inference.rule.missing)
    if not missing:
        return np.ones(len(distinct.uniques), dtype=bool)
    return np.array(
        [not (isinstance(u, str) and u.strip().casefold() in missing) for u in distinct.uniques],
        dtype=bool,
    )


def _n_distinct(values: NDArray[np.float64] | None, present: NDArray[np.bool_]) -> int:
    if values is None:
        return int(present.sum())
    return len(np.unique(values[present]))


def _n_changed(distinct: Distinct, inference: Inference, present: NDArray[np.bool_]) -> int:
    """Count the cells with something in them that are read as something else."""
    if inference.rule.plain or inference.rule.kind != "number":
        changed = ~present if inference.rule.plain else np.ones_like(present)
        return int(distinct.counts[changed].sum())
    from autoglm.dataflow._parse_number import plain_number

    odd = [not (isinstance(u, str) and plain_number(u) is not None) for u in distinct.uniques]
    return int(distinct.counts[np.array(odd, dtype=bool)].sum())


def _text_facts(distinct: Distinct) -> dict[str, Any]:
    if not isinstance(distinct.uniques, list):
        return _NO_TEXT
    step = max(1, len(distinct.uniques) // _SAMPLE)
    sample = [str(u) for u in distinct.uniques[::step][:_SAMPLE]]
    n = max(1, len(sample))
    chinese = sum(not s.isascii() and has_chinese(s[:100]) for s in sample[:200]) / min(n, 200)
    latin = any(c.isascii() and c.isalpha() for s in sample[:50] for c in s[:50])
    return {
        "mean_words": sum(len(s.split()) for s in sample) / n,
        "mean_characters": sum(map(len, sample)) / n,
        "language": "zh" if chinese > 0.3 else "en" if latin else "other" if sample else "",
    }


def _raw_kind(rule: ParseRule, distinct: Distinct, texts: dict[str, Any]) -> Kind:
    """Return what the column is without any cleaning action."""
    if distinct.dtype == "category":
        return "category"
    if not isinstance(distinct.uniques, list):
        return (
            "date"
            if distinct.dtype == "date"
            else ("boolean" if distinct.dtype == "boolean" else "number")
        )
    if rule.kind != "string" and rule.plain:
        return rule.kind
    if rule.epoch is not None:
        return "number"
    return "text" if _is_text(distinct, texts) else "category"


def _is_text(distinct: Distinct, texts: dict[str, Any]) -> bool:
    n_present = max(1, int(distinct.counts.sum()))
    n_unique = len(distinct.uniques)
    share = n_unique / n_present
    words, characters = texts["mean_words"], texts["mean_characters"]
    varied = share > 0.5 or (n_unique > 200 and share > 0.1)
    if texts["language"] != "en" and words < 3:
        return bool(characters > 8 and varied)
    if words > 3 or characters > 25:
        return share > 0.3 or (n_unique > 200 and share > 0.05)
    return bool(words > 1.5 and varied)


def _names_rows(name: str, distinct: Distinct, inference: Inference, texts: dict[str, Any]) -> bool:
    """Return whether the column names rows instead of describing them."""
    n_present, n_unique = int(distinct.counts.sum()), len(distinct.uniques)
    few = n_present < 20 or n_present < 0.95 * len(distinct.codes)
    rule = inference.rule
    # A code of letters and digits is an id even where some rows stand in the table twice.
    least = 0.95 if rule.kind == "string" else 0.99
    if few or n_unique < least * n_present or distinct.dtype == "category":
        return False
    if rule.kind == "number" and rule.plain:
        return _numbers_rows(name, distinct, inference)
    if rule.kind != "string" or texts["mean_words"] > 1.5 or texts["mean_characters"] > 64:
        return False
    sample = [str(u) for u in distinct.uniques[:_SAMPLE]]
    if all(_MACHINE_ID.fullmatch(s) for s in sample):
        return True
    shapes = {re.sub(r"\d", "9", s) for s in sample}
    serial = len(shapes) == 1 and n_present >= 100 and shapes.pop().count("9") >= 4
    return serial or _is_id_name(name)


def _numbers_rows(name: str, distinct: Distinct, inference: Inference) -> bool:
    values = inference.values
    whole = values is not None and bool((values == np.floor(values)).all())
    uniques = distinct.uniques
    if isinstance(uniques, np.ndarray):
        whole = whole and uniques.dtype.kind in "iu"
    else:
        whole = whole and not any("." in str(u) for u in uniques[:_SAMPLE])
    if not whole or values is None:
        return False
    words = set(_words_of(name))
    in_order = bool((np.diff(values) == 1).all()) and values[0] in (0, 1)
    if in_order and words & (_ID_WORDS | _ROW_WORDS):
        return True
    if in_order and len(values) >= 100 and not words & _TIME_WORDS:
        return True
    return _is_id_name(name)


def _words_of(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return re.findall(r"[a-z]+", spaced.casefold())


def _is_id_name(name: str) -> bool:
    words = _words_of(name)
    return bool(
        words and (words[-1] in _ID_WORDS or words[0] in ("id", "uuid", "unnamed"))
    ) or bool(_ID_CHINESE.search(name))


def _top(distinct: Distinct, present: NDArray[np.bool_]) -> tuple[tuple[str, int], ...]:
    counts = np.where(present, distinct.counts, 0)
    n = min(_TOP, int(present.sum()))
    if n == 0:
        return ()
    best = np.argpartition(-counts, n - 1)[:n] if n < len(counts) else np.flatnonzero(counts)
    order = sorted(best.tolist(), key=lambda i: (-counts[i], i))
    return tuple((name_of(distinct.uniques[i]) or "", int(counts[i])) for i in order)


def _number_facts(values: NDArray[np.float64], counts: NDArray[np.int64]) -> dict[str, Any]:
    total = int(counts.sum())
    if total == 0:
        return {}
    order = np.argsort(values)
    ordered, reached = values[order], np.cumsum(counts[order])
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float((values * counts).sum() / total)
        std = float(np.sqrt(((values - mean) ** 2 * counts).sum() / total))
    at = np.searchsorted(reached, np.array(QUANTILES) * total)
    quantiles = ordered[np.minimum(at, len(ordered) - 1)]
    return {
        "mean": mean if np.isfinite(mean) else None,
        "std": std if np.isfinite(std) else None,
        "min": float(ordered[0]),
        "max": float(ordered[-1]),
        "quantiles": tuple(quantiles.tolist()),
        "integer": bool((values == np.floor(values)).all()),
    }


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    try:
        moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
    except OverflowError:
        return None
    return (
        moment.date().isoformat()
        if seconds % 86400 == 0
        else moment.replace(tzinfo=None).isoformat(sep=" ")
    )


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else name_of(value) or ""
    return text if len(text) <= 200 else text[:199] + "…"
