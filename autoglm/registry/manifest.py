"""The manifest of a bundle: what is in it, what goes in and out, how it was made."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autoglm.core.errors import BundleError
from autoglm.core.text import say
from autoglm.registry.environment import environment

#: The version written. Every version up to it stays readable.
FORMAT_VERSION: Final = 1

MANIFEST = "manifest.json"
CHECKSUM = "manifest.sha256"
RESERVED = frozenset({MANIFEST, CHECKSUM})

_MAX_NAME = 200
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Part):
    """Size in bytes and SHA-256 of one file."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class SignatureField(_Part):
    """One input or output: its name and its kind."""

    name: str
    kind: str


class Signature(_Part):
    """What a model takes and gives.

    Attributes
    ----------
    inputs
        Columns needed, with their kinds.
    outputs
        What `predict` and `predict_proba` give.
    params
        Settings a caller may pass, with their defaults.
    """

    inputs: tuple[SignatureField, ...] = ()
    outputs: tuple[SignatureField, ...] = ()
    params: dict[str, Any] = Field(default_factory=dict)


class About(_Part):
    """What the maker of a bundle says of it; unknown keys are refused.

    Attributes
    ----------
    kind
        What can load it, for example "tabular".
    signature
        Inputs, outputs and parameters.
    spec
        The task specification as plain JSON values.
    receipts
        Planned and actual time, memory, size and latency.
    """

    kind: str
    signature: Signature = Field(default_factory=Signature)
    spec: dict[str, Any] = Field(default_factory=dict)
    receipts: dict[str, Any] = Field(default_factory=dict)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class Manifest(About):
    """The content of ``manifest.json``."""

    format_version: Literal[1] = FORMAT_VERSION
    created: str = Field(default_factory=_now)
    environment: dict[str, Any] = Field(default_factory=environment)
    files: dict[str, FileEntry]

    def to_bytes(self) -> bytes:
        """Return the manifest as it stands in the bundle."""
        return self.model_dump_json(indent=1).encode() + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Read what `to_bytes` wrote.

        Raises
        ------
        BundleError
            When it is no manifest, or of a format version this release does not know.
        """
        try:
            version = _Versioned.model_validate_json(data).format_version
            if not 1 <= version <= FORMAT_VERSION:
                raise _unknown_version(version)
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise damaged(
                say(en=f"{MANIFEST} is not a manifest", zh=f"{MANIFEST} 不是有效的清单")
            ) from error


class _Versioned(BaseModel):
    format_version: int


def check_name(name: str) -> str:
    """Return `name` when it is a plain relative path that is safe on every system.

    Raises
    ------
    BundleError
        When it is absolute, climbs by ``..``, or has characters a file system may refuse.
    """
    parts = name.split("/")
    if (
        len(name) > _MAX_NAME
        or _FORBIDDEN.search(name)
        or any(part in ("", ".", "..") or part.endswith((" ", ".")) for part in parts)
    ):
        raise damaged(say(en=f"file name {name[:80]!r} is not allowed",
                          zh=f"不允许的文件名 {name[:80]!r}"))  # fmt: skip
    return name


def damaged(what: str) -> BundleError:
    """Return the error for a bundle that cannot be trusted."""
    return BundleError(
        say(en=f"The saved model is damaged: {what}.", zh=f"保存的模型已损坏:{what}。"),
        hint=say(en="Copy it again from where it was made, or save the model anew.",
                 zh="请从来源重新复制,或重新保存模型。"),
    )  # fmt: skip


def _unknown_version(version: int) -> BundleError:
    return BundleError(
        say(en=f"The saved model has format version {version}; this release reads "
               f"1 to {FORMAT_VERSION}.",
            zh=f"保存的模型格式版本为 {version};此版本可读 1 至 {FORMAT_VERSION}。"),
        hint=say(en="Update with: pip install -U open-autoglm",
                 zh="请更新:pip install -U open-autoglm"),
    )  # fmt: skip
