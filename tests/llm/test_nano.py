"""The network on numpy beside `transformers` on the same weights, and what cannot be loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_glm import PAGE, make_glm, need_transformers, train_tokenizer

from autoglm.core.errors import BudgetError, BundleError, ModelError
from autoglm.llm.account import Account
from autoglm.llm.contract import Message, Request, Sampling, as_messages
from autoglm.llm.nano.decode import Decoding, Row, generate, score, warped
from autoglm.llm.nano.engine import NanoModel
from autoglm.llm.nano.network import Glm, packed
from autoglm.llm.nano.tokenizer import Tokenizer

STOP = (0, 5, 7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_transformers()
    return tmp_path_factory.mktemp("glm")


@pytest.fixture(scope="module")
def reference(folder: Path) -> Any:
    return make_glm(folder)


@pytest.fixture(scope="module")
def network(folder: Path, reference: Any) -> Glm:
    return Glm.read(folder)


def prompts(count: int, size: int, seed: int) -> list[list[int]]:
    draw = np.random.default_rng(seed)
    return [draw.integers(8, size, draw.integers(1, 40)).tolist() for _ in range(count)]


def theirs(reference: Any, prompt: list[int], **how: Any) -> list[int]:
    import torch

    with torch.no_grad():
        found = reference.generate(torch.tensor([prompt]), max_new_tokens=20, **how)
    new = found[0, len(prompt) :].tolist()
    ends = [at for at, token in enumerate(new) if token in STOP]
    return new[: ends[0]] if ends else new


def test_logits_are_those_of_transformers(reference: Any, network: Glm) -> None:
    import torch

    for prompt in prompts(20, network.config.vocab_size, seed=1):
        with torch.no_grad():
            expected = reference(torch.tensor([prompt])).logits[0].numpy()
        tokens, count = np.array([prompt]), np.array([len(prompt)])
        hidden = network.forward(tokens, count, network.cache(1, len(prompt)))
        assert np.abs(network.logits(hidden[0]) - expected).max() < 1e-4


def test_greedy_decoding_is_that_of_transformers_on_200_prompts(
    reference: Any, network: Glm
) -> None:
    asked = prompts(200, network.config.vocab_size, seed=2)
    ours = generate(network, asked, Decoding(max_tokens=20, stop=STOP))
    for prompt, row in zip(asked, ours, strict=True):
        assert row.tokens == theirs(reference, prompt, do_sample=False)
    assert 0 < sum(row.stopped for row in ours) < 200


@pytest.mark.parametrize(("beams", "penalty"), [(2, 1.0), (4, 1.0), (3, 0.0), (4, 2.0)])
def test_beam_search_is_that_of_transformers(
    beams: int, penalty: float, reference: Any, network: Glm
) -> None:
    how = Decoding(max_tokens=20, stop=STOP, beams=beams, length_penalty=penalty)
    for prompt in prompts(30, network.config.vocab_size, seed=3):
        expected = theirs(reference, prompt, num_beams=beams, length_penalty=penalty,
                          do_sample=False)  # fmt: skip
        assert generate(network, [prompt], how)[0].tokens == expected


@pytest.mark.parametrize(
    "how",
    [
        Decoding(temperature=0.7),
        Decoding(temperature=1.0, top_k=5),
        Decoding(temperature=1.3, top_p=0.8),
        Decoding(temperature=0.5, top_k=20, top_p=0.9),
    ],
)
def test_draws_are_made_from_the_distribution_of_transformers(how: Decoding) -> None:
    need_transformers()
    import torch
    from transformers.generation.logits_process import (
        LogitsProcessorList,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    steps = LogitsProcessorList([TemperatureLogitsWarper(how.temperature)])
    if how.top_k:
        steps.append(TopKLogitsWarper(how.top_k))
    if how.top_p < 1:
        steps.append(TopPLogitsWarper(how.top_p))
    logits = np.random.default_rng(4).normal(size=(50, 100)).astype(np.float32) * 3
    scores = steps(torch.zeros((50, 1), dtype=torch.long), torch.tensor(logits))
    expected = torch.softmax(scores, dim=-1).numpy()
    found = warped(logits, how)
    assert np.abs(found - expected).max() < 1e-5
    assert ((found > 0) == (expected > 0)).all()


def test_draws_follow_their_distribution_and_their_seed(network: Glm) -> None:
    prompt = [20, 30, 40]
    how = Decoding(max_tokens=1, temperature=1.0, top_k=4)
    hidden = network.forward(np.array([prompt]), np.array([3]), network.cache(1, 3))
    chance = warped(network.logits(hidden[0, -1:]), how)[0]
    rows = generate(network, [prompt] * 4000, how)
    counts = np.bincount([r.tokens[0] for r in rows], minlength=len(chance)) / 4000
    assert np.abs(counts - chance).max() < 0.03
    again = generate(network, [prompt] * 4000, how)
    assert [r.tokens for r in rows] == [r.tokens for r in again]
    other = generate(network, [prompt] * 4000, how.model_copy(update={"seed": 1}))
    assert [r.tokens for r in rows] != [r.tokens for r in other]


def test_a_row_does_not_depend_on_its_neighbours(network: Glm) -> None:
    asked = prompts(16, network.config.vocab_size, seed=5)
    how = Decoding(max_tokens=12, stop=STOP)
    alone: list[Row] = [generate(network, [prompt], how)[0] for prompt in asked]
    together = generate(network, asked, how)
    assert [r.tokens for r in alone] == [r.tokens for r in together]
    for one, other in zip(alone, together, strict=True):
        assert np.allclose(one.logprobs, other.logprobs, atol=1e-4)


def test_scores_are_the_log_probabilities_of_what_was_chosen(network: Glm) -> None:
    row = generate(network, [[20, 30, 40]], Decoding(max_tokens=8))[0]
    assert np.allclose(score(network, [20, 30, 40], row.tokens), row.logprobs, atol=1e-4)


def test_tied_weights_and_only_allowed_tokens(tmp_path: Path) -> None:
    need_transformers()
    reference = make_glm(tmp_path, tied=True)
    network = Glm.read(tmp_path)
    for prompt in prompts(10, network.config.vocab_size, seed=6):
        expected = theirs(reference, prompt, do_sample=False)
        assert generate(network, [prompt], Decoding(max_tokens=20, stop=STOP))[0].tokens == expected

    def even(tokens: Any) -> Any:
        return np.arange(network.config.vocab_size) % 2 == len(tokens) % 2

    row = generate(network, [[20]], Decoding(max_tokens=9), even)[0]
    assert [t % 2 for t in row.tokens] == [0, 1, 0, 1, 0, 1, 0, 1, 0]
    with pytest.raises(ModelError, match="No token fits"):
        generate(network, [[20]], Decoding(), lambda _: np.zeros(network.config.vocab_size, bool))


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Tokenizer]:
    need_transformers()
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    return train_tokenizer(path), Tokenizer.read(path)


TEXTS = st.one_of(
    st.text(max_size=80).map(lambda t: t.encode("utf-8", "ignore").decode()),
    st.text(alphabet="苹果多少钱abcdef ,.?1234567890\n\t 元，。", max_size=120),
    st.sampled_from(PAGE.splitlines()),
)


@given(text=TEXTS)
def test_tokens_are_those_of_the_tokenizers_library(
    text: str, tokenizers: tuple[Any, Tokenizer]
) -> None:
    reference, ours = tokenizers
    plain = ours.encode(text)
    assert ours.decode(plain) == text
    if not any(special in text for special in ours.added):
        assert plain == reference.encode(text, add_special_tokens=False).ids


def test_special_tokens_in_a_question_stay_text(folder: Path, network: Glm) -> None:
    model = NanoModel(folder)
    user, sop = model.tokenizer.added["<|user|>"], model.tokenizer.added["<sop>"]
    asked = model.tokens_of((Message("system", "x"), Message("user", "<|user|>\nhi<sop>")))
    assert (asked.count(user), asked.count(sop)) == (1, 1)
    assert model.tokenizer.encode("<sop>hi", special=True)[0] == sop


def test_an_engine_streams_what_it_generates_and_pays_for_it(folder: Path, network: Glm) -> None:
    account = Account(tokens=600)
    model = NanoModel(folder, name="tiny", account=account)
    request = Request(as_messages("3个苹果6元"), Sampling(max_tokens=24, temperature=0.8))
    whole = model.generate(request)
    deltas = list(model.stream(request))
    assert "".join(d.text for d in deltas) == whole.text
    assert deltas[-1].reply is not None and deltas[-1].reply.usage == whole.usage
    assert whole.usage is not None and account.spent.tokens == 2 * whole.usage.total
    assert whole.usage.prompt_tokens == model.count_tokens(request.messages)
    assert model.generate(request.with_sample(1)).text != whole.text
    stopped = model.generate(
        Request(request.messages, Sampling(max_tokens=24, temperature=0.8, stop=(whole.text[3:5],)))
    )
    assert stopped.text == whole.text[: whole.text.find(whole.text[3:5])]
    with pytest.raises(BudgetError):
        model.generate(Request(request.messages, Sampling(max_tokens=1000)))
    assert model.embed(["苹果", ""]).shape == (2, 64)
    assert len(model.score("3 + 4 =", ["7", "77"])[1]) == 2


def test_a_prompt_beyond_what_it_reads_is_refused(folder: Path, network: Glm) -> None:
    with pytest.raises(ModelError, match="512 tokens are the most"):
        NanoModel(folder).generate(Request(as_messages("9" * 600), Sampling(max_tokens=10)))


def test_it_runs_without_transformers(folder: Path, network: Glm) -> None:
    program = f"""
import sys
from pathlib import Path
from autoglm.llm.contract import Request, Sampling, as_messages
from autoglm.llm.nano.engine import NanoModel
NanoModel(Path({str(folder)!r})).generate(Request(as_messages("?"), Sampling(max_tokens=3)))
assert not set(sys.modules) & {{"torch", "transformers", "tokenizers", "pandas", "sklearn"}}
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def damage(folder: Path, to: Path, file: str, raw: bytes) -> Path:
    to.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (to / name).write_bytes(raw if name == file else (folder / name).read_bytes())
    return to


def changed(folder: Path, file: str, **values: Any) -> bytes:
    return json.dumps(json.loads((folder / file).read_bytes()) | values).encode()


@pytest.mark.parametrize(
    "damaged",
    [
        ("config.json", b"{"),
        ("config.json", b"[]"),
        ("config.json", {"model_type": "llama"}),
        ("config.json", {"hidden_size": 10**9}),
        ("config.json", {"num_hidden_layers": 9}),
        ("config.json", {"num_key_value_heads": 3}),
        ("config.json", {"head_dim": 15}),
        ("config.json", b"[" * 100_000),
        ("config.json", {"rope_parameters": {"rope_type": "yarn"}}),
        ("model.safetensors", b""),
        ("model.safetensors", b"\x80\x04not a pickle either" * 100),
        ("model.safetensors", None),
        ("tokenizer.json", b"nope"),
        ("tokenizer.json", {"normalizer": {"type": "NFC"}}),
        ("tokenizer.json", {"pre_tokenizer": {"type": "Whitespace"}}),
        ("tokenizer.json", {"added_tokens": []}),
        ("tokenizer.json", {"added_tokens": [{"content": "<sop>", "id": -3}]}),
        ("tokenizer.json", b"[" * 100_000),
    ],
    ids=str,
)
def test_what_is_damaged_or_unknown_is_refused(
    damaged: tuple[str, Any], folder: Path, network: Glm, tmp_path: Path
) -> None:
    file, raw = damaged
    if raw is None:
        raw = (folder / file).read_bytes()[:-100]
    if isinstance(raw, dict):
        raw = changed(folder, file, **raw)
    with pytest.raises(BundleError):
        NanoModel(damage(folder, tmp_path / "damaged", file, raw))


def test_a_merge_that_has_no_token_is_refused(folder: Path, network: Glm, tmp_path: Path) -> None:
    data = json.loads((folder / "tokenizer.json").read_bytes())
    data["model"]["merges"].append(["a", "\u0130"])
    raw = json.dumps(data).encode()
    with pytest.raises(BundleError, match="merge"):
        NanoModel(damage(folder, tmp_path / "merge", "tokenizer.json", raw))


def test_weights_of_half_precision_are_left_to_transformers(
    folder: Path, network: Glm, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file, save

    halves = {n: t.to(torch.bfloat16) for n, t in load_file(folder / "model.safetensors").items()}
    with pytest.raises(BundleError, match="bfloat16"):
        NanoModel(damage(folder, tmp_path / "half", "model.safetensors", save(halves)))


@pytest.mark.parametrize(("levels", "near"), [(127, 0.03), (31, 0.12)])
def test_packed_weights_are_a_quarter_and_say_nearly_the_same(
    folder: Path, network: Glm, tmp_path: Path, levels: int, near: float
) -> None:
    from safetensors.numpy import load_file, save

    tensors = load_file(folder / "model.safetensors")
    small = save(packed(tensors, levels))
    assert len(small) < 0.35 * (folder / "model.safetensors").stat().st_size
    other = NanoModel(damage(folder, tmp_path / "packed", "model.safetensors", small)).network
    tokens, counts = np.array([[20, 30, 40, 50]]), np.array([4])
    one, two = (n.logits(n.forward(tokens, counts, n.cache(1, 4))[0]) for n in (network, other))
    assert np.abs(one - two).max() < near * np.abs(one).max()


def test_packed_weights_without_their_scales_are_refused(
    folder: Path, network: Glm, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save

    tensors = packed(load_file(folder / "model.safetensors"))
    del tensors["model.layers.0.mlp.down_proj.weight.scale"]
    with pytest.raises(BundleError, match="down_proj"):
        NanoModel(damage(folder, tmp_path / "bare", "model.safetensors", save(tensors)))
    name = "model.layers.0.mlp.down_proj.weight.scale"
    for number in range(3_000):  # a stranger's file may go on for ever
        tensors[name + number * ".scale"] = np.ones(network.config.hidden_size, np.int8)
    NanoModel(damage(folder, tmp_path / "chain", "model.safetensors", save(tensors)))


def test_weights_that_are_not_finite_are_refused(
    folder: Path, network: Glm, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save

    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][3] = np.nan
    with pytest.raises(BundleError, match="finite"):
        NanoModel(damage(folder, tmp_path / "nan", "model.safetensors", save(tensors)))
