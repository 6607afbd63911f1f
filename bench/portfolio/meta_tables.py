"""The tables that the portfolio is learned on, each cut to some size.

Three origins: the training parts of a catalog of benchmark tasks (a TOML file with a loader
``load.py`` beside it, named by an option or by ``AUTOGLM_BENCH_CATALOG``), the sets that come
with scikit-learn, and made-up tables. A table that has more rows than a cap is sampled; large
ones appear at several sizes. All cuts of one source are left out together.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from generate import make_table

sys.path.append(str(Path(__file__).resolve().parents[1]))
from catalog import loader_of

METRICS = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}
GROUPS = ("tabular", "tabular-text")
#: Rows of the usual cut, of the small one, and of the large one.
USUAL, SMALL, LARGE = 4_000, 700, 15_000
#: From so many rows on there is a large cut.
LARGE_FROM = 11_000

BUNDLED = {
    "sk_breast_cancer": ("load_breast_cancer", "binary"),
    "sk_iris": ("load_iris", "multiclass"),
    "sk_wine": ("load_wine", "multiclass"),
    "sk_digits": ("load_digits", "multiclass"),
    "sk_diabetes": ("load_diabetes", "regression"),
}
#: Rows of the made-up tables of each kind.
MADE_UP = (300, 600, 900, 1_500, 2_500, 4_000, 4_000, 15_000)


@dataclass(frozen=True)
class Cut:
    """One table at one size.

    Attributes
    ----------
    name
        "adult" for the usual cut, "adult-700", "adult-15000".
    source
        What it is cut from.
    kind
        "binary", "multiclass" or "regression".
    rows
        At most so many.
    """

    name: str
    source: str
    kind: str
    rows: int


class Tables:
    """All tables that can be had.

    Parameters
    ----------
    catalog
        The catalog's file, or None to do without.
    """

    def __init__(self, catalog: Path | None) -> None:
        self._loader = None if catalog is None else loader_of(catalog)
        self._catalog = catalog
        self._entries: dict[str, Any] = self._loader.read_catalog(catalog) if self._loader else {}
        self._loaded: tuple[str, pd.DataFrame] | None = None

    def sources(self) -> list[tuple[str, str]]:
        """Return (name, kind) of every source, kinds and origins mixed."""
        real = [(n, e["task"]) for n, e in self._entries.items() if e["group"] in GROUPS]
        bundled = [(n, kind) for n, (_, kind) in BUNDLED.items()]
        made = [(f"made_{kind}_{i}", kind) for i in range(len(MADE_UP)) for kind in METRICS]
        pools = [[s for s in (*real, *bundled, *made) if s[1] == kind] for kind in METRICS]
        return sorted((s for pool in pools for s in pool), key=lambda s: zlib.crc32(s[0].encode()))

    def cuts(self, only: list[str] | None = None) -> Iterator[Cut]:
        """Yield the cuts of all sources, or of those named."""
        for source, kind in self.sources():
            if only and source not in only:
                continue
            n = len(self.frame(source))
            yield Cut(source, source, kind, min(n, USUAL))
            if n > USUAL:
                yield Cut(f"{source}-{SMALL}", source, kind, SMALL)
            if n >= LARGE_FROM:
                yield Cut(f"{source}-{LARGE}", source, kind, min(n, LARGE))

    def frame(self, source: str) -> pd.DataFrame:
        """Return a source's training rows with a column "target"."""
        if self._loaded is None or self._loaded[0] != source:
            self._loaded = (source, self._load(source))
        return self._loaded[1]

    def cut(self, cut: Cut) -> pd.DataFrame:
        """Return the rows of a cut; the same each time."""
        frame = self.frame(cut.source)
        if cut.rows >= len(frame):
            return frame
        rows = np.random.default_rng(zlib.crc32(cut.name.encode())).permutation(len(frame))
        return frame.iloc[np.sort(rows[: cut.rows])].reset_index(drop=True)

    def _load(self, source: str) -> pd.DataFrame:
        if source.startswith("made_"):
            _, kind, number = source.split("_")
            return make_table(source, kind, MADE_UP[int(number)])
        if source in BUNDLED:
            return _bundled(source)
        assert self._loader is not None, f"{source} needs a catalog"
        task = self._loader.load_task(source, self._catalog, 0)
        frame = task.X_train.drop(columns="target", errors="ignore")
        return frame.assign(target=task.y_train.to_numpy())


def _bundled(source: str) -> pd.DataFrame:
    import sklearn.datasets

    name, kind = BUNDLED[source]
    frame: pd.DataFrame = getattr(sklearn.datasets, name)(as_frame=True).frame
    if kind != "regression":
        frame["target"] = [f"class {int(v)}" for v in frame["target"]]
    return frame
