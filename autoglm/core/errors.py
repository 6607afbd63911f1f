"""Every error a user can meet.

    AutoGLMError
    ├── DataError            the file or table cannot be read or used       exit 3
    ├── SpecError            the task cannot be understood or contradicts   exit 4
    │   └── AmbiguousTask    two readings fit; carries both and the flag    exit 4
    ├── ConfigError          a setting is unknown or has a bad value        exit 5
    ├── BudgetError          time, memory, tokens or money do not suffice   exit 6
    ├── BundleError          a saved model is damaged or of unknown format  exit 7
    ├── StorageError         a folder cannot be written, the disk is full   exit 8
    ├── RunError             a run cannot be found, resumed or is in use    exit 9
    ├── MissingDependency    an extra is not installed                      exit 10
    ├── WorkerError          a worker process died; trying again may help   exit 11
    └── ModelError           a language model gives no usable answer        exit 12
        ├── ModelUnavailable   unreachable or overloaded; later may help    exit 12
        └── ContentRefused     its content policy refuses; never retried    exit 12

The message says what is wrong, `hint` what to do next. Exit code 2 is left to
mistakes in the command line itself, 1 to defects of ours, 130 to Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class AutoGLMError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    message
        What is wrong, in one sentence.
    hint
        What the user can do about it.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def to_dict(self) -> dict[str, Any]:
        """Return the error as plain JSON values, for ``--json`` and services."""
        return {
            "error": self.code,
            "message": self.message,
            "hint": self.hint,
            "retryable": self.retryable,
        }


class DataError(AutoGLMError):
    """The file or table cannot be read, or cannot be learned from."""

    code, exit_code = "data", 3


class SpecError(AutoGLMError):
    """The task cannot be understood, or its parts contradict each other."""

    code, exit_code = "spec", 4


class AmbiguousTask(SpecError):
    """More than one reading of the sentence fits the data equally well.

    Parameters
    ----------
    message, hint
        As in `AutoGLMError`.
    field
        The `TaskSpec` field that is open.
    candidates
        The readings, best first.
    flag
        The command-line flag that settles it.
    """

    code = "ambiguous"

    def __init__(
        self, message: str, *, field: str, candidates: Sequence[str], flag: str, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.field, self.candidates, self.flag = field, tuple(candidates), flag

    def to_dict(self) -> dict[str, Any]:
        """Return the error with its candidates as plain JSON values."""
        more = {"field": self.field, "candidates": list(self.candidates), "flag": self.flag}
        return super().to_dict() | more


class ConfigError(AutoGLMError):
    """A setting is unknown or its value is not allowed."""

    code, exit_code = "config", 5


class BudgetError(AutoGLMError):
    """The time, memory, tokens or money given cannot hold the work."""

    code, exit_code = "budget", 6


class BundleError(AutoGLMError):
    """A saved model is damaged, or of a format this version does not know."""

    code, exit_code = "bundle", 7


class StorageError(AutoGLMError):
    """A folder cannot be written or the disk is full."""

    code, exit_code, retryable = "storage", 8, True


class RunError(AutoGLMError):
    """A run cannot be found or resumed, or another process is using it."""

    code, exit_code = "run", 9


class MissingDependency(AutoGLMError, ImportError):
    """A feature needs an extra that is not installed."""

    code, exit_code = "dependency", 10


class WorkerError(AutoGLMError):
    """A worker process died."""

    code, exit_code, retryable = "worker", 11, True


class ModelError(AutoGLMError):
    """A language model gives no answer, or none that can be used."""

    code, exit_code = "model", 12


class ModelUnavailable(ModelError):
    """A language model cannot be reached now, or is overloaded.

    Parameters
    ----------
    message, hint
        As in `AutoGLMError`.
    wait_s
        Seconds after which the service asks to be called again; None when it says nothing.
    crowded
        Whether it is called by too many at a time: fewer parallel calls help, not patience alone.
    """

    code, retryable = "model_unavailable", True

    def __init__(
        self, message: str, *, hint: str = "", wait_s: float | None = None, crowded: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.wait_s, self.crowded = wait_s, crowded


class ContentRefused(ModelError):
    """The content policy of a language model's service refuses the request or the answer."""

    code = "content_refused"
