"""Kill a run at random moments, resume it each time, and compare with the undisturbed run.

    python bench/kill/run.py --kills 30

One table, a fixed number of trials and one seed. The undisturbed run comes first. Then the
same run is started and ended by SIGKILL, workers and all, after a random time; `autoglm resume`
goes on with it and is killed again, until the kills are used up; the last one may finish.
It must end with the same trials, scores and members, and no fold may be in the journal twice.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sklearn.datasets import load_breast_cancer

from autoglm.core.errors import RunError
from autoglm.core.journal import read_journal
from autoglm.predictor import load

TRIALS = 14


def main() -> int:
    """Run the comparison; 0 when all held."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        outcome = compare(Path(scratch), args.kills, args.trials, args.seed)
    print(json.dumps(outcome, indent=1))
    return 0 if outcome["same"] and not outcome["repeated"] and not outcome["lost"] else 1


def compare(scratch: Path, kills: int, trials: int, seed: int) -> dict[str, Any]:
    """Return what a disturbed run and an undisturbed one have in common."""
    table = scratch / "table.csv"
    load_breast_cancer(as_frame=True).frame.to_csv(table, index=False)
    started = time.monotonic()
    finish(start(scratch / "calm", table, trials))
    whole_s = time.monotonic() - started
    calm = only_run(scratch / "calm")
    rng = random.Random(seed)
    seen: list[set[tuple[str, int]]] = []
    process = start(scratch / "shaken", table, trials)
    done_kills = 0
    while done_kills < kills:
        # Most moments lie in the search; some in the start, some in the end.
        kill_after(process, rng.uniform(0.3, max(1.0, 0.35 * whole_s)))
        done_kills += 1
        run = only_run(scratch / "shaken")
        seen.append(folds(run))
        process = go_on(run, scratch, table, trials)
    finish(process)
    shaken = only_run(scratch / "shaken")
    last = folds(shaken)
    return {
        "kills": done_kills,
        "same": winner(calm) == winner(shaken),
        "repeated": repeated(shaken),
        "lost": sum(len(earlier - last) for earlier in seen),
        "folds": len(last),
        "undisturbed_s": round(whole_s, 1),
    }


def start(folder: Path, table: Path, trials: int) -> subprocess.Popen[bytes]:
    """Start a new run in `folder`."""
    folder.mkdir(exist_ok=True)
    return command(
        "run", "predict target", str(table), "--target", "target", "--trials", str(trials),
        "--run-dir", str(folder), "--seed", "1", "--quiet",
    )  # fmt: skip


def go_on(run: Path | None, scratch: Path, table: Path, trials: int) -> subprocess.Popen[bytes]:
    """Resume the run; one that was killed before its data were kept is started again."""
    if run is not None and (run / "info.json").is_file():
        return command("resume", str(run), "--quiet")
    if run is not None:
        run.rename(scratch / f"given-up-{time.monotonic_ns()}")
    return start(scratch / "shaken", table, trials)


def command(*words: str) -> subprocess.Popen[bytes]:
    """Start the command line in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "autoglm", *words],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def kill_after(process: subprocess.Popen[bytes], seconds: float) -> None:
    """End a process by SIGKILL after some time, unless it ends before by itself."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that must succeed."""
    if process.wait() != 0:
        raise RuntimeError(f"exit code {process.returncode}")


def only_run(folder: Path) -> Path | None:
    """Return the newest run in the folder."""
    runs = sorted(p for p in folder.iterdir() if p.is_dir())
    return runs[-1] if runs else None


def folds(run: Path | None) -> set[tuple[str, int]]:
    """Return the finished folds of a run, by its journal."""
    return {(r["key"], r["fold"]) for r in records(run)}


def repeated(run: Path | None) -> int:
    """Return how many finished folds are in the journal more than once."""
    found = [(r["key"], r["fold"]) for r in records(run)]
    return len(found) - len(set(found))


def records(run: Path | None) -> list[dict[str, Any]]:
    """Return the finished folds' records."""
    if run is None:
        return []
    try:
        journal = read_journal(run / "journal.log")
    except RunError:
        return []  # killed before the journal was made
    return [r for r in journal if r["kind"] == "fold" and r["score"] is not None]


def winner(run: Path | None) -> Any:
    """Return what must be the same: trials with their scores, members with their weights."""
    assert run is not None
    model = load(run)
    trials = [(t["key"], t["state"], t["score"]) for t in model.trials]
    return trials, [(m.key, m.weight) for m in model.blend.members]


if __name__ == "__main__":
    raise SystemExit(main())
