"""Chinese words by their sound: names of columns in pinyin, and words written with a wrong sign."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources


@lru_cache(maxsize=1)
def _readings() -> dict[str, str]:
    source = resources.files("autoglm.task").joinpath("pinyin.txt")
    lines = source.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(" ") for line in lines if not line.startswith("#"))
    return {sign: sound for sound, signs in pairs for sign in signs}


#: Signs with a second reading that names of columns use.
_ALSO = {
    "长": "chang", "率": "lu", "行": "hang", "还": "huan", "重": "chong", "数": "shu", "会": "kuai",
    "绿": "lu", "女": "nu", "律": "lu", "滤": "lu", "旅": "lu", "差": "cha", "调": "diao",
    "降": "jiang", "乐": "yue", "量": "liang", "期": "qi", "薄": "bo", "参": "can", "传": "chuan",
}  # fmt: skip


def spellings(word: str) -> tuple[str, ...]:
    """Return a Chinese word in pinyin, and as it is spelt where a sign has a second reading.

    Examples
    --------
    >>> spellings("时长")
    ('shizhang', 'shichang')
    """
    usual = spelled(word)
    if not usual or _ALSO.keys().isdisjoint(word):
        return (usual,) if usual else ()
    readings = _readings()
    return usual, "".join(_ALSO.get(sign, readings[sign]) for sign in word)


def spelled(word: str) -> str:
    """Return a Chinese word in pinyin without tones and blanks; "" where a sign has no reading.

    Examples
    --------
    >>> spelled("逾期"), spelled("逾期x")
    ('yuqi', '')
    """
    try:
        return "".join(map(_readings().__getitem__, word))
    except KeyError:
        return ""
