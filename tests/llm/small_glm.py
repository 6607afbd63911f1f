"""A small GLM with random weights, as `transformers` saves it, and a small tokenizer."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from autoglm.llm.nano.engine import SPECIAL
from autoglm.llm.nano.tokenizer import PATTERN, byte_characters

PAGE = """如果3个苹果等于6元,那么5个苹果多少钱? 每个苹果 6 / 3 = 2 元, 5 个苹果 2 * 5 = 10 元。
A shirt costs $20 and is 25% off; how much is it now? 20 * 25 / 100 = 5, and 20 - 5 = 15 dollars.
小明有12本书,送给小红4本,还剩几本? 12 - 4 = 8 本。How many are left? 12 - 4 = 8 books are left.
""" * 5  # fmt: skip


def need_transformers() -> None:
    """Skip at home, and fail in CI, without transformers, which then asks no network."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if all(importlib.util.find_spec(n) for n in ("transformers", "torch", "tokenizers")):
        return
    if os.environ.get("CI"):
        pytest.fail("transformers is not installed: make llm")
    pytest.skip("transformers is not installed: make llm")


def train_tokenizer(path: Path, size: int = 400) -> Any:
    """Train and save a tokenizer of the kind that is understood."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), show_progress=False,
        initial_alphabet=sorted(byte_characters().values()),
    )  # fmt: skip
    made.train_from_iterator([PAGE], trainer)
    made.save(str(path))
    return made


def make_glm(folder: Path, *, tied: bool = False, seed: int = 0) -> Any:
    """Save a random GLM in a folder and return it as `transformers` has it."""
    import torch
    from transformers import GlmConfig, GlmForCausalLM

    size = train_tokenizer(folder / "tokenizer.json").get_vocab_size()
    torch.manual_seed(seed)
    config = GlmConfig(
        vocab_size=size, hidden_size=64, intermediate_size=176, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, head_dim=16, max_position_embeddings=512,
        pad_token_id=0, eos_token_id=[0, 5, 7], tie_word_embeddings=tied, initializer_range=0.15,
    )  # fmt: skip
    model = GlmForCausalLM(config).eval()
    for name, weight in model.named_parameters():
        if weight.dim() == 1:  # norms and biases of a trained network are not all alike
            torch.nn.init.normal_(weight, 1.0 if "norm" in name else 0.0, 0.2)
    model.save_pretrained(folder, safe_serialization=True)
    return model
