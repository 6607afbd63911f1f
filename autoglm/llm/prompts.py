"""Prompts as files: one for each purpose and language, pinned by their hash where it matters.

A template is a text file with parts, each headed by a line ``--- system``, ``--- user`` or
``--- assistant``. ``{{ name }}`` stands for a value, with loops and conditions as in Jinja; values
are inserted as they are and never read as templates.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, cast

from autoglm.core.errors import ConfigError
from autoglm.core.text import Language, say
from autoglm.llm.contract import Message, Role

FOLDER = Path(__file__).with_name("templates")
_HEAD = re.compile(r"^--- (system|user|assistant)[ \t]*\n", re.MULTILINE)


@dataclass(frozen=True)
class Template:
    """A prompt with places for values.

    Attributes
    ----------
    name
        For messages.
    text
        The whole file.
    """

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Return the hash of the text, in hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def _parts(self) -> list[tuple[Role, Any]]:
        from jinja2 import StrictUndefined, TemplateSyntaxError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        found = _HEAD.split(self.text)
        if len(found) < 3 or found[0].strip():
            raise self._wrong(say(en='a part begins with a line "--- user"',
                                  zh="每一部分须以“--- user”一行开头"))  # fmt: skip
        # Prompts are plain text: escaping would change the question.
        world = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
        try:
            return [
                (cast(Role, role), world.from_string(text.strip("\n")))
                for role, text in zip(found[1::2], found[2::2], strict=True)
            ]
        except TemplateSyntaxError as error:
            raise self._wrong(str(error)) from error

    def fill(self, values: Mapping[str, Any]) -> tuple[Message, ...]:
        """Return the conversation with the values in place.

        Raises
        ------
        ConfigError
            When a value is missing.
        """
        from jinja2 import TemplateError

        try:
            return tuple(Message(role, part.render(values)) for role, part in self._parts)
        except TemplateError as error:
            raise self._wrong(str(error)) from error

    def pinned(self, sha256: str) -> Template:
        """Return the template if it is the one that was pinned.

        Raises
        ------
        ConfigError
            When it has changed since.
        """
        if self.sha256 != sha256:
            raise ConfigError(
                say(en=f"The prompt {self.name} has changed: {self.sha256[:12]} is not "
                    f"{sha256[:12]}.",
                    zh=f"提示 {self.name} 已改变:{self.sha256[:12]},而非 {sha256[:12]}。"),
                hint=say(en="Measure it again, then pin the new hash.",
                         zh="请重新评测,再固定新的哈希。"),
            )  # fmt: skip
        return self

    def _wrong(self, why: str) -> ConfigError:
        return ConfigError(
            say(en=f"The prompt {self.name} cannot be used: {why}.",
                zh=f"提示 {self.name} 无法使用:{why}。"),
            hint=say(en="See the documentation of prompts.", zh="见提示的文档。"),
        )  # fmt: skip


@lru_cache(maxsize=256)
def template(name: str, language: Language, folder: Path = FOLDER) -> Template:
    """Return the template of a purpose in a language.

    Raises
    ------
    ConfigError
        When there is none.
    """
    path = folder / f"{name}.{language}.txt"
    try:
        return Template(path.name, path.read_text(encoding="utf-8"))
    except OSError as error:
        known = sorted({p.name.partition(".")[0] for p in folder.glob("*.txt")})
        raise ConfigError(
            say(en=f"There is no prompt {path.name}.", zh=f"没有提示 {path.name}。"),
            hint=say(en=f"Prompts are: {', '.join(known)}.", zh=f"可用的提示:{', '.join(known)}。"),
        ) from error
