"""The file that past runs are kept in: SQLite, one for each user, shared by processes.

Nothing of the data is kept: sizes and shares of the table, hashes of column names under a
salt of the file's own, and for each trial its configuration, relative score and time. Every
use holds a lock file, so that only one connection exists at a time; a store that is damaged is
moved aside and a new one begun. No failure here ever stops a run, or holds it up for long.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from autoglm.core.space import Params
from autoglm.core.text import say

VERSION = 1
#: Runs that are kept, the newest ones.
MOST_RUNS = 1000
#: Seconds to wait for another process that uses the file: to read, and to write.
READING_S, WRITING_S = 0.3, 1.0
#: Only a file that is named like this is moved aside when it is damaged: another may be a file
#: of the user that was never a store.
ENDING = ".sqlite"
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_SCHEMA = f"""
BEGIN;
CREATE TABLE about (salt TEXT NOT NULL);
CREATE TABLE run (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, at REAL NOT NULL, kind TEXT NOT NULL,
    features TEXT NOT NULL, budget_s REAL, workers INTEGER NOT NULL);
CREATE TABLE trial (
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE, learner TEXT NOT NULL,
    params TEXT NOT NULL, relative REAL NOT NULL, weight REAL NOT NULL, seconds REAL NOT NULL);
CREATE INDEX trial_of_run ON trial (run);
PRAGMA user_version = {VERSION};
INSERT INTO about VALUES ('%s');
COMMIT;
"""

T = TypeVar("T")


@dataclass(frozen=True)
class TaskFeatures:
    """What is remembered of a task; numbers and names of kinds only.

    Attributes
    ----------
    kind, metric
        Kind of task and name of the metric.
    rows, columns, classes
        Sizes; 1 class for regression.
    categories, texts, missing
        Shares of the columns that are categories and texts, and of the cells that are empty.
    imbalance
        Classification: 1 minus the entropy of the classes, relative to equal shares.
    wishes
        What else was asked for: "latency", "size", "interpretable", "directions", "fair",
        "cost".
    names
        Salted hashes of the column names.
    """

    kind: str
    metric: str
    rows: int
    columns: int
    classes: int = 1
    categories: float = 0.0
    texts: float = 0.0
    missing: float = 0.0
    imbalance: float = 0.0
    wishes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class PastTrial:
    """A configuration of a past run.

    Attributes
    ----------
    learner, params
        The configuration.
    relative
        Its score: 1 for the best of its run, 0.5 for the median one, 0 for one as far below it.
    weight
        Its share of the final ensemble.
    seconds
        Time of one fit.
    """

    learner: str
    params: Params
    relative: float
    weight: float
    seconds: float


@dataclass(frozen=True)
class PastRun:
    """A finished run.

    Attributes
    ----------
    key
        Tells it from others; a run that goes on replaces what it left before.
    features
        Its task.
    trials
        Its trials, the best first.
    budget_s, workers
        What it had; None without a time limit.
    number
        Its number in the store.
    """

    key: str
    features: TaskFeatures
    trials: tuple[PastTrial, ...] = field(default=(), repr=False)
    budget_s: float | None = None
    workers: int = 1
    number: int = 0


class RunStore:
    """The file of past runs.

    Parameters
    ----------
    path
        The file; made with its folder when something is first kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def salt(self) -> str:
        """Return what hashes of names are salted with; "" when there is no file yet."""
        found = self._use(lambda db: db.execute("SELECT salt FROM about").fetchone(), None)
        return found[0] if found else ""

    def runs(self, kind: str) -> list[PastRun]:
        """Return the runs of a kind of task, the oldest first, without their trials."""
        query = "SELECT id, key, features, budget_s, workers FROM run WHERE kind = ? ORDER BY id"
        rows: list[Any] = self._use(lambda db: db.execute(query, (kind,)).fetchall(), [])
        found = (_run(row) for row in rows)
        return [run for run in found if run is not None]

    def trials(self, number: int) -> tuple[PastTrial, ...]:
        """Return the trials of a run, the best first."""
        query = (
            "SELECT learner, params, relative, weight, seconds FROM trial "
            "WHERE run = ? ORDER BY relative DESC, rowid"
        )
        rows: list[Any] = self._use(lambda db: db.execute(query, (number,)).fetchall(), [])
        return tuple(trial for trial in map(_trial, rows) if trial is not None)

    def add(self, run: PastRun, names: tuple[str, ...] = ()) -> None:
        """Keep a run; one with the same key is replaced.

        Parameters
        ----------
        run
            The run; the names in its features are set here.
        names
            Column names, of which hashes are kept.
        """
        self._use(lambda db: _insert(db, run, names), None, create=True)

    def _use(
        self, action: Callable[[sqlite3.Connection], T], otherwise: T, *, create: bool = False
    ) -> T:
        """Do something with the file; on any failure warn and return `otherwise`."""
        patience = WRITING_S if create else READING_S
        try:
            if not create and not self.path.exists():
                return otherwise
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(self.path, patience):
                try:
                    return self._do(action, patience)
                except sqlite3.DatabaseError as error:
                    # The low byte is the kind of error, what is above it the detail.
                    damaged = error.sqlite_errorcode & 0xFF in _DAMAGED
                    if not damaged or self.path.suffix != ENDING:
                        raise
                    self._set_aside()
                    return self._do(action, patience) if create else otherwise
        except (OSError, sqlite3.Error, ValueError) as error:
            warnings.warn(
                say(en=f"Past runs are not used: {self.path}: {error}. Set meta_store to another "
                       'file, or to "off".',
                    zh=f"未使用历史运行:{self.path}:{error}。请将 meta_store 设为其他文件或 off。"),
                stacklevel=2,
            )  # fmt: skip
            return otherwise

    def _do(self, action: Callable[[sqlite3.Connection], T], patience: float) -> T:
        with closing(sqlite3.connect(self.path, timeout=patience)) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise ValueError(say(en="written by a newer version", zh="由更新的版本写入"))
            db.execute("PRAGMA foreign_keys = ON")
            if version == 0:
                if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    raise ValueError(say(en="another program's file", zh="其他程序的文件"))
                db.executescript(_SCHEMA % secrets.token_hex(8))
            with db:
                return action(db)

    def _set_aside(self) -> None:
        """Move a damaged file away, with what belongs to it."""
        kept = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns() // 10**6}")
        os.replace(self.path, kept)
        self.path.with_name(self.path.name + "-journal").unlink(missing_ok=True)
        warnings.warn(
            say(en=f"The file of past runs was damaged. It was moved to {kept}; a new one begins.",
                zh=f"历史运行文件已损坏,已移至 {kept},将重新开始记录。"),
            stacklevel=2,
        )  # fmt: skip


def hashed(names: tuple[str, ...], salt: str) -> tuple[str, ...]:
    """Return salted hashes of names, sorted; without a salt there is nothing to compare with."""
    if not salt:
        return ()
    digests = (hashlib.sha256(f"{salt}/{n}".encode()).hexdigest()[:10] for n in names)
    return tuple(sorted(digests))


@contextmanager
def _locked(path: Path, patience: float) -> Iterator[None]:
    """Hold the lock that goes with a file.

    Raises
    ------
    OSError
        When another process holds it for longer than `patience` seconds.
    """
    deadline = time.monotonic() + patience
    with path.with_name(path.name + ".lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
        yield


def _insert(db: sqlite3.Connection, run: PastRun, names: tuple[str, ...]) -> None:
    salt = db.execute("SELECT salt FROM about").fetchone()[0]
    features = asdict(run.features) | {"names": hashed(names, salt)}
    db.execute("DELETE FROM run WHERE key = ?", (run.key,))
    row = (run.key, time.time(), run.features.kind, json.dumps(features), run.budget_s, run.workers)
    number = db.execute(
        "INSERT INTO run (key, at, kind, features, budget_s, workers) VALUES (?, ?, ?, ?, ?, ?)",
        row,
    ).lastrowid
    db.executemany(
        "INSERT INTO trial VALUES (?, ?, ?, ?, ?, ?)",
        [
            (number, t.learner, json.dumps(t.params), t.relative, t.weight, t.seconds)
            for t in run.trials
        ],
    )
    newest = "SELECT id FROM run ORDER BY id DESC LIMIT ?"
    db.execute(f"DELETE FROM run WHERE id NOT IN ({newest})", (MOST_RUNS,))


def _run(row: tuple[Any, ...]) -> PastRun | None:
    """Return a run; None for one that this version does not understand."""
    number, key, text, budget_s, workers = row
    try:
        stored = json.loads(text)
        known = {f.name: stored[f.name] for f in fields(TaskFeatures) if f.name in stored}
        known |= {name: tuple(known.get(name, ())) for name in ("wishes", "names")}
        features = TaskFeatures(**known)
        sizes = (features.rows, features.columns, features.classes)
        shares = (features.categories, features.texts, features.missing, features.imbalance)
        if min(sizes) < 1 or not all(0 <= share <= 1 for share in shares):
            return None
    except (ValueError, TypeError):
        return None
    return PastRun(key, features, (), budget_s, workers, number)


def _trial(row: tuple[Any, ...]) -> PastTrial | None:
    """Return a trial; None for one that cannot be read."""
    learner, params, *numbers = row
    try:
        return PastTrial(learner, dict(json.loads(params)), *map(float, numbers))
    except (ValueError, TypeError):
        return None
