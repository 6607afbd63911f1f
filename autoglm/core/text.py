"""Two languages for everything a person reads.

A message is written once in each language, side by side, where it is used::

    say(en="No such file: {p}", zh="没有这个文件:{p}").format(p=path)

The language follows the user's sentence (`use_language`), else ``AUTOGLM_LANG``,
else English.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

Language = Literal["en", "zh"]

_current: ContextVar[Language | None] = ContextVar("autoglm_language", default=None)


def current_language() -> Language:
    """Return the language messages are given in, "en" or "zh"."""
    chosen = _current.get()
    if chosen is not None:
        return chosen
    return "zh" if os.environ.get("AUTOGLM_LANG", "").lower().startswith("zh") else "en"


def set_language(language: Language | None) -> None:
    """Use `language` from here on in this context; None goes back to the environment's."""
    _current.set(language)


@contextmanager
def use_language(language: Language | None) -> Iterator[None]:
    """Use `language` inside the block; None leaves the current one."""
    token = _current.set(language or _current.get())
    try:
        yield
    finally:
        _current.reset(token)


def say(*, en: str, zh: str) -> str:
    """Return the message in the current language."""
    return zh if current_language() == "zh" else en


def has_chinese(text: str) -> bool:
    """Return whether any character is a CJK ideograph.

    Examples
    --------
    >>> has_chinese("预测 churn"), has_chinese("predict churn")
    (True, False)
    """
    return any("\u3400" <= c <= "\u9fff" or "\uf900" <= c <= "\ufaff" for c in text)
