"""LightGBM model text: the one form in which every tree ensemble is kept and predicted."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.space import Params
from autoglm.zoo._arrays import pack_text, unpack_text
from autoglm.zoo._labels import sigmoid, softmax
from autoglm.zoo._native import SingleRow
from autoglm.zoo._scorer import TreeScorer, scorer_of
from autoglm.zoo._sound import require_sound_trees
from autoglm.zoo._threads import predict_threads
from autoglm.zoo.contract import Array, Facts, Model, RowAnswer

_FILE = "model.txt.z"
#: Rows from which on trees are asked in another form than LightGBM's, which takes time to
#: make; for a booster just trained its text has to be written first.
_MANY, _MANY_LIVE = 500, 3000
_PIECE_TREES, _PIECE_LEAVES = 20, 8000
_HEAD = 1_000_000
_AVERAGE = "average_output"
_HUGE = 1e300
_SIZES = re.compile(r"^tree_sizes=.*\n", re.MULTILINE)
_NOT_NEEDED = ("leaf_weight", "internal_value", "internal_weight")
_LEAVES = re.compile(r"^num_leaves=(\d+)$", re.MULTILINE)
_TREE = re.compile(r"^Tree=\d+$", re.MULTILINE)
_SPLITS = re.compile(r"^split_feature=(.*)$", re.MULTILINE)


class TreeModel(Model):
    """A tree ensemble that LightGBM can predict and write.

    Parameters
    ----------
    source
        The model as text, or a fitted `lightgbm.Booster` with its `best_iteration` set.
    n_classes
        Number of classes; 1 for regression.
    learned
        Parameters that fix what this fit found out by itself, to fit again without
        validation rows.
    """

    def __init__(self, source: Any, n_classes: int, learned: Params | None = None) -> None:
        self.n_classes = n_classes
        self.learned: Params = {} if learned is None else learned
        self._live = not isinstance(source, str)
        if isinstance(source, str):
            self.text = source
        else:
            self.booster = source.free_dataset()

    @functools.cached_property
    def booster(self) -> Any:
        """The `lightgbm.Booster`, read from the text when first needed."""
        return booster_of(self.text)

    @functools.cached_property
    def text(self) -> str:
        """The model as LightGBM writes it, without the training parameters."""
        whole: str = self.booster.model_to_string()
        return whole.partition("\nend of trees")[0] + "\nend of trees\n"

    def predict(self, X: Any) -> Array:
        """Predict rows of the tree view: (n, p) float32."""
        X = np.asarray(X, dtype=np.float32)
        if len(X) == 0:
            return np.zeros(0) if self.n_classes == 1 else np.zeros((0, self.n_classes))
        raw = self._raw(X)
        if self._averages:
            shares = np.column_stack([1.0 - raw, raw]) if self.n_classes == 2 else raw
            if self.n_classes == 1:
                return raw
            shares = np.maximum(shares, 0.0)
            shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)
            return shares
        if self.n_classes == 1:
            return raw
        return softmax(raw[:, None] if self.n_classes == 2 else raw)

    @functools.cached_property
    def _averages(self) -> bool:
        """Whether it is a forest: a live booster never is."""
        return not self._live and _AVERAGE in self.text[:_HEAD].partition("Tree=0")[0]

    @functools.cached_property
    def _rounds(self) -> int:
        best: int = self.booster.best_iteration
        return best if best > 0 else int(self.booster.current_iteration())

    def _raw(self, X: NDArray[np.float32]) -> Array:
        """Return raw scores (n,) or (n, k); of a forest the mean over its trees."""
        if len(X) >= (_MANY_LIVE if self._live else _MANY):
            total = self._many(X)
        else:
            total = self._walked(X, self.booster, 0, self._rounds)
        return total / self._rounds if self._averages else total

    def _many(self, X: NDArray[np.float32]) -> Array:
        """Return the sum of raw scores of many rows."""
        if self._scorer is not None:
            scores: Array = self._scorer(X)
            return scores[:, 0] if scores.shape[1] == 1 else scores
        # Rows pass few trees at a time, so that these stay in the processor's cache. Not by
        # a range of rounds: LightGBM would keep it for the calls of other threads.
        total = self._walked(X, self._pieces[0])
        for piece in self._pieces[1:]:
            total = total + self._walked(X, piece)
        return total

    @staticmethod
    def _walked(X: NDArray[np.float32], booster: Any, start: int = 0, rounds: int = -1) -> Array:
        """Return the sum of raw scores as LightGBM gives it."""
        scores = booster.predict(
            X, raw_score=True, start_iteration=start, num_iteration=rounds,
            validate_features=False, num_threads=predict_threads(len(X)),
        )  # fmt: skip
        return np.asarray(scores)

    @functools.cached_property
    def _scorer(self) -> TreeScorer | None:
        """What is quicker than LightGBM for many rows, where there is such a thing."""
        return scorer_of(self.text)

    @functools.cached_property
    def _pieces(self) -> list[Any]:
        """The model as boosters of few trees."""
        head, blocks = _split(self.text)
        facts = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
        per_round = int(facts["num_tree_per_iteration"])
        leaves = np.array(_LEAVES.findall(self.text), dtype=np.float64).mean()
        wanted = min(max(_PIECE_TREES, int(facts["max_feature_idx"]) // 2), _PIECE_LEAVES / leaves)
        step = per_round * max(1, round(wanted / per_round))
        parts = [blocks[i : i + step] for i in range(0, len(blocks), step)]
        return [booster_of(join_text(head, part)) for part in parts]

    def one_row(self) -> Callable[[Any], RowAnswer] | None:
        """Return a function of one row of the tree view."""
        outputs = self.n_classes if self.n_classes > 2 else 1
        booster = booster_of(self.text) if self._live else self.booster
        scores = SingleRow(booster, self._rounds, outputs)
        if self._averages:
            return functools.partial(_mean_of_trees, scores, self._rounds, self.n_classes)
        if self.n_classes == 1:
            return lambda row: float(scores(row)[0])
        if self.n_classes == 2:
            return lambda row: sigmoid(scores(row)[0])
        return lambda row: softmax(np.array([scores(row)]))[0]

    def plain(self) -> None:
        """Have LightGBM predict whatever the number of rows."""
        self._scorer = None

    def cuts(self) -> dict[int, Array]:
        """Return the thresholds of the tables."""
        return {} if self._scorer is None else self._scorer.cuts()

    def dump(self) -> dict[str, bytes]:
        """Return the compressed model text."""
        return {_FILE: self._packed}

    @functools.cached_property
    def _packed(self) -> bytes:
        """The compressed text: a large model takes a second to compress."""
        return pack_text(self.text)

    @property
    def row_us(self) -> float:
        """A leaf of a tree is reached in about log2(leaves) + 1 steps of 20 ns."""
        leaves = np.array(_LEAVES.findall(self.text), dtype=np.float64)
        return float(0.02 * (np.log2(np.maximum(leaves, 1)) + 1).sum())

    @property
    def importance(self) -> Array | None:
        """Share of the total gain of each feature."""
        gain = np.asarray(self.booster.feature_importance("gain"), dtype=np.float64)
        total = gain.sum()
        return gain / total if total > 0 else gain


def _mean_of_trees(scores: SingleRow, rounds: int, n_classes: int, row: Any) -> RowAnswer:
    """Return what a forest says of one row."""
    total = scores(row)
    if n_classes == 1:
        return float(total[0]) / rounds
    if n_classes == 2:
        return min(max(float(total[0]) / rounds, 0.0), 1.0)
    shares: Array = np.maximum(np.array(total), 0.0)
    shares /= max(float(shares.sum()), 1e-12)
    return shares


def booster_of(text: str) -> Any:
    """Return the `lightgbm.Booster` of a model text.

    Raises
    ------
    ValueError
        When LightGBM cannot read it.
    """
    import lightgbm

    try:
        # Given the sizes of trees LightGBM reads them in threads, where an error is fatal.
        return lightgbm.Booster(model_str=_SIZES.sub("", text, count=1))
    except lightgbm.basic.LightGBMError as error:
        raise ValueError(f"not a LightGBM model: {error}") from error


def load_trees(
    files: Mapping[str, bytes], facts: Facts, n_features: int | None = None
) -> TreeModel:
    """Read what `TreeModel.dump` wrote, of `n_features` columns or those of the tree view.

    Raises
    ------
    ValueError
        When the file is missing or damaged, or is of a model for another task.
    """
    if _FILE not in files:
        raise ValueError(f"the model has no {_FILE}")
    text = unpack_text(files[_FILE])
    require_sound(text)
    model = TreeModel(text, 1 if facts.regression else facts.n_classes)
    # Read it now: a damaged text must not fail in the first prediction.
    booster, outputs = model.booster, model.n_classes if model.n_classes > 2 else 1
    wanted = facts.n_features["tree"] if n_features is None else n_features
    if (booster.num_feature(), booster.num_model_per_iteration()) != (wanted, outputs):
        raise ValueError("the trees are not of this task")
    return model


def require_sound(text: str) -> None:
    """Check every tree of a model text, see `autoglm.zoo._sound`.

    Raises
    ------
    ValueError
        When one of them is not a tree over the model's own features.
    """
    head, blocks = _split(text)
    facts = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
    try:
        n_features = int(facts["max_feature_idx"]) + 1
        trees = [dict(line.split("=", 1) for line in b.strip().splitlines()) for b in blocks]
        if any(tree.get("is_linear", "0") != "0" for tree in trees):
            raise ValueError("linear trees are not used here")
        require_sound_trees(trees, n_features)
    except KeyError as error:
        raise ValueError(f"not a LightGBM model: {error} is missing") from error


def merge_trees(models: Sequence[Model]) -> TreeModel | None:
    """Return one model that averages: raw scores of boosters, probabilities of forests.

    The result is also shorter: what prediction does not need is left out, numbers have
    nine digits. None when the models differ in features, classes or objective.
    """
    trees = [m for m in models if isinstance(m, TreeModel)]
    if not trees or len(trees) != len(models):
        return None
    parts = [_split(m.text) for m in trees]
    shapes = {tuple(_shape(head)) for head, _ in parts}
    if len(shapes) > 1:
        return None
    forest = _AVERAGE in parts[0][0].splitlines()
    total = sum(len(blocks) for _, blocks in parts)
    blocks: list[str] = []
    for _, own in parts:
        scale = total / (len(parts) * len(own)) if forest else 1.0 / len(parts)
        blocks += [_compact(block, scale) for block in own]
    return TreeModel(join_text(parts[0][0], blocks), trees[0].n_classes)


def with_places(model: TreeModel, places: NDArray[np.int64], n_features: int) -> TreeModel:
    """Return the same trees over other columns.

    Parameters
    ----------
    model
        An ensemble over (p,) columns.
    places
        (p,) where each of its columns is among the new ones.
    n_features
        Number of the new columns.
    """
    head, blocks = _split(model.text)
    given = {
        "max_feature_idx": str(n_features - 1),
        "feature_names": " ".join(f"f{i}" for i in range(n_features)),
        "feature_infos": " ".join(["none"] * n_features),
    }
    lines = [
        f"{name}={given[name]}" if (name := line.partition("=")[0]) in given else line
        for line in head.splitlines()
        if not line.startswith("monotone_constraints=")
    ]
    moved = [_SPLITS.sub(lambda found: _moved(found, places), block) for block in blocks]
    return TreeModel(join_text("\n".join(lines), moved), model.n_classes)


def _moved(found: re.Match[str], places: NDArray[np.int64]) -> str:
    return "split_feature=" + " ".join(map(str, places[np.array(found[1].split(), int)].tolist()))


def join_text(head: str, blocks: Sequence[str]) -> str:
    """Return a model text of its head and tree blocks, each from after ``Tree=<i>``."""
    numbered = [f"Tree={i}\n{block.strip()}\n\n\n" for i, block in enumerate(blocks)]
    return f"{head.rstrip()}\n\n{''.join(numbered)}end of trees\n"


def between_floats(threshold: Array) -> Array:
    """Move thresholds to the middle between the two float32 numbers around them.

    Comparisons of float32 features stay as they were, and nine digits are enough to write
    the result without touching either neighbour.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        below = threshold.astype(np.float32)
        below = np.where(below > threshold, np.nextafter(below, np.float32(-np.inf)), below)
        above = np.nextafter(below, np.float32(np.inf)).astype(np.float64)
        middle = (below.astype(np.float64) + above) / 2
    return np.where(np.isfinite(middle), middle, np.clip(threshold, -_HUGE, _HUGE))


def _split(text: str) -> tuple[str, list[str]]:
    body = text.partition("\nend of trees")[0]
    head, *blocks = _TREE.split(body)
    kept = [line for line in head.splitlines() if line and not line.startswith("tree_sizes=")]
    return "\n".join(kept), blocks


def _shape(head: str) -> list[str]:
    wanted = ("num_class=", "num_tree_per_iteration=", "max_feature_idx=", "objective=", _AVERAGE)
    return [line for line in head.splitlines() if line.startswith(wanted)]


def _compact(block: str, scale: float) -> str:
    """Rewrite a tree block: leaf values times `scale`, no more digits or lines than needed."""
    lines = dict(line.split("=", 1) for line in block.strip().splitlines())
    for name in _NOT_NEEDED:
        lines.pop(name, None)
    lines["leaf_value"] = _digits("%.9g", scale * _numbers(lines["leaf_value"]))
    if "split_gain" in lines:
        lines["split_gain"] = _digits("%.4g", _numbers(lines["split_gain"]))
    # In a tree with categories a threshold can be the number of a set of codes.
    if lines.get("num_cat", "0") == "0" and lines.get("threshold"):
        lines["threshold"] = _digits("%.9g", between_floats(_numbers(lines["threshold"])))
    return "\n".join(f"{name}={value}" for name, value in lines.items())


def _numbers(text: str) -> Array:
    return np.array(text.split(), dtype=np.float64)


def _digits(form: str, values: Array) -> str:
    return " ".join([form] * len(values)) % tuple(values.tolist())
