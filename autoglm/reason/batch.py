"""Many questions from a file, one answer a line, going on where it was interrupted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoglm.core.errors import AutoGLMError, DataError
from autoglm.core.files import lock, storage_errors
from autoglm.core.text import say
from autoglm.reason.reasoner import AutoReasoner

#: Names under which a question stands in a record.
NAMES = ("question", "problem", "original_text", "text", "input", "问题")


@dataclass(frozen=True)
class Summary:
    """What a batch came to."""

    questions: int
    answered: int
    verified: int
    failed: int
    tokens: int

    def to_dict(self) -> dict[str, int]:
        """Return plain JSON values."""
        return dict(vars(self))


def read_questions(path: Path) -> list[str]:
    """Return the questions of a file: a text a line, or JSON lines with a question each.

    Raises
    ------
    DataError
        With the number of the line that has none.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            say(en=f"{path} cannot be read: {error}.", zh=f"无法读取 {path}:{error}。"),
            hint=say(en="Give a UTF-8 file with one question a line.",
                     zh="请给出 UTF-8 文件,每行一个问题。"),
        ) from error  # fmt: skip
    numbered = enumerate(text.split("\n"), 1)  # JSON may hold other ends of lines
    return [_question(line, number, path) for number, line in numbered if line.strip()]


def _question(line: str, number: int, path: Path) -> str:
    if path.suffix not in (".jsonl", ".json"):
        return line.strip()
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if isinstance(record, str) and record.strip():
        return record
    if isinstance(record, dict):
        found = next((record[n] for n in NAMES if isinstance(record.get(n), str)), "")
        if found.strip():
            return str(found)
    raise DataError(
        say(
            en=f"{path}, line {number}: there is no question.",
            zh=f"{path} 第 {number} 行没有问题。",
        ),
        hint=say(en='Write {"question": "..."} a line.', zh='每行写 {"question": "..."}。'),
    )


def solve_file(
    reasoner: AutoReasoner,
    path: Path,
    out: Path,
    *,
    done: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Summary:
    """Answer every question of a file; a file of answers that is there already is gone on with.

    Parameters
    ----------
    reasoner
        Answers; options are those of `AutoReasoner.solve`.
    path
        Questions, see `read_questions`.
    out
        Answers as JSON lines, in order. An answer is on the disk before the next question is asked;
        a question that fails has its ``error`` there.
    done
        Called with (answered, all) after each.

    Raises
    ------
    DataError
        When a file cannot be read, or the answers are those of other questions.
    StorageError
        When an answer cannot be written.
    RunError
        When another process writes to the same file of answers.
    """
    questions = read_questions(path)
    with storage_errors(out), out.open("a", encoding="utf-8") as file:
        lock(file, out)
        records = _kept(out, questions)
        for question in questions[len(records) :]:
            records.append(_record(reasoner, question, options))
            file.write(json.dumps(records[-1], ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
            if done is not None:
                done(len(records), len(questions))
    return Summary(
        len(records),
        sum(r.get("answer") is not None for r in records),
        sum(bool(r.get("verified")) for r in records),
        sum("error" in r for r in records),
        sum(r.get("cost", {}).get("tokens", 0) for r in records),
    )


def _record(reasoner: AutoReasoner, question: str, options: dict[str, Any]) -> dict[str, Any]:
    try:
        return reasoner.solve(question, **options).to_dict()
    except AutoGLMError as error:
        if error.exit_code in (5, 10):  # the same for every question
            raise
        return {"question": question.replace("\x00", "").strip()} | error.to_dict()


def _kept(out: Path, questions: list[str]) -> list[dict[str, Any]]:
    """Return the whole answers of a file, after cutting off one that was torn."""
    raw = out.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    if len(whole) < len(raw):
        with out.open("r+b") as file:
            file.truncate(len(whole))
    records = list(_records(whole, out))
    asked = [question.replace("\x00", "").strip() for question in questions]
    if [str(r.get("question", "")).strip() for r in records] != asked[: len(records)]:
        raise _other(out)
    return records


def _records(raw: bytes, out: Path) -> Iterator[dict[str, Any]]:
    for line in raw.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            raise _other(out)
        yield record


def _other(out: Path) -> DataError:
    return DataError(
        say(en=f"{out} holds answers to other questions.", zh=f"{out} 中是其他问题的回答。"),
        hint=say(en="Choose another file for the answers.", zh="请另选一个回答文件。"),
    )
