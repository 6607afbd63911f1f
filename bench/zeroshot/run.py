"""Labels by their descriptions on AG News and TNEWS: accuracy, and milliseconds a text.

    python bench/zeroshot/run.py --data DIR --out FILE [--llm encoder:minilm] [--limit N]

No text is learned from: the labels are told by the descriptions below, written before any score
was seen. Of AG News it is the test file, of TNEWS the public test file of FewCLUE. With a language
model (`--llm glm-4.5-flash`) the first `--limit` texts are asked about. Needs the extra ``text``.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import time
from pathlib import Path

from autoglm.core.config import resolve
from autoglm.llm.engines import open_model
from autoglm.llm.zeroshot import ZeroShot

AG_NEWS = {
    "1": "world news: politics, governments, wars and conflicts between countries",
    "2": "sports: games, teams, players, matches and championships",
    "3": "business: companies, markets, stocks, economy, oil prices and trade",
    "4": "science and technology: computers, software, internet, space and research",
}
TNEWS = {
    "news_story": "民间故事、寓言和人生感悟", "news_culture": "文化、艺术、书画和历史遗产",
    "news_entertainment": "娱乐圈、明星、电影和电视剧", "news_sports": "体育比赛、球队和运动员",
    "news_finance": "财经、金融、投资和企业经营", "news_house": "房地产、楼市和买房",
    "news_car": "汽车、车型和驾驶", "news_edu": "教育、高考、学校和学生",
    "news_tech": "科技、互联网、手机和人工智能", "news_military": "军事、武器、战争和军队",
    "news_travel": "旅游、景点和出行", "news_world": "国际新闻、外国政治和外交",
    "news_stock": "股票、股市和大盘走势", "news_agriculture": "农业、农村和种植养殖",
    "news_game": "电子游戏、王者荣耀和电竞",
}  # fmt: skip


def main() -> None:
    """Run both sets and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--llm", default="encoder:minilm")
    parser.add_argument("--limit", type=int, default=None)
    args = parser.parse_args()
    model = open_model(resolve({"llm": args.llm}).settings)
    encoder = args.llm.startswith("encoder:")
    for name, labels, (texts, truth) in (
        ("ag_news", AG_NEWS, ag_news(args.data)),
        ("tnews", TNEWS, tnews(args.data)),
    ):
        texts, truth = texts[: args.limit], truth[: args.limit]
        for adapt in (True, False) if encoder else (False,):
            reader = ZeroShot(labels, model, how="embed" if encoder else "ask", adapt=adapt)
            start = time.perf_counter()
            said = reader.predict(texts)
            each = 1000 * (time.perf_counter() - start) / len(texts)
            right = sum(a == b for a, b in zip(said, truth, strict=True)) / len(texts)
            line = {"set": name, "llm": args.llm, "adapt": adapt, "texts": len(texts),
                    "accuracy": round(right, 4), "ms_per_text": round(each, 2)}  # fmt: skip
            print(line, flush=True)
            with args.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def ag_news(data: Path) -> tuple[list[str], list[str]]:
    """Return titles with descriptions, and the numbers of the classes."""
    with gzip.open(data / "txt_ag_news" / "test.csv.gz", "rt", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row]
    return [f"{title}. {text}" for _, title, text in rows], [label for label, _, _ in rows]


def tnews(data: Path) -> tuple[list[str], list[str]]:
    """Return sentences, and the names of the classes."""
    path = data / "txt_fewclue_tnews" / "test_public.json.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    return [row["sentence"] for row in rows], [row["label_desc"] for row in rows]


if __name__ == "__main__":
    main()
