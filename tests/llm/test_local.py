"""Models that `transformers` runs in this process, and those that are not safe to load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_glm import make_glm, need_transformers

from autoglm.core.config import Settings
from autoglm.core.errors import BudgetError, BundleError, MissingDependency, ModelError
from autoglm.llm.account import Account
from autoglm.llm.contract import Message, Request, Sampling, as_messages
from autoglm.llm.engines import open_model
from autoglm.llm.local import LocalModel
from autoglm.llm.nano.engine import NanoModel

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the Hub has it, with a chat template."""
    need_transformers()
    from transformers import PreTrainedTokenizerFast

    made = tmp_path_factory.mktemp("local") / "tiny-glm"
    made.mkdir()
    make_glm(made)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(made / "tokenizer.json"), eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
    )  # fmt: skip
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(made)
    return made


@pytest.fixture(scope="module")
def model(folder: Path) -> LocalModel:
    return LocalModel(str(folder))


REQUEST = Request(as_messages("3个苹果6元"), Sampling(max_tokens=20))


def test_it_writes_what_transformers_generates(model: LocalModel, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    reference = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": "3个苹果6元"}], add_generation_prompt=True, return_dict=False
    )
    assert model.tokens_of(REQUEST.messages) == list(ids)
    with torch.no_grad():
        out = reference.generate(torch.tensor([list(ids)]), max_new_tokens=20, do_sample=False)
    expected = tokenizer.decode(out[0, len(ids) :], skip_special_tokens=True)
    reply = model.generate(REQUEST)
    assert reply.text == expected
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (
        len(ids), out.shape[1] - len(ids),
    )  # fmt: skip


def test_pieces_make_the_whole_and_draws_have_a_number(model: LocalModel) -> None:
    drawn = Request(REQUEST.messages, Sampling(max_tokens=20, temperature=1.0))
    deltas = list(model.stream(drawn))
    assert deltas[-1].reply is not None
    assert "".join(d.text for d in deltas) == deltas[-1].reply.text == model.generate(drawn).text
    assert model.generate(drawn.with_sample(1)).text != deltas[-1].reply.text


def test_a_stop_text_ends_an_answer(model: LocalModel) -> None:
    whole = model.generate(REQUEST).text
    cut = model.generate(Request(REQUEST.messages, Sampling(max_tokens=20, stop=(whole[4:6],))))
    assert cut.text == whole[: whole.find(whole[4:6])]
    assert cut.finish == "stop"


def test_a_reader_that_leaves_stops_it(model: LocalModel) -> None:
    stream = model.stream(Request(REQUEST.messages, Sampling(max_tokens=400)))
    next(stream)
    stream.close()
    assert model.generate(REQUEST).text  # the model is free again


def test_tokens_are_paid_and_too_long_a_prompt_is_told(folder: Path) -> None:
    account = Account(tokens=100)
    model = LocalModel(str(folder), account=account)
    reply = model.generate(REQUEST)
    assert reply.usage is not None and account.spent.tokens == reply.usage.total
    with pytest.raises(BudgetError):
        model.generate(Request(REQUEST.messages, Sampling(max_tokens=1000)))


def test_scores_and_vectors(model: LocalModel) -> None:
    found = model.score("3 + 4 =", [" 7", " 77"])
    assert [len(f) >= 1 for f in found] == [True, True]
    assert all(p < 0 for f in found for p in f)
    vectors = model.embed(["苹果", "苹果", "train"])
    assert vectors.shape == (3, 64)
    assert float(vectors[0] @ vectors[1]) == pytest.approx(1.0, abs=1e-5)


def test_an_assistants_turn_is_gone_on_with(model: LocalModel) -> None:
    turns = (Message("user", "?"), Message("assistant", "6 / 3"))
    goes_on = model.tokens_of(turns)
    fresh = model.tokens_of((*turns[:1],))
    assert len(goes_on) > len(fresh)
    assert goes_on[-1] != fresh[-1]


def test_a_name_of_ours_or_of_the_hub(folder: Path) -> None:
    assert isinstance(open_model(Settings(llm=str(folder)), environ={}), NanoModel)
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_model(Settings(llm="local:nobody/nothing-of-the-kind"), environ={})


def changed(folder: Path, to: Path, **values: Any) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (to / "config.json").write_text(json.dumps(config | values), encoding="utf-8")
    return to


def test_a_folder_that_numpy_cannot_run_is_run_by_transformers(
    folder: Path, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    halved = changed(folder, tmp_path / "halved", dtype="bfloat16")
    halves = {n: t.to(torch.bfloat16) for n, t in load_file(folder / "model.safetensors").items()}
    save_file(halves, halved / "model.safetensors", {"format": "pt"})
    model = open_model(Settings(llm=str(halved)), environ={})
    assert isinstance(model, LocalModel)
    assert model.generate(REQUEST).usage is not None


def test_code_of_a_model_is_never_run(folder: Path, tmp_path: Path) -> None:
    bad = changed(
        folder, tmp_path / "code", model_type="own",
        auto_map={"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"},
    )  # fmt: skip
    (bad / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')", encoding="utf-8")
    with pytest.raises(ModelError, match="cannot be loaded"):
        LocalModel(str(bad))
    assert not (tmp_path / "ran").exists()


def test_pickled_weights_are_never_loaded(folder: Path, tmp_path: Path) -> None:
    bad = changed(folder, tmp_path / "pickled")
    (bad / "model.safetensors").unlink()
    (bad / "pytorch_model.bin").write_bytes(b"\x80\x04cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(ModelError, match="cannot be loaded"):
        LocalModel(str(bad))


def test_a_damaged_nano_is_said_to_be_damaged(folder: Path, tmp_path: Path) -> None:
    bad = changed(folder, tmp_path / "nano", hidden_size=65)
    (bad / "nano.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BundleError):
        open_model(Settings(llm=str(bad)), environ={})


def test_without_the_extra_it_says_which_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependency, match=r"open-autoglm\[llm\]"):
        LocalModel(str(tmp_path))
