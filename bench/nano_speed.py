"""Tokens a second of a small GLM: on numpy, and by `transformers` on the same weights.

    python bench/nano_speed.py --model DIR [--tokens 128] [--prompts 20]

Greedy, one row at a time, every prompt by both in turn, the same number of new tokens; the median
over the prompts. Both are asked once before, and their tokens are compared. Nothing else should be
running.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from autoglm.llm.nano.decode import Decoding, generate
from autoglm.llm.nano.engine import NanoModel


def main() -> None:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--prompts", type=int, default=20)
    args = parser.parse_args()
    ours = NanoModel(args.model)
    theirs = load_reference(args.model)
    draw = np.random.default_rng(0)
    size = ours.network.config.vocab_size
    speeds: dict[str, list[float]] = {"numpy": [], "transformers": []}
    same = 0
    for number in range(args.prompts + 1):
        prompt = draw.integers(8, size, draw.integers(20, 80)).tolist()
        begun = time.perf_counter()
        mine = generate(ours.network, [prompt], Decoding(max_tokens=args.tokens))[0].tokens
        middle = time.perf_counter()
        other = reference_tokens(theirs, prompt, args.tokens)
        ended = time.perf_counter()
        if number:  # the first one warms up
            speeds["numpy"].append(args.tokens / (middle - begun))
            speeds["transformers"].append(args.tokens / (ended - middle))
            same += mine == other
    found = {name: round(statistics.median(each), 1) for name, each in speeds.items()}
    print(json.dumps({
        "model": args.model.name, "tokens": args.tokens, "prompts": args.prompts, "same": same,
        "tokens_per_s": found, "times": round(found["numpy"] / found["transformers"], 2),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
    }))  # fmt: skip


def load_reference(folder: Path) -> Any:
    """Return the model as `transformers` has it."""
    from transformers import GlmForCausalLM

    model = GlmForCausalLM.from_pretrained(folder).eval()
    model.generation_config.eos_token_id = None  # every row has the same number of tokens
    return model


def reference_tokens(model: Any, prompt: list[int], count: int) -> list[int]:
    """Return what `transformers` writes behind a prompt."""
    import torch

    with torch.no_grad():
        out = model.generate(torch.tensor([prompt]), max_new_tokens=count, do_sample=False)
    return [int(token) for token in out[0, len(prompt) :]]


if __name__ == "__main__":
    main()
