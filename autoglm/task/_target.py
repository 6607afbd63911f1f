"""Which column is to be predicted, and whether it is a number or a class."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from autoglm.core.errors import SpecError
from autoglm.core.spec import Decision, TaskType
from autoglm.core.text import say
from autoglm.dataflow.profile import ColumnProfile, TableProfile
from autoglm.task import _cues, _measures
from autoglm.task._cues import Role
from autoglm.task._limits import number
from autoglm.task._match import (
    FILLERS,
    Mention,
    mention,
    name_of,
    positive_named,
    telling,
    values_by_initials,
    values_mentioned,
    written,
)
from autoglm.task._reading import Reading
from autoglm.task._spots import spots
from autoglm.task._words import tokens, word_set

#: What a word counts for when the target is looked for.
ROLE_WEIGHTS: Mapping[Role, float] = {
    "named": 1.2, "target": 1.0, "open": 0.85, "context": 0.6, "feature": 0.3, "group": 0.1,
    "positive": 1.0, "aside": 0.6,
}  # fmt: skip

_LABELS = word_set(
    "target label class y outcome response result labels targets classes output",
    "目标 标签 类别 结果 目标值 目标列 y值 因变量",
)
#: A table's label column, wanted by nothing but its name; and its last and first column.
_LABEL_PRIOR, _LAST_PRIOR, _FIRST_PRIOR = 0.5, 0.4, 0.3
#: What is added for a kind that suits the question, by the place alone; a third for a telling name.
_SUITS = 0.1
#: What a column counts for that names, tells or dates the rows.
_ODD_KIND = 0.35
#: What a column counts for that the sentence wants left out elsewhere.
_LEFT_OUT = 0.3
#: What values count for: named as the positive class, by their initials, "yes" in a label column.
_POSITIVE, _INITIALS, _ANSWER, _ALL_VALUES = 1.1, 1.0, 0.9, 1.08
_UNDERSTOOD, _CLOSE = 0.45, 0.06
_MAX_CLASSES = 200
_FEW_NUMBERS, _MANY_NUMBERS = 20, 50
# Whole numbers on a scale: their order matters, so the error of a number does too.
_SCALES = word_set(
    "quality qual cond satisfaction score rating points stars count cnt number qty age rank year",
    "price rings grade level 质量 评分 得分 分数 数量 年龄 次数 星级 等级",
)
#: Half a name counts for this much where it stands alone; from where on; how much others may have.
_LONE, _LONE_LEAST, _LONE_SHARE = 0.56, 0.3, 0.6
#: What a column counts for that is found by such a word only.
_OF_WHOM, _MOSTLY = 0.6, 0.7
#: Words for the rows, not for what is asked of them.
_WHOM = word_set(
    "voter voters tenant tenants visitor visitors player players candidate candidates",
    "household households owner owners buyer buyers seller sellers subscriber subscribers",
    "resident residents parent parents customer customers client clients user users patient",
    "patients people person persons guest guests employee employees worker workers staff",
    "student students pupil pupils kids children member members borrower borrowers applicant",
    "applicants driver drivers passenger passengers reader readers donor donors house houses",
    "home homes flat car cars product products item items order orders game games book books",
    "machine machines device devices shop shops store stores company companies case cases",
    "parcel parcels shipment shipments ticket tickets row rows record records call calls",
    "caller callers rider riders courier couriers pilot pilots tourist tourists traveller",
    "unit units bike bikes train trains robot robots bot bots drone drones episode episodes couple",
    "couples frame frames film films movie movies song songs wine wines bottle bottles pet pets",
    "dog dogs cat cats animal animals listener listeners applicant project projects panel panels",
    "travellers viewer viewers fan fans gamer gamers trainee trainees policyholder claimant",
    "选民 租客 业主 游客 考生 玩家 球员 家长 骑手 商家 卖家 买家 居民 候选人",
    "宠物 客户 顾客 用户 病人 患者 人 客人 员工 职工 工人 学生 学员 孩子 会员",
    "借款人 申请人 司机 乘客 旅客 读者 房子 房屋 房源 车 车辆 商品 产品 订单",
    "机组 板子 组件 自行车 单车 机器人 节目 听众 毛孩子 稿子 片子 电影 歌 酒 案子 项目 卫星 娃",
    "游戏 书 图书 机器 设备 店 门店 公司 企业 案子 包裹 货 工单 电话",
)
#: Who says what is to be used wants a model.
_WISHES: frozenset[Role] = frozenset({"drop", "only", "feature", "positive", "aside"})
_ROW_NUMBER = re.compile(
    r"(?:^|[\s_.-])(?:id|no|nr|number|code|index)$|号$|代码$|rownames|[\u4e00-\u9fff]id$"
)
#: Ends of names of keys, whatever they number.
_KEY = re.compile(r"(?:^|[a-z0-9][\s_.-])(?:id|no|nr|nbr|key|sn|num)$")
_NUMBERS_THINGS = re.compile(r"(?:id|编号|(?<![信型符旗口括])号)$")
_HOW_MUCH = re.compile(r"\bhow\s+(?:many|much)\b|多少|几[个次天年分块元人辆条]", re.IGNORECASE)
_CAMEL_NUMBER = re.compile(r"(?<=[a-z])(?:ID|Id)$")


@dataclass(frozen=True)
class Candidate:
    """A column that may be the target, how well it fits, why, and how well its kind does."""

    column: ColumnProfile
    score: float
    found: Mention
    why: str
    fit: float = 1.0


@dataclass(frozen=True)
class _Wanted:
    """What the sentence asks for, and where the column stands.

    `kind` is "classes", "numbers" or ""; `misfit` what a column of the other kind counts for;
    `event` whether it asks for something that happens or not; `place` is "first", "last" or "";
    `dropped` whether the sentence leaves the column out by name; `n_classes` how many classes it
    speaks of, 0 where it does not say.
    """

    kind: str
    misfit: float
    event: bool
    place: str
    dropped: bool
    n_classes: int


def classes_like(column: ColumnProfile) -> bool:
    """Return whether the values can be classes."""
    if column.kind in ("category", "boolean"):
        return column.n_unique <= _MAX_CLASSES
    return column.kind == "number" and column.integer and column.n_unique <= _FEW_NUMBERS


def number_like(column: ColumnProfile) -> bool:
    """Return whether the values can be predicted as numbers."""
    return column.kind == "number" and column.n_unique > 2


def choose_target(reading: Reading, profile: TableProfile) -> Decision[str]:
    """Choose the target; the decision's confidence is below 0.5 when it is a guess.

    Raises
    ------
    SpecError
        When the sentence fits no column and asks for nothing.
    """
    at_place = _by_position(reading, profile)
    if at_place is not None:
        return at_place
    candidates = rank(reading, profile)
    if not candidates or not (_asks(reading) or _is_understood(candidates[0])):
        raise _nothing_fits(profile)
    return _decide(candidates, reading)


def rank(reading: Reading, profile: TableProfile) -> list[Candidate]:
    """Return the columns that can be a target, best first."""
    painted = {"named", "target"} & set(reading.roles)
    weights = dict(ROLE_WEIGHTS) | ({} if painted else {"open": 1.0})
    wants = wanted_kind(reading)
    event = wants != "numbers" and reading.says(_cues.ASKS_EVENT) is not None
    amount = wants == "numbers" and reading.says(_HOW_MUCH) is not None
    misfit = 0.3 if metric_kind(reading) or amount else 0.6
    names = list(profile.columns)
    out = []
    dropped = {
        spot.column
        for start, end in reading.stretches("drop")
        for spot in spots(reading, profile, start, end)
        if spot.strength >= 1.0
    }
    counted = reading.says(_cues.N_CLASSES)
    n_classes = int(number(next(filter(None, counted.groups())))) if counted else 0
    for position, column in enumerate(profile.columns.values()):
        if column.kind == "constant":
            continue
        place = "last" if position == len(names) - 1 else "first" if position == 0 else ""
        wanted = _Wanted(wants, misfit, event, place, column.name in dropped, n_classes)
        out.append(_candidate(column, reading, weights, wanted))
    return sorted(_with_lone(out), key=lambda c: -c.score)


def _with_lone(candidates: list[Candidate]) -> list[Candidate]:
    """Trust half a name where no other column has anything of what is asked for."""
    best = max(candidates, key=_by_evidence, default=None)
    if best is None or not _LONE_LEAST <= best.score < _LONE or _only_tells_of_whom(best):
        return candidates
    if best.fit < 1.0 or any(c.column.name.strip().lower() in _LABELS for c in candidates):
        return candidates
    if any(_by_evidence(c) > _LONE_SHARE * best.score for c in candidates if c is not best):
        return candidates
    return [replace(c, score=_LONE) if c is best else c for c in candidates]


def _by_evidence(candidate: Candidate) -> float:
    return candidate.score if candidate.found.strength else 0.0


def _is_understood(candidate: Candidate) -> bool:
    found = candidate.found.strength
    return found >= _UNDERSTOOD or (found > 0.0 and candidate.score >= _LONE)


def _only_tells_of_whom(candidate: Candidate) -> bool:
    """Return whether a column is found by a word for the rows only: "which customers ..."."""
    return not set(candidate.found.words) - _WHOM


def wanted_kind(reading: Reading) -> str:
    """Return "classes", "numbers" or "" by what the sentence asks for."""
    by_metric = metric_kind(reading)
    classes = len(_cues.ASKS_CLASSES.findall(reading.question))
    numbers = len(_cues.ASKS_NUMBERS.findall(reading.question))
    by_words = "" if classes == numbers else "classes" if classes > numbers else "numbers"
    told = "classes" if reading.says(_cues.AS_CLASSES) else ""
    return by_metric or told or by_words


def metric_kind(reading: Reading) -> str:
    """Return "classes" or "numbers" when the metric that is named fits only one of them."""
    kinds = {
        "numbers" if name in _measures.METRICS["regression"] else "classes"
        for name, _ in _measures.named(reading.text)
    }
    return kinds.pop() if len(kinds) == 1 else ""


def _asks(reading: Reading) -> bool:
    cues = (_cues.ASKS_ANYTHING, *(pattern for role, pattern in _cues.AHEAD if role == "target"))
    return (
        "named" in reading.roles
        or any(map(reading.says, cues))
        or not _WISHES.isdisjoint(reading.roles)
        or bool(_measures.named(reading.text))  # who names a metric wants a model
    )


def _candidate(
    column: ColumnProfile, reading: Reading, weights: Mapping[Role, float], wanted: _Wanted
) -> Candidate:
    fit = _fit(column, wanted)
    name = name_of(column.name)
    by_name = mention(name, reading, weights)
    by_value = _by_value(column, reading, weights)
    found = max(by_name, by_value, key=lambda m: m.strength)
    other = min(by_name.strength, by_value.strength)
    if _speaks_of_rows(found, wanted):
        fit *= _OF_WHOM
    whole = by_name.strength >= 1.0 and by_name.role in ("named", "target")
    lifted = 0.45 if by_name.role == "target" and fit == _ODD_KIND else 0.85
    if by_name.role != "named" and wanted.dropped:
        fit, whole = fit * _LEFT_OUT, False
    score = (found.strength + 0.15 * other) * (max(fit, lifted) if whole else fit)
    prior, why = _prior(column, wanted)
    if prior * fit > score:
        return Candidate(column, prior * fit, Mention(0.0), why, fit)
    return Candidate(column, score + 0.03 * bool(prior), found, _reason(column, found), fit)


def _speaks_of_rows(found: Mention, wanted: _Wanted) -> bool:
    """Return whether a column is found by a word for the rows: "passengers" in `pax_cnt`."""
    whole = found.strength >= (_MOSTLY if wanted.kind == "numbers" else 1.0)
    return bool(found.words) and not whole and set(found.words) <= _WHOM


def _fit(column: ColumnProfile, wanted: _Wanted) -> float:
    """Return how well the kind of a column suits a target of the wanted kind, 0 to 1."""
    if column.kind in ("id", "text", "date") or _numbers_rows(column) or _too_many(column):
        return _ODD_KIND
    if wanted.kind == "classes" and not classes_like(column):
        return wanted.misfit
    if wanted.event and column.n_unique != 2:
        return 0.85 if classes_like(column) else 0.9
    if wanted.kind == "numbers" and not number_like(column):
        return wanted.misfit
    return 1.0


def _numbers_rows(column: ColumnProfile) -> bool:
    """Return whether the values number rows or things, by the name and how many there are."""
    if column.n_rows <= 20:
        return False
    if _NUMBERS_THINGS.search(column.name.lower()) and column.n_unique > _FEW_NUMBERS:
        return not column.name.isascii() or bool(
            _ROW_NUMBER.search(column.name.lower()) or _CAMEL_NUMBER.search(column.name)
        )
    named = _ROW_NUMBER.search(column.name.lower()) is not None
    if column.name.isascii() and _KEY.search(column.name.lower()) and column.n_unique > 5:
        return column.kind == "number" or column.n_unique > _FEW_NUMBERS
    return named and column.n_unique > 0.95 * column.n_rows


def _by_value(column: ColumnProfile, reading: Reading, weights: Mapping[Role, float]) -> Mention:
    found = values_mentioned(column, reading, weights)
    initials = values_by_initials(column, reading)
    if initials:
        return Mention(_INITIALS, initials, "target", True)
    positive = positive_named(column, reading)
    if positive is not None and (found or not telling(positive)):
        return Mention(_POSITIVE if found else 0.5, (positive,), "positive", True)
    if not found:
        return _plain_answer(column, reading)
    # Two values name the choice ("good or bad"); one of two does nearly so; one of many may
    # only describe the rows ("female patients").
    # In a label column a value is what the sentence looks for, whatever else has that name.
    is_label = column.name.strip().lower() in _LABELS
    worth = 1.1 if is_label else 0.9 if len(found) > 1 else 0.75 if column.n_unique == 2 else 0.45
    role_weight = max(weights.get(m.role, 0.0) for m in found.values())
    apart = len({m.words for m in found.values()}) == len(found)
    if (
        apart
        and len(found) == column.n_unique > 1
        and (len(found) > 2 or reading.says(_cues.CHOICE))
    ):
        worth, role_weight = _ALL_VALUES, 1.0  # "from France, Germany or Spain"
    words = tuple(word for m in found.values() for word in m.words)
    return Mention(worth * role_weight, words, next(iter(found.values())).role, True)


def _plain_answer(column: ColumnProfile, reading: Reading) -> Mention:
    """Find a label column's "yes" or "no" in the question: "who says yes"."""
    if column.name.strip().lower() in _LABELS and column.n_unique == 2:
        for value, _ in column.top:
            for start, end, _ in written(value, reading.text) if value.isalpha() else ():
                if reading.roles[start] == "target" and end - start > 1:
                    return Mention(_ANSWER, (value,), "target", by_value=True)
    return Mention(0.0)


def _prior(column: ColumnProfile, wanted: _Wanted) -> tuple[float, str]:
    wants, place = wanted.kind, wanted.place
    plain = column.name.strip().lower()
    if plain in _LABELS:
        return _LABEL_PRIOR + 0.04 * (place == "last"), say(
            en=f"no column is named by the sentence; {column.name} is named as a label",
            zh=f"句子没有点名任何列;{column.name} 的列名就是标签",
        )
    suits = (wants == "classes" and classes_like(column)) or (
        wants == "numbers" and number_like(column) and not classes_like(column)
    )
    prior = {"last": _LAST_PRIOR, "first": _FIRST_PRIOR}.get(place, 0.0)
    position = "最后一列" if place == "last" else "第一列"
    if suits and prior:
        sure = _says_nothing(column) or column.n_unique == wanted.n_classes
        prior += _SUITS if sure else _SUITS / 3
    return prior, say(
        en=f"no column is named by the sentence; {column.name} is the {place} column and suits it",
        zh=f"句子没有点名任何列;{column.name} 是{position},且类型相符",
    )


def _says_nothing(column: ColumnProfile) -> bool:
    """Return whether a column's name tells nothing that a sentence could have said."""
    return not any(w.concepts for w in name_of(column.name).words if w.text not in FILLERS)


def _reason(column: ColumnProfile, found: Mention) -> str:
    words = " ".join(found.words)
    if found.by_value:
        return say(en=f'"{words}" names values of {column.name}',
                   zh=f"“{words}”是 {column.name} 的取值")  # fmt: skip
    if words.lower() == column.name.lower():
        return say(en=f"{column.name} is named in the sentence", zh=f"句子点名了 {column.name}")
    return say(en=f'"{words}" means {column.name}', zh=f"“{words}”对应 {column.name}")


def _decide(candidates: list[Candidate], reading: Reading) -> Decision[str]:
    candidates = _head_first(candidates, reading)
    best = candidates[0]
    others = tuple(c.column.name for c in candidates[1:3] if c.score > 0.2)
    rival = candidates[1] if len(candidates) > 1 else None
    tie = best.score < 1.0 and rival is not None and _as_good(best, rival)
    if rival is not None and _is_head(best, rival, reading):
        tie = False
    guess = best.score < _UNDERSTOOD or tie
    confidence = min(0.45, best.score) if guess else min(0.99, max(0.5, best.score))
    return Decision[str](
        value=best.column.name,
        source="sentence" if best.found.strength else "profile",
        reason=best.why, confidence=round(confidence, 2), alternatives=others,
    )  # fmt: skip


#: What may stand between a noun and the one that it tells more of: "bottle price", 钻石的价格.
_COMPOUND = re.compile(r"[\s的'’s-]{0,4}")


def _head_first(candidates: list[Candidate], reading: Reading) -> list[Candidate]:
    """Put the head of a compound before what tells more of it, where they fit as well."""
    if len(candidates) > 1 and _as_good(*candidates[:2]):
        first, second, *rest = candidates
        if _is_head(second, first, reading):
            return [second, first, *rest]
    return candidates


def _is_head(one: Candidate, other: Candidate, reading: Reading) -> bool:
    """Return whether two columns are named by one compound, of which the first has the last word.

    In either language the head of a compound stands last: in "turbine power" it is the power.
    """
    places = [_place(c, reading) for c in (other, one)]
    if any(place is None for place in places):
        return False
    (_, end), (start, last) = (place or (0, 0) for place in places)
    if places[0] == places[1]:  # parts of one word: 点击 is the head of 广告点击
        tail = reading.text[last - 2 : last]
        return tail in one.column.name and tail not in other.column.name
    between = reading.text[end:start] if end <= start else "?"
    return _COMPOUND.fullmatch(between) is not None and last > end


def _place(candidate: Candidate, reading: Reading) -> tuple[int, int] | None:
    """Return where the words that name a column stand, where they stand together."""
    spans = []
    for word in candidate.found.words:
        at = reading.lower.find(word.lower())
        if at < 0 or candidate.found.by_value:
            return None
        spans.append((at, at + len(word)))
    return (min(a for a, _ in spans), max(b for _, b in spans)) if spans else None


def _as_good(best: Candidate, second: Candidate) -> bool:
    """Return whether the second candidate leaves the choice open."""
    odd = ("id", "text", "date")
    if second.column.kind in odd and best.column.kind not in odd:
        return False
    if best.score - second.score >= _CLOSE or second.found.strength == 0.0:
        return False
    return not set(second.found.words) < set(best.found.words)


def _by_position(reading: Reading, profile: TableProfile) -> Decision[str] | None:
    names = list(profile.columns)
    for pattern, position in _cues.POSITIONS:
        found = reading.says(pattern)
        if found and reading.roles[found.start()] != "drop" and position < len(names):
            return Decision[str](
                value=names[position], source="sentence", confidence=0.95,
                reason=say(en=f'the sentence says "{found.group()}"',
                           zh=f"句子说的是“{found.group()}”"),
            )  # fmt: skip
    return None


def guess_target(profile: TableProfile) -> Decision[str]:
    """Choose a target without a sentence: a column named as a label, else the last one."""
    names = list(profile.columns)
    labels = [name for name in names if name.strip().lower() in _LABELS]
    if len(labels) == 1:
        return Decision[str](
            value=labels[0], source="profile", confidence=0.8,
            reason=say(en=f"{labels[0]} is named as a label", zh=f"{labels[0]} 的列名就是标签"),
        )  # fmt: skip
    ordered = labels or names[::-1]
    return Decision[str](
        value=ordered[0], source="profile", confidence=0.3, alternatives=tuple(ordered[1:3]),
        reason=say(en="nothing says which column to predict", zh="没有说明要预测哪一列"),
    )  # fmt: skip


def _nothing_fits(profile: TableProfile) -> SpecError:
    shown = ", ".join(list(profile.columns)[:8]) + (", ..." if len(profile.columns) > 8 else "")
    return SpecError(
        say(en="The sentence fits no column of the table.", zh="这句话与表中的任何列都对不上。"),
        hint=say(
            en=f"Say what to predict, or give --target. The columns are: {shown}",
            zh=f"请说明要预测什么,或用 --target 指定。表中的列:{shown}",
        ),
    )


def choose_task_type(reading: Reading, column: ColumnProfile) -> Decision[TaskType]:
    """Decide between classes and numbers by the values, and by the words where both fit.

    Raises
    ------
    SpecError
        When the column can be neither.
    """
    if column.n_unique == 2:
        return _type(
            "binary", say(en=f"{column.name} has two values", zh=f"{column.name} 有两个取值")
        )
    if column.kind == "number":
        return _type_of_numbers(reading, column)
    if column.kind in ("category", "boolean", "constant", "id", "text", "date"):
        return _type_of_labels(column)
    raise AssertionError(column.kind)


def _too_many(column: ColumnProfile) -> bool:
    """Return whether a column of words has more values than can be classes."""
    rows = max(1, column.n_rows - column.n_missing)
    n = column.n_unique
    if column.kind in ("number", "boolean"):
        return False
    return (n > _MAX_CLASSES and n > rows / 5) or (column.kind in ("text", "date") and n > rows / 2)


def _type_of_labels(column: ColumnProfile) -> Decision[TaskType]:
    rows = max(1, column.n_rows - column.n_missing)
    n = column.n_unique
    if n < 2:
        raise _one_value(column)
    if _too_many(column):
        raise SpecError(
            say(en=f"{column.name} cannot be predicted: it has {n} different values in {rows} rows"
                   " and they are no numbers.",
                zh=f"{column.name} 无法预测:{rows} 行中有 {n} 个不同的值,且不是数字。"),
            hint=say(en="Choose another column with --target.", zh="请用 --target 另选一列。"),
        )  # fmt: skip
    why = say(en=f"{column.name} has {n} classes", zh=f"{column.name} 有 {n} 个类别")
    return _type("multiclass", why)


def _type_of_numbers(reading: Reading, column: ColumnProfile) -> Decision[TaskType]:
    n, wants = column.n_unique, wanted_kind(reading)
    if n < 2:
        raise _one_value(column)
    values = say(en=f"{column.name} is a number with {n} values",
                 zh=f"{column.name} 是有 {n} 个取值的数字")  # fmt: skip
    if not column.integer or n > _MANY_NUMBERS or (n > _FEW_NUMBERS and wants != "classes"):
        return _type("regression", values)
    asks = say(en=", and the sentence asks for ", zh=",而句子问的是")
    if wants == "numbers":
        return _type(
            "regression", values + asks + say(en="a number", zh="数值"), 0.85, "multiclass"
        )
    # The lexicon is needed, and read, only to take a Chinese name apart.
    parts = tokens(column.name) if column.name.isascii() else name_of(column.name).words
    on_a_scale = any(part.text in _SCALES for part in parts)
    told = metric_kind(reading) == "classes" or reading.says(_cues.AS_CLASSES) is not None
    if wants == "classes" and (told or not on_a_scale):
        return _type("multiclass", values + asks + say(en="a class", zh="类别"), 0.85, "regression")
    if on_a_scale or n > 10 or not _numbered(column):
        return _type(
            "regression", values + say(en=" in order", zh=",有大小顺序"), 0.6, "multiclass"
        )
    return _type("multiclass", values + say(en=", numbered as classes are", zh=",像类别编号"),
                 0.6, "regression")  # fmt: skip


def _numbered(column: ColumnProfile) -> bool:
    """Return whether the values run 0, 1, 2, ... or 1, 2, 3, ..., as numbered classes do."""
    low, high = column.min, column.max
    return low in (0.0, 1.0) and high is not None and high - low + 1 == column.n_unique


def _one_value(column: ColumnProfile) -> SpecError:
    return SpecError(
        say(en=f"{column.name} has fewer than two different values: there is nothing to learn.",
            zh=f"{column.name} 的不同取值不足两个,没有可学的东西。"),
        hint=say(en="Choose another column with --target, or give more rows.",
                 zh="请用 --target 另选一列,或提供更多数据。"),
    )  # fmt: skip


def _type(
    value: TaskType, reason: str, confidence: float = 0.98, other: str | None = None
) -> Decision[TaskType]:
    return Decision[TaskType](
        value=value, source="profile", reason=reason, confidence=confidence,
        alternatives=() if other is None else (other,),
    )  # fmt: skip
