"""How often and how many at a time: the one retry layer, and a limit on parallel calls."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from autoglm.core.errors import ModelUnavailable


@dataclass(frozen=True)
class Patience:
    """When to try again.

    Attributes
    ----------
    attempts
        Requests in all.
    first_s, most_s
        Pause before the second request, doubled each time, and the longest pause. A service that
        names a time is given that, if it is not longer than `most_s`.
    spread
        Share of a pause that is drawn at random, so that callers do not come back together.
    """

    attempts: int = 4
    first_s: float = 0.5
    most_s: float = 30.0
    spread: float = 0.25

    def pause(self, attempt: int, error: ModelUnavailable) -> float | None:
        """Return the seconds to wait after a failed attempt (from 1); None to give up."""
        if attempt >= self.attempts:
            return None
        if error.wait_s is not None:
            return error.wait_s if error.wait_s <= self.most_s else None
        grown: float = min(self.most_s, self.first_s * 2.0 ** (attempt - 1))
        return grown * (1 - self.spread * random.random())


#: Waits so many seconds.
Wait = Callable[[float], object]


def wait(seconds: float) -> None:
    """Do nothing for so many seconds."""
    threading.Event().wait(seconds)


class Parallel:
    """A limit on calls at a time that gives way to a service that is crowded.

    Halved when the service says that there are too many, and raised by one, up to the limit that
    was set, after as many good answers as it allows at a time (additive increase, multiplicative
    decrease).

    Parameters
    ----------
    most
        Calls at a time.
    """

    def __init__(self, most: int) -> None:
        self.most = self.limit = most
        self._running = self._good = 0
        self._changed = threading.Condition()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one of the places; wait until there is one."""
        with self._changed:
            self._changed.wait_for(lambda: self._running < self.limit)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def crowded(self) -> None:
        """Halve the limit."""
        with self._changed:
            self.limit, self._good = max(1, self.limit // 2), 0

    def good(self) -> None:
        """Note a good answer."""
        with self._changed:
            self._good += 1
            if self._good >= self.limit and self.limit < self.most:
                self.limit, self._good = self.limit + 1, 0
                self._changed.notify_all()
