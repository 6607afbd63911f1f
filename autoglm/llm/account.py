"""What calls of language models may cost: reserved before a call, settled after it.

A call reserves the most it could cost: a bound of its prompt's tokens and all of `max_tokens`. What
is reserved and what is spent never exceed the limits, however many threads call. After the call the
reservation is replaced by what the engine counted. When the engine did not say (a connection that
broke in the middle), the whole reservation stays, as `unsettled`: it may have been billed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from autoglm.core.budget import TimeBudget
from autoglm.core.errors import AutoGLMError, BudgetError, ConfigError
from autoglm.core.text import say
from autoglm.llm.contract import Usage


@dataclass(frozen=True)
class Price:
    """Money for a million tokens of the prompt and of the answer."""

    prompt: float
    completion: float
    currency: str = "USD"

    def of(self, usage: Usage) -> float:
        """Return the cost of a call."""
        return (self.prompt * usage.prompt_tokens + self.completion * usage.completion_tokens) / 1e6


@dataclass(frozen=True)
class Spent:
    """What an account has paid out.

    Attributes
    ----------
    calls
        Requests that were sent.
    usage
        Tokens that engines reported.
    money
        Their cost where a price is known.
    unsettled
        Tokens at the most of calls that ended without a report.
    unsettled_money
        Their cost at the most, where a price is known.
    """

    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    money: float = 0.0
    unsettled: int = 0
    unsettled_money: float = 0.0

    @property
    def tokens(self) -> int:
        """Return all tokens, those of unsettled calls at the most."""
        return self.usage.total + self.unsettled


@dataclass(eq=False)
class Hold:
    """A reservation of one call."""

    most: Usage
    price: Price | None
    sent: bool = False
    reported: Usage | None = None

    def settle(self, usage: Usage | None) -> None:
        """Say what the call took; None when the engine did not report it."""
        self.sent, self.reported = True, usage

    @property
    def money(self) -> float:
        """Return the most the call can cost; 0 where no price is known."""
        return self.price.of(self.most) if self.price else 0.0


@dataclass(eq=False)
class Account:
    """Limits on what calls cost, and what they have cost so far.

    Parameters
    ----------
    tokens
        Tokens of prompts and answers together; None for no limit.
    money
        In the currency of the models' prices; None for no limit. A model without a price is then
        refused.
    seconds
        From now on; None for no limit.
    parent
        An account that pays too: what is spent here is spent there.

    Examples
    --------
    >>> account = Account(tokens=100)
    >>> with account.reserve(Usage(40, 50)) as hold:
    ...     hold.settle(Usage(21, 30))
    >>> account.spent.tokens, account.room()
    (51, 49)
    """

    tokens: int | None = None
    money: float | None = None
    seconds: float | None = None
    parent: Account | None = None
    spent: Spent = field(default_factory=Spent)
    _held: list[Hold] = field(default_factory=list, repr=False)
    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)

    def __post_init__(self) -> None:
        for name in ("tokens", "money", "seconds"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ConfigError(
                    say(en=f"A budget of {value} {name} is no budget.",
                        zh=f"预算 {name}={value} 无效。"),
                    hint=say(en="Give a number that is not negative.", zh="请给出非负数。"),
                )  # fmt: skip
        self._time = TimeBudget(self.seconds)

    def descends_from(self, other: Account) -> bool:
        """Return whether another account pays for what this one spends, itself included."""
        return self is other or (self.parent is not None and self.parent.descends_from(other))

    def remaining_s(self) -> float:
        """Return the seconds left; infinite without a limit."""
        above = self.parent.remaining_s() if self.parent else float("inf")
        return min(self._time.remaining(), above)

    def room(self, prompt: int = 0) -> int | None:
        """Return the tokens an answer to a prompt of so many may have; None without a limit."""
        with self._changed:
            own = None if self.tokens is None else self._tokens_left(self._held)
            own = None if own is None else max(0, own - prompt)
        above = self.parent.room(prompt) if self.parent else None
        found = [n for n in (own, above) if n is not None]
        return min(found) if found else None

    @contextmanager
    def reserve(self, most: Usage, price: Price | None = None) -> Iterator[Hold]:
        """Hold what a call could cost while it lasts.

        Parameters
        ----------
        most
            Tokens that the call cannot exceed.
        price
            Of the model; None when it is not known.

        Raises
        ------
        BudgetError
            When a limit does not hold the reservation. Nothing was spent.
        """
        hold = Hold(most, price)
        with ExitStack() as stack:
            if self.parent:
                above = stack.enter_context(self.parent.reserve(most, price))
            self._take(hold)
            try:
                yield hold
            finally:
                self._release(hold)
                if self.parent and hold.sent:
                    above.settle(hold.reported)

    def _take(self, hold: Hold) -> None:
        """Reserve, after waiting for calls whose reservations may prove too high."""
        with self._changed:
            while (short := self._shortage(hold, self._held)) is not None:
                if not self._held or self._shortage(hold, []) is not None:
                    raise short
                left = self.remaining_s()
                self._changed.wait(None if left == float("inf") else left)
            self._held.append(hold)

    def _release(self, hold: Hold) -> None:
        with self._changed:
            self._held.remove(hold)
            self._changed.notify_all()
            if not hold.sent:
                return
            now, known = self.spent, hold.reported
            self.spent = Spent(
                now.calls + 1,
                now.usage + (known or Usage()),
                now.money + (hold.price.of(known) if known and hold.price else 0.0),
                now.unsettled + (0 if known else hold.most.total),
                now.unsettled_money + (0.0 if known else hold.money),
            )

    def _tokens_left(self, held: list[Hold]) -> int:
        assert self.tokens is not None
        return self.tokens - self.spent.tokens - sum(h.most.total for h in held)

    def _shortage(self, hold: Hold, held: list[Hold]) -> AutoGLMError | None:
        """Return the error that stands in the way of a reservation beside others."""
        if self._time.expired():
            return _short(say(en=f"{self.seconds:g} seconds", zh=f"{self.seconds:g} 秒"))
        if self.tokens is not None and hold.most.total > (left := self._tokens_left(held)):
            left = max(0, left)
            return _short(
                say(en=f"{self.tokens:,} tokens ({left:,} left, up to {hold.most.total:,} needed)",
                    zh=f"{self.tokens:,} 个 token(剩 {left:,},最多需要 {hold.most.total:,})")
            )  # fmt: skip
        if self.money is None:
            return None
        if hold.price is None:
            return ConfigError(
                say(en="A budget of money needs the model's price.", zh="金额预算需要模型的价格。"),
                hint=say(en='Set llm_price, like "0.6/2.2 USD": a million tokens in and out.',
                         zh='请设置 llm_price,例如 "0.6/2.2 USD":每百万 token 的输入与输出价。'),
            )  # fmt: skip
        spent = self.spent.money + self.spent.unsettled_money
        rest = self.money - spent - sum(h.money for h in held)
        if hold.money <= rest:
            return None
        unit, need, rest = hold.price.currency, hold.money, max(0.0, rest)
        return _short(
            say(en=f"{self.money:g} {unit} ({rest:.6f} left, up to {need:.6f} needed)",
                zh=f"{self.money:g} {unit}(剩 {rest:.6f},最多需要 {need:.6f})")
        )  # fmt: skip


#: The account that pays for calls made in this context, besides the engine's own.
_charged: ContextVar[Account | None] = ContextVar("autoglm_account", default=None)


@contextmanager
def charging(account: Account) -> Iterator[None]:
    """Have an account pay for every call of a language model inside the block, too."""
    token = _charged.set(account)
    try:
        yield
    finally:
        _charged.reset(token)


@contextmanager
def paid(account: Account, most: Usage, price: Price | None) -> Iterator[Hold]:
    """Reserve a call at an engine's account, and at the one that pays in this context.

    Raises
    ------
    BudgetError
        When either does not hold it. Nothing was spent.
    """
    other = _charged.get()
    payers = [account]
    if other is not None:
        if other.descends_from(account):
            payers = [other]
        elif not account.descends_from(other):
            payers = [account, other]
    with ExitStack() as stack:
        holds = [stack.enter_context(payer.reserve(most, price)) for payer in payers]
        try:
            yield holds[0]
        finally:
            for hold in holds[1:]:
                if holds[0].sent:
                    hold.settle(holds[0].reported)


def time_left(account: Account) -> float:
    """Return the seconds that an engine's account, and the one that pays in this context, have."""
    other = _charged.get()
    return min(account.remaining_s(), other.remaining_s() if other else float("inf"))


def _short(what: str) -> BudgetError:
    return BudgetError(
        say(en=f"The budget of {what} does not hold another call.",
            zh=f"预算 {what},不够再调用一次。"),
        hint=say(en="Raise the budget, shorten the question, or lower max_tokens.",
                 zh="请提高预算、缩短问题或降低 max_tokens。"),
    )  # fmt: skip
