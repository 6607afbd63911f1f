"""Budgets: reserved before a call, settled after it, never exceeded."""

from __future__ import annotations

import threading

import pytest

from autoglm.core.errors import BudgetError, ConfigError
from autoglm.llm.account import Account, Price
from autoglm.llm.contract import Request, Sampling, Usage, as_messages, most_tokens
from autoglm.llm.scripted import ScriptedModel


def test_a_call_is_settled_at_what_it_took() -> None:
    account = Account(tokens=100, money=1.0)
    with account.reserve(Usage(30, 40), Price(1e4, 1e4)) as hold:
        assert account.room() == 30
        hold.settle(Usage(20, 5))
    assert account.room() == 75
    assert account.room(prompt=70) == 5
    assert account.spent.money == pytest.approx(0.25)


def test_a_call_that_was_not_sent_costs_nothing() -> None:
    account = Account(tokens=100)
    with pytest.raises(ZeroDivisionError), account.reserve(Usage(30, 40)):
        _ = 1 // 0
    assert (account.room(), account.spent.calls) == (100, 0)


def test_a_call_without_a_report_may_have_cost_all() -> None:
    account = Account(tokens=100, money=2.0)
    with account.reserve(Usage(30, 40), Price(1e4, 1e4)) as hold:
        hold.settle(None)
    assert (account.spent.unsettled, account.spent.tokens) == (70, 70)
    assert account.spent.unsettled_money == pytest.approx(0.7)
    with pytest.raises(BudgetError), account.reserve(Usage(31, 0), Price(1.0, 1.0)):
        pass


def test_a_parent_pays_too_and_its_limit_holds() -> None:
    parent = Account(tokens=100)
    one, other = Account(tokens=80, parent=parent), Account(parent=parent)
    with one.reserve(Usage(50)) as hold:
        hold.settle(Usage(45))
    assert (parent.spent.tokens, one.room(), other.room()) == (45, 35, 55)
    with pytest.raises(BudgetError), other.reserve(Usage(56)):
        pass
    with pytest.raises(BudgetError), one.reserve(Usage(36)):
        pass
    assert parent.room() == 55


def test_a_reservation_waits_for_one_that_may_prove_too_high() -> None:
    account = Account(tokens=100)
    entered, second = threading.Event(), []

    def later() -> None:
        entered.set()
        with account.reserve(Usage(60)) as hold:
            hold.settle(Usage(60))
        second.append(account.spent.tokens)

    thread = threading.Thread(target=later)
    with account.reserve(Usage(90)) as hold:
        thread.start()
        entered.wait()
        hold.settle(Usage(10))
    thread.join()
    assert second == [70]


@pytest.mark.parametrize("limit", [{"tokens": -1}, {"money": float("nan")}, {"seconds": -0.5}])
def test_a_limit_below_nothing_is_refused(limit: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Account(**limit)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "hello", "苹果" * 50, "\u0000\U0001f34e", "a" * 1000])
def test_no_byte_level_tokenizer_makes_more_tokens_than_the_bound(text: str) -> None:
    assert most_tokens(as_messages(text)) >= len(text.encode())


def test_a_script_that_ends_says_so() -> None:
    model = ScriptedModel(["5", ValueError("boom")])
    request = Request(as_messages("2 + 3 = ?"), Sampling(max_tokens=9))
    assert model.generate(request).text == "5"
    with pytest.raises(ValueError, match="boom"):
        model.generate(request)
    with pytest.raises(Exception, match="2 answers"):
        model.generate(request)
    assert [r.messages[0].content for r in model.requests] == ["2 + 3 = ?"] * 3
