"""Tree ensembles that see the columns of a recipe beside those of their view."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autoglm.core.space import Params
from autoglm.zoo._boosters import TreeModel, load_trees, merge_trees, with_places
from autoglm.zoo._recipe import Recipe, merge_recipes
from autoglm.zoo.contract import Array, Facts, Model, RowAnswer


class CookedTrees(Model):
    """Trees over the columns of a view and of a recipe.

    Parameters
    ----------
    recipe
        What adds the columns.
    trees
        The ensemble over all of them.
    learned
        As for `TreeModel`.
    """

    def __init__(self, recipe: Recipe, trees: TreeModel, learned: Params | None = None) -> None:
        self.recipe, self.trees = recipe, trees
        self.learned: Params = {} if learned is None else learned

    def predict(self, X: Any) -> Array:
        """Predict rows of the tree view: (n, p) float32."""
        return self.trees.predict(self.recipe.append(X))

    def one_row(self) -> Callable[[Any], RowAnswer] | None:
        """Return a function of one row of the tree view."""
        answer = self.trees.one_row()
        if answer is None:
            return None
        append, of_all = self.recipe.append, answer
        return lambda row: of_all(append(row[None])[0])

    def plain(self) -> None:
        """Have LightGBM predict whatever the number of rows."""
        self.trees.plain()

    def cuts(self) -> dict[int, Array]:
        """Return the thresholds on columns of the view itself."""
        return {j: at for j, at in self.trees.cuts().items() if j < self.recipe.width}

    def dump(self) -> dict[str, bytes]:
        """Return the recipe and the model text as files."""
        return self.recipe.dump() | self.trees.dump()

    @property
    def row_us(self) -> float:
        """Time of the recipe and of the trees."""
        return self.recipe.row_us + self.trees.row_us

    @property
    def importance(self) -> Array | None:
        """Share of the gain of each column of the view, with what was made of it."""
        gain = self.trees.importance
        if gain is None:
            return None
        share: Array = gain[: self.recipe.width].copy()
        for source, value in zip(self.recipe.sources(), gain[self.recipe.width :], strict=True):
            share[list(source)] += value / len(source)
        return share


def load_cooked(files: Mapping[str, bytes], facts: Facts) -> CookedTrees | TreeModel:
    """Read what `CookedTrees.dump` or `TreeModel.dump` wrote.

    Raises
    ------
    ValueError
        When a file is missing or damaged.
    """
    if len(files) == 1:
        return load_trees(files, facts)
    recipe = Recipe.load(files)
    if recipe.width != facts.n_features["tree"]:
        raise ValueError("the recipe is not of this task")
    return CookedTrees(recipe, load_trees(files, facts, recipe.width + recipe.columns))


def merge_cooked(models: Sequence[Model]) -> Model | None:
    """Return one model that averages raw scores; the columns of all recipes stand side by side."""
    cooked = [m for m in models if isinstance(m, CookedTrees)]
    if not cooked:
        return merge_trees(models)
    # A fold whose recipe came out empty is a plain ensemble over the columns of the view.
    width = cooked[0].recipe.width
    plain = Recipe(width, None, None, np.zeros(0, np.int64))
    recipes = [m.recipe if isinstance(m, CookedTrees) else plain for m in models]
    trees = [m.trees if isinstance(m, CookedTrees) else m for m in models]
    if any(r.width != width for r in recipes):
        return None
    recipe, places = merge_recipes(recipes)
    n = recipe.width + recipe.columns
    moved = [
        with_places(t, to, n) for t, to in zip(trees, places, strict=True)
        if isinstance(t, TreeModel)
    ]  # fmt: skip
    whole = merge_trees(moved) if len(moved) == len(models) else None
    return None if whole is None else CookedTrees(recipe, whole)
