"""The two languages, and search spaces."""

from __future__ import annotations

import threading

import pytest

from autoglm.core.space import Choice, Float, Int
from autoglm.core.text import current_language, has_chinese, say, set_language, use_language


def test_the_language_follows_block_then_context_then_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert current_language() == "en"
    monkeypatch.setenv("AUTOGLM_LANG", "zh_CN.UTF-8")
    assert say(en="a", zh="甲") == "甲"
    set_language("en")
    assert say(en="a", zh="甲") == "a"
    with use_language("zh"):
        assert say(en="a", zh="甲") == "甲"
        with use_language(None):
            assert current_language() == "zh"
    assert current_language() == "en"


def test_threads_do_not_share_a_language() -> None:
    seen: list[str] = []
    with use_language("zh"):
        thread = threading.Thread(target=lambda: seen.append(current_language()))
        thread.start()
        thread.join()
    assert seen == ["en"]


@pytest.mark.parametrize(
    ("text", "found"), [("", False), ("abc é", False), ("ab中", True), ("、。", False)]
)
def test_chinese_is_recognised(text: str, found: bool) -> None:
    assert has_chinese(text) is found


def test_grids_span_the_dimension_on_its_own_scale() -> None:
    assert Float(1.0, 3.0).grid(3) == [1.0, 2.0, 3.0]
    assert Float(0.01, 1.0, log=True).grid(3) == pytest.approx([0.01, 0.1, 1.0])
    assert Float(0.01, 1.0, log=True).grid(1) == pytest.approx([0.1])
    assert Int(1, 3).grid(10) == [1, 2, 3]
    assert Int(1, 100, log=True).grid(3) == [1, 10, 100]
    assert Choice(("a", None, True)).grid(1) == ["a", None, True]
