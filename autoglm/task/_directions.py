"""Directions said in words: what the answer must rise or fall with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_MORE_EN = "more|higher|larger|bigger|greater|longer|older|newer|stronger|heavier|wider|later"
_LESS_EN = "less|fewer|lower|smaller|shorter|younger|weaker|lighter|cheaper|safer|earlier"
_DEARER = "dearer|costlier|riskier|likelier|pricier"
_RISE = "ris(?:e|es|ing)|grow(?:s|ing)?|increas(?:e|es|ing)|go(?:es|ing)?\\s+up|climb(?:s|ing)?"
_FALL = (
    "fall(?:s|ing)?|drop(?:s|ping)?|decreas(?:e|es|ing)|go(?:es|ing)?\\s+down|declin(?:e|es|ing)"
    "|shrink(?:s|ing)?|sink(?:s|ing)?"
)
_UP_ZH = "大|高|多|长|久|新|强|好|贵|重|老|晚|远|严重"
_DOWN_ZH = "小|低|少|短|旧|弱|差|便宜|轻|早|近|年轻"
_RISE_ZH = "上升|增加|增长|增大|升高|提高|上涨|变大|变高|变多|递增|增|升"
_FALL_ZH = "下降|减少|降低|减小|下跌|变小|变低|变少|递减|减|降"
_MUST = "(?P<may>may|can)|must|should|shall|has\\s+to|have\\s+to|needs?\\s+to|ought\\s+to"

#: c: what is named; u, d: whether it is said to grow or to shrink; U, D: what the answer then
#: does; n: or rather must not do.
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # "the larger the area, the higher the price", "more income means less risk"
        (
            rf"\bthe\s+(?:(?P<u>{_MORE_EN})|(?P<d>{_LESS_EN}))\b(?P<c>[^,;.!?]{{1,40}}?),?\s*\bthe\s+"
            rf"(?:(?P<U>{_MORE_EN}|{_DEARER})|(?P<D>{_LESS_EN}))\b"
        ),
        (
            rf"\b(?:(?P<u>{_MORE_EN})|(?P<d>{_LESS_EN}))\s+(?P<c>[^,;.!?]{{1,30}}?)\s+(?:(?:must|should)"
            rf"\s+)?(?:means?|gives?|implies|imply|leads?\s+to)\s+(?:a\s+)?"
            rf"(?:(?P<U>{_MORE_EN}|{_DEARER})|(?P<D>{_LESS_EN}))\b"
        ),
        # "the price must not fall as the area grows", "must rise with income"
        (
            rf"\b(?:{_MUST})\s*(?P<n>n't|not|never)?\s*(?:only\s+|ever\s+|always\s+)?"
            rf"(?:(?P<U>{_RISE})|(?P<D>{_FALL}))\s+(?:as|when|if|with|while)\s+(?:the\s+)?"
            rf"(?P<c>[^,;.!?]{{1,40}}?)(?:\s+(?:(?P<u>{_RISE})|(?P<d>{_FALL}))|(?=[,;.!?]|$))"
        ),
        # "monotonically increasing in income"
        (
            rf"\bmonoton\w*\s+(?:(?P<U>{_RISE})|(?P<D>{_FALL}))\s+(?:in|with|for|over)\s+(?:the\s+)?"
            r"(?P<c>[^,;.!?]{1,40})"
        ),
        # 面积越大,价格应该越高
        (
            rf"(?P<c>[^,;。!?越]{{1,12}})越(?:(?P<u>{_UP_ZH})|(?P<d>{_DOWN_ZH}))[,、]?"
            rf"[^,;。!?越]{{0,12}}?(?:越|就越)(?:(?P<n>不|难)|容易)?"
            rf"(?:(?P<U>{_UP_ZH}|容易|可能|危险)|(?P<D>{_DOWN_ZH}|安全))?"
        ),
        # 价格不能随面积增加而下降; but 随着年龄增长 alone asks for nothing
        (
            rf"(?:(?P<n>不能|不得|不应该?|不可以?|不许|不会|不该|别)|(?P<k>应该?|必须|要|只能))?随着?"
            rf"(?P<c>[^,;。!?]{{1,12}}?)的?(?:(?P<u>{_RISE_ZH})|(?P<d>{_FALL_ZH}))?而?"
            rf"(?P<m>不能|不得|不应该?|不可以?|不许|不该)?(?P<l>应该?|必须|要|只能|单调)?"
            rf"(?:(?P<U>{_RISE_ZH})|(?P<D>{_FALL_ZH}))"
        ),
        # 对面积单调递增
        (
            rf"(?:对|关于|在)(?P<c>[^,;。!?]{{1,12}}?)(?:上)?(?:要|应|必须)?(?:保持)?单调"
            rf"(?:(?P<U>{_RISE_ZH})|(?P<D>{_FALL_ZH}))"
        ),
    )
)


@dataclass(frozen=True)
class Direction:
    """Where columns are named, 1 where the answer must not fall with them, -1 where not rise."""

    start: int
    end: int
    sign: int
    words: str


def find(text: str) -> Iterator[Direction]:
    """Yield the directions that a normalised sentence asks for."""
    for pattern in _PATTERNS:
        for found in pattern.finditer(text):
            sign = _sign(found)
            if sign:
                yield Direction(*found.span("c"), sign, found.group().strip(" ,;.!?。"))


def _sign(found: re.Match[str]) -> int:
    """Return 1 or -1 for what a phrase says; 0 where it says neither."""
    groups = found.groupdict()
    no = bool(groups.get("n") or groups.get("m"))
    if groups.get("may") and not no:
        return 0  # what is allowed, not what is asked for
    if "k" in groups and not (no or any(groups[name] for name in "kldu")):
        return 0
    if found.group().endswith("越好"):
        return 0  # 准确率越高越好
    if not (groups["U"] or groups["D"]):
        # 越不容易: what becomes less likely
        return (-1 if not groups.get("d") else 1) if no else 0
    answer = 1 if groups["U"] else -1
    return answer * (-1 if no else 1) * (-1 if groups.get("d") else 1)
