"""What more n-grams and their scaling are worth to the linear model of words.

    python bench/text/features.py --catalog FILE --out FILE [--tasks sst2,ag_news]

For each text task of the catalog, on its training part alone (8,000 rows at the most): n-grams and
model are fitted on half of the rows, the penalty is chosen on an eighth, and a quarter that neither
has seen is scored. "few": 20,000 n-grams chosen on 5,000 rows, without pairs of words, as before;
"many": those that are used now; "scaled": with log-count ratios too. Prints a line of JSON each.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from autoglm.dataflow import text_features
from autoglm.dataflow.text_features import TextFeatures
from autoglm.zoo.contract import Facts, Fold, Limits
from autoglm.zoo.linear import LinearText

sys.path.append(str(Path(__file__).resolve().parents[1]))
from catalog import loader_of

TASKS = (
    "sst2,ag_news,hotel_reviews_zh,fin_news_titles_zh,fin_news_zh,sms_spam,"
    "shopping_category_zh,imdb,tnews_few"
)
MOST_ROWS = 8_000


def main() -> None:
    """Run every task in three ways."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--catalog", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", default=TASKS)
    args = parser.parse_args()
    load = loader_of(args.catalog)
    for name in args.tasks.split(","):
        task = load.load_task(name, args.catalog, 0)
        rows = np.random.default_rng(0).permutation(len(task.X_train))[:MOST_ROWS]
        frame = task.X_train.iloc[rows]
        y = np.unique(task.y_train.iloc[rows].astype(str), return_inverse=True)[1]
        texts = {c: frame[c].where(frame[c].notna(), None).tolist() for c in task.text}
        for way in ("few", "many", "scaled"):
            line = {"task": name, "rows": len(y), "way": way} | score(texts, y, way)
            print(line, flush=True)
            with args.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def score(texts: dict[str, list[str | None]], y: Any, way: str) -> dict[str, Any]:
    """Return accuracy and log loss on the quarter, n-grams, and seconds of the fit."""
    n = len(y)
    test, valid, train = np.split(np.arange(n), [n // 4, n // 4 + n // 8])
    known = np.concatenate([valid, train])
    fitted = fit({name: [cells[i] for i in known] for name, cells in texts.items()}, way)
    X = fitted.tfidf(texts, n)
    k = int(y.max()) + 1
    widths = {"tree": 0, "dense": 0, "sparse": X.shape[1]}
    facts = Facts("binary" if k == 2 else "multiclass", k, n, widths, has_text=True)
    start = time.process_time()
    ratios = {"ratios": 1.0 if way == "scaled" else 0.0}
    model = LinearText().fit(Fold(X, y, train, valid), ratios, facts, Limits())
    seconds = time.process_time() - start
    shares = model.predict(X[test])
    hit = np.maximum(shares[np.arange(len(test)), y[test]], 1e-12)
    return {
        "accuracy": round(float((shares.argmax(axis=1) == y[test]).mean()), 4),
        "log_loss": round(float(-np.log(hit).mean()), 4),
        "n_grams": X.shape[1],
        "fit_s": round(seconds, 2),
    }


def fit(texts: dict[str, list[str | None]], way: str) -> TextFeatures:
    """Return text features of the kind that is compared."""
    now = text_features.FIT_ROWS, text_features.MAX_TERMS, TextFeatures.NEWEST
    if way == "few":
        text_features.FIT_ROWS, text_features.MAX_TERMS, TextFeatures.NEWEST = 5_000, 20_000, 1
    try:
        return TextFeatures.fit(texts)
    finally:
        text_features.FIT_ROWS, text_features.MAX_TERMS, TextFeatures.NEWEST = now


if __name__ == "__main__":
    main()
