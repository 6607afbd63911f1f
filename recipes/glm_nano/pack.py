"""Make a trained model small enough to be passed on: a byte a weight, no state of the training.

    python recipes/glm_nano/pack.py --model DIR --out DIR [--levels 63]

Fewer levels than a byte has compress better in a wheel; with 63 no share of right answers moved by
more than 0.013 (`bench/results/2026-11-glm-nano`).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from safetensors.numpy import load_file, save

from autoglm.core.files import write_file
from autoglm.llm.nano.engine import NanoModel
from autoglm.llm.nano.network import packed

#: Numbers of the configuration that the network is made from; the rest is how it was trained.
KEPT = (
    "model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
    "num_attention_heads", "num_key_value_heads", "head_dim", "rms_norm_eps", "rope_parameters",
    "rope_theta", "partial_rotary_factor", "tie_word_embeddings", "attention_bias",
    "max_position_embeddings",
)  # fmt: skip


def main() -> None:
    """Pack and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--levels", type=int, default=63)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    tensors = packed(load_file(args.model / "model.safetensors"), args.levels)
    write_file(args.out / "model.safetensors", save(tensors))
    whole = json.loads((args.model / "config.json").read_text(encoding="utf-8"))
    config = {name: whole[name] for name in KEPT if name in whole}
    write_file(args.out / "config.json", json.dumps(config, indent=1))
    for name in ("tokenizer.json", "nano.json"):
        write_file(args.out / name, (args.model / name).read_bytes())
    NanoModel(args.out)  # it can be read
    for file in sorted(args.out.iterdir()):
        print(f"{file.stat().st_size / 1e6:6.2f} MB  {file.name}")


if __name__ == "__main__":
    main()
