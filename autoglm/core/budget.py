"""Wall-clock and memory budgets."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from autoglm.core.errors import BudgetError, ConfigError
from autoglm.core.text import say

_UNIT_SECONDS = {
    "": 1.0, "ms": 1e-3, "毫秒": 1e-3,
    "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "微秒": 1e-6,
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "秒": 1.0, "秒钟": 1.0,
    "m": 60.0, "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0, "分": 60.0, "分钟": 60.0,
    "h": 3600.0, "hr": 3600.0, "hour": 3600.0, "hours": 3600.0, "小时": 3600.0, "个小时": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0, "天": 86400.0,
}  # fmt: skip
_UNIT_MS = {unit: 1e3 * seconds for unit, seconds in _UNIT_SECONDS.items()} | {"": 1.0}
_UNIT_MB = {"": 1.0, "b": 1e-6, "k": 1e-3, "kb": 1e-3, "m": 1.0, "mb": 1.0, "g": 1e3, "gb": 1e3}


class Loading:
    """Seconds that loading the package took: a person who waits for a run waits for that too."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def add(self, seconds: float) -> None:
        """Add the time of an import."""
        self._seconds += seconds

    def take(self) -> float:
        """Return what was not counted yet."""
        taken, self._seconds = self._seconds, 0.0
        return taken


LOADING = Loading()


def parse_duration(text: str | float) -> float:
    """Return a duration in seconds; a bare number is seconds.

    Raises
    ------
    ConfigError
        When the text is no positive duration.

    Examples
    --------
    >>> parse_duration("90s"), parse_duration("1h30m"), parse_duration("5分钟"), parse_duration(2)
    (90.0, 5400.0, 300.0, 2.0)
    """
    return _parse_quantity(text, _UNIT_SECONDS, "60s, 5m, 1h30m")


def parse_latency_ms(text: str | float) -> float:
    """Return the time for one row in milliseconds; a bare number is milliseconds.

    Examples
    --------
    >>> parse_latency_ms("1ms"), parse_latency_ms("300us"), parse_latency_ms("0.5 s")
    (1.0, 0.3, 500.0)
    >>> parse_latency_ms(2)
    2.0
    """
    return round(_parse_quantity(text, _UNIT_MS, "1ms, 300us, 0.5s"), 9)


def parse_size_mb(text: str | float) -> float:
    """Return a size in megabytes; a bare number is megabytes.

    Examples
    --------
    >>> parse_size_mb("2GB"), parse_size_mb("500 kb")
    (2000.0, 0.5)
    """
    return _parse_quantity(text, _UNIT_MB, "20MB, 2GB")


def _parse_quantity(text: str | float, units: dict[str, float], examples: str) -> float:
    raw = str(text).strip().lower()
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([^\d\s.]*)\s*", raw)
    whole = "".join(number + unit for number, unit in parts) == re.sub(r"\s+", "", raw)
    if isinstance(text, (int, float)):
        parts, whole = [(str(text), "")], True
    if not parts or not whole or any(unit not in units for _, unit in parts):
        raise ConfigError(
            say(en=f"{text!r} is not a quantity I know.", zh=f"看不懂这个数量:{text!r}。"),
            hint=say(en=f"Write it like {examples}.", zh=f"写法示例:{examples}。"),
        )
    total = sum(float(number) * units[unit] for number, unit in parts)
    if not 0 < total < 1e9:
        raise ConfigError(
            say(en=f"{text!r} must be above zero.", zh=f"{text!r} 必须大于零。"),
            hint=say(en=f"Write it like {examples}.", zh=f"写法示例:{examples}。"),
        )
    return total


@dataclass
class TimeBudget:
    """A wall-clock limit that starts when it is made.

    Parameters
    ----------
    limit_s
        Seconds allowed in all; None for no limit.
    used_s
        Seconds already spent by an earlier, interrupted part of the same work.
    """

    limit_s: float | None
    used_s: float = 0.0
    _start: float = field(default_factory=time.monotonic)

    def elapsed(self) -> float:
        """Return the seconds spent so far, earlier parts included."""
        return self.used_s + time.monotonic() - self._start

    def remaining(self) -> float:
        """Return the seconds left, never below 0; infinite without a limit."""
        if self.limit_s is None:
            return float("inf")
        return max(0.0, self.limit_s - self.elapsed())

    def expired(self) -> bool:
        """Return whether nothing is left."""
        return self.remaining() <= 0.0


@dataclass(frozen=True)
class MemoryBudget:
    """A limit on resident memory of this process and its workers, in megabytes."""

    limit_mb: float

    @classmethod
    def detect(cls, share: float = 0.8) -> MemoryBudget:
        """Take `share` of what the machine (or its control group) has free now."""
        return cls(share * available_mb())

    def require(self, needed_mb: float, what: str) -> None:
        """Refuse work that needs more than the budget.

        Raises
        ------
        BudgetError
            With both figures.
        """
        if needed_mb > self.limit_mb:
            need, have = f"{needed_mb:,.0f} MB", f"{self.limit_mb:,.0f} MB"
            raise BudgetError(
                say(en=f"{what} needs about {need}; {have} may be used.",
                    zh=f"{what} 约需 {need},可用 {have}。"),
                hint=say(en="Use fewer rows or columns, or raise --memory.",
                         zh="请减少行或列,或提高 --memory。"),
            )  # fmt: skip

    def exceeded(self, pids: list[int]) -> bool:
        """Return whether the processes together hold more than the limit now."""
        return sum(resident_mb(pid) for pid in pids) > self.limit_mb


def resident_mb(pid: int | None = None) -> float:
    """Return the resident memory of a process in megabytes; 0 when it is gone or unknown."""
    try:
        fields = Path(f"/proc/{pid or os.getpid()}/statm").read_text().split()
    except OSError:
        return 0.0
    # Pages shared with other processes are memory-mapped data; count them once, not per worker.
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE") / 1e6


def available_mb() -> float:
    """Return the memory that can still be had, in megabytes: the tightest limit known."""
    limits = [16_000.0]
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                limits = [int(line.split()[1]) / 1e3]
    except OSError:
        pass  # not Linux: the assumed size stands
    try:
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text()) / 1e6)
    except (OSError, ValueError):
        pass  # no control group, or "max"
    return min(limits)


def cpu_count() -> int:
    """Return the cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
