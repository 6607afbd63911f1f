"""Make the saved model that later versions must still be able to load.

    python scripts/make_bundle.py tests/registry/bundles

Run it once for each bundle format, with the version that introduced it, and commit what it
writes: a small model of the shipped example and its own predictions for ten new customers.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from autoglm import AutoTask, examples, read_table
from autoglm.registry.manifest import FORMAT_VERSION

ROWS = 10
LEARNERS = ["extra_trees", "knn", "lightgbm", "linear", "linear_text", "mlp"]


def main() -> None:
    """Train, save, predict."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    table = read_table(examples.path()).frame[:400]
    task = AutoTask.create(dataset=table, target="churned", description="who will leave?")
    pipeline = task.auto_build()
    pipeline.learners = LEARNERS
    pipeline.spec = pipeline.spec.changed(size_mb=0.5)
    with tempfile.TemporaryDirectory() as runs:
        model = pipeline.launch(run_dir=runs, max_trials=len(LEARNERS), workers=0)
        saved = model.save(folder / f"tabular-{FORMAT_VERSION}.aglm")
    rows = read_table(examples.path("new_customers.csv")).frame[:ROWS]
    expected = {
        "learners": sorted({m.learner for m in model.blend.members}),
        "labels": model.predict(rows).tolist(),
        "proba": model.predict_proba(rows)["yes"].tolist(),
    }
    saved.with_suffix(".json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
