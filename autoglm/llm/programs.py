"""Prompts with named inputs and outputs: ``"question -> answer"``, with instruction and examples.

A program is plain data: it is saved as JSON, pinned by its hash, and the same on every engine. With
one output the model's text is that output; with more it answers as JSON.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autoglm.core.errors import ConfigError
from autoglm.core.files import write_file
from autoglm.core.text import Language, has_chinese, say, use_language
from autoglm.llm.contract import LanguageModel, Message, Reply, Request, Sampling
from autoglm.llm.structured import ask_json

_FIELD = re.compile(
    r"\s*(?P<name>[A-Za-z_]\w*)\s*(?::\s*(?P<kind>text|number|integer|date|bool))?\s*"
)
_SCHEMAS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},  # ISO 8601
}


@dataclass(frozen=True)
class Signature:
    """Names of what goes in and what comes out, and the kind of each output.

    Examples
    --------
    >>> signature = Signature.parse("review, language -> label, stars: integer")
    >>> signature.inputs, signature.outputs
    (('review', 'language'), (('label', 'text'), ('stars', 'integer')))
    """

    inputs: tuple[str, ...]
    outputs: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> Signature:
        """Read ``"a, b -> c: number"``.

        Raises
        ------
        ConfigError
            When it is no signature.
        """
        left, arrow, right = text.partition("->")
        found = [[_FIELD.fullmatch(part) for part in side.split(",")] for side in (left, right)]
        if not arrow or not all(match for side in found for match in side):
            raise ConfigError(
                say(en=f"{text!r} is no signature.", zh=f"{text!r} 不是签名。"),
                hint=say(en='Write it like "question -> answer" or "text -> label, score: number".',
                         zh='写法示例:"question -> answer" 或 "text -> label, score: number"。'),
            )  # fmt: skip
        inputs = tuple(m["name"] for m in found[0] if m)
        outputs = tuple((m["name"], m["kind"] or "text") for m in found[1] if m)
        return cls(inputs, outputs)

    def __str__(self) -> str:
        shown = (n if kind == "text" else f"{n}: {kind}" for n, kind in self.outputs)
        return f"{', '.join(self.inputs)} -> {', '.join(shown)}"

    @property
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the outputs."""
        return {
            "type": "object",
            "properties": {name: _SCHEMAS[kind] for name, kind in self.outputs},
            "required": [name for name, _ in self.outputs],
            "additionalProperties": False,
        }


#: Values by the names of a signature, inputs and outputs.
Example = Mapping[str, Any]


@dataclass(frozen=True)
class Prediction:
    """What a program answered.

    Attributes
    ----------
    values
        By the names of the outputs.
    replies
        The model's answers that it took.
    """

    values: dict[str, Any]
    replies: tuple[Reply, ...]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def tokens(self) -> int:
        """Return the tokens it took, as far as they were reported."""
        return sum(r.usage.total for r in self.replies if r.usage)


@dataclass(frozen=True)
class PromptProgram:
    """A prompt as data.

    Attributes
    ----------
    signature
        What goes in and comes out.
    instruction
        What the model is told to do.
    shots
        Examples it is shown, inputs with their outputs.
    frozen
        The hash it was pinned at; a program that differs from it is refused. None: it may change.
    """

    signature: Signature
    instruction: str
    shots: tuple[dict[str, Any], ...] = ()
    frozen: str | None = None

    @classmethod
    def of(cls, signature: str, instruction: str = "") -> PromptProgram:
        """Return a program from a signature's text."""
        found = Signature.parse(signature)
        outputs = ", ".join(name for name, _ in found.outputs)
        told = instruction or say(en=f"Give {outputs}.", zh=f"给出 {outputs}。")
        return cls(found, told)

    @property
    def sha256(self) -> str:
        """Return the hash of what it says, in hexadecimal digits."""
        facts = [str(self.signature), self.instruction, self.shots]
        return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()

    def pinned(self) -> PromptProgram:
        """Return the program as it is now, refused when it changes."""
        return replace(self, frozen=self.sha256)

    def messages(self, inputs: Example) -> tuple[Message, ...]:
        """Return the conversation that asks for the outputs.

        Raises
        ------
        ConfigError
            When an input is missing, or a pinned program has changed.
        """
        if self.frozen is not None and self.frozen != self.sha256:
            raise ConfigError(
                say(en="The prompt has changed since it was pinned.", zh="提示在固定之后被改动。"),
                hint=say(en="Measure it again and pin it anew.", zh="请重新评测并重新固定。"),
            )
        turns = [Message("system", self.instruction)]
        for shot in self.shots:
            turns += [Message("user", self._asked(shot)), Message("assistant", self._given(shot))]
        return (*turns, Message("user", self._asked(inputs)))

    def predict(
        self, model: LanguageModel, inputs: Example, sampling: Sampling | None = None
    ) -> Prediction:
        """Ask a model.

        Raises
        ------
        ModelError
            When it gives no answer of the right shape.
        """
        request = Request(self.messages(inputs), sampling or Sampling(max_tokens=512))
        name, kind = self.signature.outputs[0]
        if len(self.signature.outputs) == 1 and kind == "text":
            reply = model.generate(request)
            return Prediction({name: reply.text.strip()}, (reply,))
        with use_language(self.language):
            shaped = ask_json(model, request, self.signature.schema)
        return Prediction(shaped.value, shaped.replies)

    @property
    def language(self) -> Language:
        """Return the language it is written in."""
        return "zh" if has_chinese(self.instruction) else "en"

    def save(self, path: Path | str) -> None:
        """Write it as JSON.

        Raises
        ------
        StorageError
            When it cannot be written.
        """
        data = {
            "format": 1,
            "signature": str(self.signature),
            "instruction": self.instruction,
            "shots": list(self.shots),
            "frozen": self.frozen,
        }
        write_file(path, json.dumps(data, ensure_ascii=False, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path | str) -> PromptProgram:
        """Read what `save` wrote.

        Raises
        ------
        ConfigError
            When it is no program, or of a later format.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            if data["format"] != 1:
                raise ValueError(f"format {data['format']}")
            shots = tuple(dict(shot) for shot in data["shots"])
            signature = Signature.parse(data["signature"])
            return cls(signature, str(data["instruction"]), shots, data.get("frozen"))
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigError(
                say(en=f"{path} is no saved prompt: {error}.",
                    zh=f"{path} 不是保存的提示:{error}。"),
                hint=say(en="Write it with PromptProgram.save.",
                         zh="请用 PromptProgram.save 保存。"),
            ) from error  # fmt: skip

    def _asked(self, values: Example) -> str:
        missing = [name for name in self.signature.inputs if name not in values]
        if missing:
            raise ConfigError(
                say(en=f"The input {missing[0]!r} is missing.", zh=f"缺少输入 {missing[0]!r}。"),
                hint=say(en=f"Inputs are: {', '.join(self.signature.inputs)}.",
                         zh=f"输入有:{'、'.join(self.signature.inputs)}。"),
            )  # fmt: skip
        if len(self.signature.inputs) == 1:
            return str(values[self.signature.inputs[0]])
        return "\n".join(f"{name}: {values[name]}" for name in self.signature.inputs)

    def _given(self, values: Example) -> str:
        outputs = self.signature.outputs
        if len(outputs) == 1 and outputs[0][1] == "text":
            return str(values[outputs[0][0]])
        return json.dumps({name: values[name] for name, _ in outputs}, ensure_ascii=False)


def read_examples(path: Path, signature: Signature) -> list[dict[str, Any]]:
    """Return the examples of a file of JSON lines, each with every name of a signature.

    Raises
    ------
    ConfigError
        With the number of the line where something is missing.
    """
    needed = [*signature.inputs, *(name for name, _ in signature.outputs)]
    found: list[dict[str, Any]] = []
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise _bad_line(path, 0, str(error)) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _bad_line(path, number, str(error)) from None
        absent = [n for n in needed if not isinstance(record, dict) or n not in record]
        if absent:
            raise _bad_line(
                path, number, say(en=f"{absent[0]!r} is missing", zh=f"缺少 {absent[0]!r}")
            )
        found.append({name: record[name] for name in needed})
    return found


def _bad_line(path: Path, number: int, why: str) -> ConfigError:
    return ConfigError(
        say(en=f"{path}, line {number}: {why}.", zh=f"{path} 第 {number} 行:{why}。"),
        hint=say(en="Write one JSON object a line, with every name of the signature.",
                 zh="每行一个 JSON 对象,包含签名中的全部名称。"),
    )  # fmt: skip


def shown(examples: Sequence[Example]) -> str:
    """Return examples as text, for prompts about prompts."""
    return "\n".join(json.dumps(dict(e), ensure_ascii=False) for e in examples)
