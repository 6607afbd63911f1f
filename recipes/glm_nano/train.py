"""Train glm-nano from nothing: tokenizer, network, three modes; resumable at any moment.

    python recipes/glm_nano/train.py --data DATA --out DIR [--hours 2] [--size small]

What is written to DIR is a folder as the Hub has it (``config.json``, ``model.safetensors``,
``tokenizer.json``) with ``nano.json`` beside it, and the state of the training in one safetensors
file. A training that was killed goes on from its last state, a few minutes back at the most.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import corpus
import families
import scenes
import sets
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from transformers import GlmConfig, GlmForCausalLM

from autoglm.core.files import write_file
from autoglm.llm.nano.engine import SPECIAL
from autoglm.llm.nano.tokenizer import PATTERN, byte_characters

#: Network, optimizer and draws in one file, so that they always belong together.
STATE = "state.safetensors"
#: The output layer, which is the embedding.
TIED = "lm_head.weight"
#: Of the problems of a set, one in so many is kept for validation.
HELD_OUT = 12
#: Examples that are sorted by length at a time, so that batches have little padding.
POOL = 2048
#: How often a set is drawn from, beside the others; those not named count 1.
DRAWN = {"mawps": 2.0, "math23k": 4.0, "gsm8k": 2.5}
#: Shares of the kinds of made-up problems.
MADE = {"chain": 0.12, "family": 0.15, "scene": 0.65, "arithmetic": 0.08}
#: Sets whose licence allows weights that were trained on them to be passed on.
SHIPPED = ("mawps", "math23k", "gsm8k")


@dataclass(frozen=True)
class Size:
    """Numbers of a network."""

    hidden: int
    inner: int
    layers: int
    heads: int
    groups: int
    vocabulary: int


SIZES = {
    "tiny": Size(64, 176, 2, 4, 2, 1200),
    "small": Size(256, 704, 6, 8, 4, 3000),
    "base": Size(320, 880, 8, 8, 4, 4000),
}


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Attributes
    ----------
    tokens
        Of a batch, padding included.
    rate
        Highest learning rate, after `warm` steps; it falls to a twentieth along a cosine.
    dropout
        Of the attention.
    decay
        Of the weights.
    question
        Weight of the question's own tokens in the loss; the answer's have 1.
    made
        Share of made-up problems among those drawn.
    modes
        Shares of the three modes.
    bf16
        Whether products are computed in bfloat16, half as fast again on processors that have it.
    """

    tokens: int = 4096
    rate: float = 2e-3
    warm: int = 300
    dropout: float = 0.1
    decay: float = 0.1
    question: float = 0.1
    made: float = 0.55
    modes: tuple[float, float, float] = (0.6, 0.3, 0.1)
    bf16: bool = True


class Mixture:
    """Examples without end: real problems in all modes, made-up ones of growing depth."""

    def __init__(self, real: Sequence[sets.Problem], recipe: Recipe, seed: int) -> None:
        self._recipe = recipe
        self._real: dict[str, list[sets.Problem]] = {}
        for one in real:
            self._real.setdefault(one.source, []).append(one)
        self._weights = [DRAWN.get(name, 1.0) for name in self._real]
        self._draw = random.Random(seed)
        self._made = families.problems(self._draw)

    def __iter__(self) -> Iterator[corpus.Example]:
        while True:
            mode = self._draw.choices(corpus.MODES, self._recipe.modes)[0]
            problem = self._problem()
            if problem.source == "arithmetic":
                mode = "steps"  # as a program it has nothing to learn: marks are computed
            found = corpus.example(problem, mode, self._draw)
            if found is not None:
                yield found

    def _problem(self) -> sets.Problem:
        if self._draw.random() >= self._recipe.made and self._real:
            source = self._draw.choices(list(self._real), self._weights)[0]
            return self._draw.choice(self._real[source])
        kind = self._draw.choices(list(MADE), list(MADE.values()))[0]
        if kind == "chain":
            return families.chain(self._draw, self._draw.randint(1, 6))
        if kind == "arithmetic":
            return families.arithmetic(self._draw)
        return next(self._made) if kind == "family" else scenes.scene(self._draw)

    def state(self) -> list[Any]:
        """Return the state of the draws as JSON values."""
        version, words, gauss = self._draw.getstate()
        return [version, list(words), gauss]

    def go_on(self, state: list[Any]) -> None:
        """Take up the draws where they were."""
        self._draw.setstate((state[0], tuple(state[1]), state[2]))


def real_problems(
    data: Path, names: Sequence[str]
) -> tuple[list[sets.Problem], list[sets.Problem]]:
    """Return the problems to learn from and those held out, by a fixed rule."""
    learned, held = [], []
    for name, found in sets.training(data).items():
        if name in names:
            for number, one in enumerate(found.problems):
                (held if number % HELD_OUT == 0 else learned).append(one)
    return learned, held


def make_tokenizer(examples: Sequence[corpus.Example], size: int, path: Path) -> Tokenizer:
    """Train a byte-level tokenizer on examples and save it."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), show_progress=False,
        initial_alphabet=sorted(byte_characters().values()), max_token_length=12,
    )  # fmt: skip
    texts = (f"\n{e.mode}\n{e.question}\n{e.answer}" for e in examples)
    made.train_from_iterator(texts, trainer)
    write_file(path, made.to_str())
    return made


@dataclass
class Batch:
    """Rows of tokens, and the weight of each as something to be predicted."""

    tokens: torch.Tensor
    weights: torch.Tensor


class Encoder:
    """Examples to rows of tokens."""

    def __init__(self, tokenizer: Tokenizer, question: float) -> None:
        self._tokenizer, self._question = tokenizer, question
        self._special = {text: tokenizer.token_to_id(text) for text in SPECIAL}

    def prompt(self, example: corpus.Example) -> list[int]:
        """Return the tokens up to where the answer begins."""
        one = self._special
        return [
            one["[gMASK]"], one["<sop>"], one["<|system|>"], *self._text("\n" + example.mode),
            one["<|user|>"], *self._text("\n" + example.question),
            one["<|assistant|>"], *self._text("\n"),
        ]  # fmt: skip

    def row(self, example: corpus.Example) -> tuple[list[int], list[float]]:
        """Return tokens and weights of a whole example."""
        before = self.prompt(example)
        after = [*self._text(example.answer), self._special["<|endoftext|>"]]
        return before + after, [self._question] * len(before) + [1.0] * len(after)

    def _text(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def batches(examples: Iterator[corpus.Example], encoder: Encoder, tokens: int) -> Iterator[Batch]:
    """Yield batches of rows of about the same length."""
    while True:
        rows = sorted((encoder.row(next(examples)) for _ in range(POOL)), key=lambda r: len(r[0]))
        groups: list[list[tuple[list[int], list[float]]]] = [[]]
        for row in rows:
            if (len(groups[-1]) + 1) * len(row[0]) > tokens and groups[-1]:
                groups.append([])
            groups[-1].append(row)
        random.Random(len(rows[0][0])).shuffle(groups)
        yield from map(padded, groups)


def padded(rows: Sequence[tuple[list[int], list[float]]]) -> Batch:
    """Return rows as one batch, filled up to the longest."""
    width = max(len(tokens) for tokens, _ in rows)
    found = torch.zeros((len(rows), width), dtype=torch.long)
    weights = torch.zeros((len(rows), width))
    for at, (tokens, given) in enumerate(rows):
        found[at, : len(tokens)] = torch.tensor(tokens)
        weights[at, : len(given)] = torch.tensor(given)
    return Batch(found, weights)


def new_network(size: Size, recipe: Recipe, vocabulary: int, seed: int) -> GlmForCausalLM:
    """Return a network with random weights."""
    torch.manual_seed(seed)
    config = GlmConfig(
        vocab_size=vocabulary, hidden_size=size.hidden, intermediate_size=size.inner,
        num_hidden_layers=size.layers, num_attention_heads=size.heads,
        num_key_value_heads=size.groups, head_dim=size.hidden // size.heads,
        max_position_embeddings=1024, pad_token_id=0, eos_token_id=[0, 5, 7],
        tie_word_embeddings=True, attention_dropout=recipe.dropout,
    )  # fmt: skip
    return GlmForCausalLM(config)


def loss_of(network: GlmForCausalLM, batch: Batch) -> torch.Tensor:
    """Return the weighted loss of a batch."""
    logits = network(batch.tokens[:, :-1]).logits.float()
    wanted, weights = batch.tokens[:, 1:], batch.weights[:, 1:]
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), wanted.flatten(), reduction="none"
    )
    return (losses * weights.flatten()).sum() / weights.sum()


def rate_at(done: float, recipe: Recipe, step: int) -> float:
    """Return the learning rate after a share of the time."""
    warm = min(1.0, (step + 1) / recipe.warm)
    return recipe.rate * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


class Training:
    """A training and its state on the disk."""

    def __init__(self, out: Path, args: argparse.Namespace, recipe: Recipe) -> None:
        self.out, self.args, self.recipe = out, args, recipe
        learned, _ = real_problems(args.data, args.sets)
        self.mixture = Mixture(learned, recipe, args.seed)
        path = out / "tokenizer.json"
        if not path.exists():
            out.mkdir(parents=True, exist_ok=True)
            sample = Mixture(learned, recipe, args.seed + 1)
            texts = [e for e, _ in zip(sample, range(args.tokenizer_rows), strict=False)]
            make_tokenizer(texts, SIZES[args.size].vocabulary, path)
        self.tokenizer = Tokenizer.from_file(str(path))
        self.encoder = Encoder(self.tokenizer, recipe.question)
        self.network = new_network(
            SIZES[args.size], recipe, self.tokenizer.get_vocab_size(), args.seed
        )
        grouped = [
            {"params": [p for p in self.network.parameters() if p.dim() > 1],
             "weight_decay": recipe.decay},
            {"params": [p for p in self.network.parameters() if p.dim() == 1], "weight_decay": 0.0},
        ]  # fmt: skip
        self.optimizer = torch.optim.AdamW(grouped, lr=recipe.rate, betas=(0.9, 0.98), fused=True)
        self.step, self.seconds = 0, 0.0
        self._resume()

    def run(self) -> None:
        """Train until the time is up."""
        limit = 3600 * self.args.hours
        self.network.train()
        started = last_saved = last_told = time.monotonic()
        before, seen, losses = self.seconds, 0, []
        for batch in batches(iter(self.mixture), self.encoder, self.recipe.tokens):
            self.seconds = before + time.monotonic() - started
            if self.seconds >= limit:
                break
            for group in self.optimizer.param_groups:
                group["lr"] = rate_at(self.seconds / limit, self.recipe, self.step)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bf16):
                loss = loss_of(self.network, batch)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.step += 1
            seen += int((batch.weights > 0).sum())
            losses.append(float(loss.detach()))
            now = time.monotonic()
            if now - last_told > self.args.tell:
                speed = seen / (now - started)
                print(f"{self.seconds:6.0f} s  step {self.step}  loss {mean(losses[-100:]):.4f}  "
                      f"{speed:.0f} tokens/s", flush=True)  # fmt: skip
                last_told = now
            if now - last_saved > self.args.save:
                self.save()
                last_saved = time.monotonic()
        self.save()

    def save(self) -> None:
        """Write the state, then the model; a kill at any moment leaves the last state whole."""
        from safetensors.torch import save

        tensors = {f"model.{n}": t for n, t in self.network.state_dict().items() if n != TIED}
        for number, state in self.optimizer.state_dict()["state"].items():
            parts = {f"optimizer.{number}.{n}": torch.as_tensor(v) for n, v in state.items()}
            tensors |= parts
        facts = {"step": self.step, "seconds": self.seconds, "draws": self.mixture.state()}
        kept = save(tensors, metadata={"training": json.dumps(facts)})
        write_file(self.out / STATE, kept)
        weights = {n: t for n, t in self.network.state_dict().items() if n != TIED}
        write_file(self.out / "model.safetensors", save(weights, metadata={"format": "pt"}))
        write_file(self.out / "config.json", self.network.config.to_json_string())
        about = {"prompts": "nano", "recipe": asdict(self.recipe), "sets": list(self.args.sets),
                 "seed": self.args.seed, "hours": self.args.hours, "step": self.step,
                 "seconds": self.seconds}  # fmt: skip
        write_file(self.out / "nano.json", json.dumps(about, indent=1))

    def _resume(self) -> None:
        from safetensors import safe_open

        if not (self.out / STATE).exists():
            return
        with safe_open(self.out / STATE, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts = json.loads(file.metadata()["training"])
        weights = {
            n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")
        }
        self.network.load_state_dict(weights, strict=False)
        self.network.tie_weights()
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, number, key = name.split(".", 2)
                state.setdefault(int(number), {})[key] = tensor
        whole = self.optimizer.state_dict()
        self.optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
        self.step, self.seconds = facts["step"], facts["seconds"]
        self.mixture.go_on(facts["draws"])
        print(f"going on from step {self.step}", flush=True)


def mean(values: Sequence[float]) -> float:
    """Return the mean of some numbers."""
    return sum(values) / max(1, len(values))


def main() -> None:
    """Train as the options say."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the public sets")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--sets", nargs="*", default=SHIPPED)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tokenizer-rows", type=int, default=40_000)
    parser.add_argument("--tell", type=float, default=20.0, help="seconds between two lines")
    parser.add_argument("--save", type=float, default=240.0, help="seconds between two states")
    parser.add_argument("--recipe", type=json.loads, default={}, help="JSON of changed numbers")
    args = parser.parse_args()
    Training(args.out, args, Recipe(**args.recipe)).run()


if __name__ == "__main__":
    main()
