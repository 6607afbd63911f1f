"""Score the understanding of sentences: exact match per field.

    python bench/sentences/run.py --data DIR [--wrong]
    python bench/sentences/run.py --file other.jsonl [--wrong] [--ask] [--perfect]

DIR holds the data sets the sentences of ``sentences.jsonl`` name; those of ``other.jsonl``
speak of small made-up tables and need no data. Fields that a sentence does not
speak of are not scored, but a limit or a column to leave out that is found where none was said
counts as a miss. With `--ask` there is somebody who answers questions, with what is expected; else
a sentence that leaves the target open misses every field. `--perfect` puts a language model beside
the rules that answers with what is expected: what is missed then is lost between its answer and
the task.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from tables import make_tables  # beside this file

from autoglm.core.errors import AutoGLMError
from autoglm.core.spec import TaskSpec
from autoglm.dataflow.profile import TableProfile, profile_table
from autoglm.dataflow.read import read_table
from autoglm.llm.scripted import ScriptedModel
from autoglm.task.proposer import ModelParser
from autoglm.task.understand import Question, understand

HERE = Path(__file__).parent

#: Scored in every sentence.
ALWAYS = ("target", "task_type", "metric")
#: Scored where they are expected; a value found where none is expected is a miss too.
WHEN_SAID = ("drop_columns", "time_limit_s", "latency_ms", "size_mb", "memory_mb",
             "interpretable", "false_negative_cost")  # fmt: skip
#: Scored only where they are expected.
SOMETIMES = ("split", "group_column", "time_column", "positive_class")


@lru_cache(maxsize=64)
def profile_of(path: Path) -> TableProfile:
    """Profile a data file once."""
    return profile_table(read_table(path).frame)


@lru_cache(maxsize=1)
def made_profiles() -> dict[str, TableProfile]:
    """Profile the made-up tables."""
    made = [make_tables(path) for path in sorted(HERE.glob("*tables.toml"))]
    tables = {name: frame for part in made for name, frame in part.items()}
    return {name: profile_table(frame) for name, frame in tables.items()}


def expected(case: dict[str, Any], profile: TableProfile) -> dict[str, Any]:
    """Return the expected fields; "@last" stands for the last column's name."""
    names = list(profile.columns)
    fields = dict(case["expect"])
    fields["target"] = {"@last": names[-1], "@first": names[0]}.get(
        fields["target"], fields["target"]
    )
    return fields


def compare(spec: TaskSpec | None, wanted: dict[str, Any]) -> dict[str, tuple[bool, Any]]:
    """Return for each scored field whether it matches, and what was found."""
    out: dict[str, tuple[bool, Any]] = {}
    for name in (*ALWAYS, *WHEN_SAID, *SOMETIMES):
        if spec is None:
            found = None
        else:
            decision = getattr(spec, name)
            silent = name in WHEN_SAID and decision.source == "default"
            found = None if silent else decision.value
        found = sorted(found) if isinstance(found, tuple) else found
        found = None if found == [] else found
        want = wanted.get(name)
        want = sorted(want) if isinstance(want, list) else want
        if name in ALWAYS or want is not None or (name in WHEN_SAID and found is not None):
            out[name] = (found == want, found)
    return out


def perfect(sentence: str, wanted: dict[str, Any]) -> ModelParser:
    """Return a parser whose model answers with what is expected, and quotes the sentence."""
    told = {name: {"value": value, "words": sentence} for name, value in wanted.items()}
    return ModelParser(ScriptedModel([json.dumps(told)] * 2))


def _answered(put: list[Question], wanted: dict[str, Any], question: Question) -> str:
    put.append(question)
    return str(wanted[question.field])


def main() -> None:
    """Run all sentences and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path)
    options.add_argument("--file", type=Path, default="sentences.jsonl")
    options.add_argument("--wrong", action="store_true", help="print every miss")
    options.add_argument("--ask", action="store_true", help="with somebody to ask")
    options.add_argument("--perfect", action="store_true", help="with a model that is right")
    arguments = options.parse_args()
    lines = (HERE / arguments.file).read_text(encoding="utf-8").splitlines()
    right: Counter[tuple[str, str]] = Counter()
    asked: Counter[tuple[str, str]] = Counter()
    slowest = whole = 0.0
    questions = 0
    for case in map(json.loads, lines):
        made = "table" in case
        profile = (
            made_profiles()[case["table"]] if made else profile_of(arguments.data / case["data"])
        )
        wanted, language = expected(case, profile), case["id"][:2]
        parser = perfect(case["sentence"], wanted) if arguments.perfect else None
        put: list[Question] = []
        answer = partial(_answered, put, wanted) if arguments.ask else None
        start = time.perf_counter()
        try:
            spec, problem = understand(case["sentence"], profile, parser=parser, ask=answer), ""
        except AutoGLMError as error:
            spec, problem = None, str(error)
        seconds = time.perf_counter() - start
        slowest, whole = max(slowest, seconds), whole + seconds
        questions += len(put)
        fields = compare(spec, wanted)
        fields["all three"] = (all(fields[name][0] for name in ALWAYS), None)
        fields["every field"] = (all(ok for ok, _ in fields.values()), None)
        for name, (ok, found) in fields.items():
            whole_row = name in ("all three", "every field")
            for row in (name,) if whole_row else (name, "a field"):
                asked[row, language] += 1
                right[row, language] += ok
            if arguments.wrong and not ok and name not in ("all three", "every field"):
                print(f"{case['id']} {name}: want {wanted.get(name)!r}, got {found!r} | "
                      f"{case['sentence']} {problem}")  # fmt: skip
    print(f"{'field':20} {'en':>7} {'zh':>7} {'all':>7}")
    for name in (*ALWAYS, *WHEN_SAID, *SOMETIMES, "a field", "all three", "every field"):
        shown = [f"{right[name, g]}/{asked[name, g]}" for g in ("en", "zh")]
        shown.append("/".join(str(sum(c[name, g] for g in ("en", "zh"))) for c in (right, asked)))
        print(f"{name:20} {shown[0]:>7} {shown[1]:>7} {shown[2]:>7}")
    if arguments.ask:
        print(f"{questions} questions, {questions / len(lines):.2f} a sentence")
    print(f"{len(lines)} sentences; mean {1e3 * whole / len(lines):.1f} ms,"
          f" slowest {1e3 * slowest:.1f} ms")  # fmt: skip


if __name__ == "__main__":
    main()
