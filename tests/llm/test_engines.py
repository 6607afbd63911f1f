"""From settings and keys to the model that answers, and ``autoglm llm check``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fault_server import ANSWER, serving

from autoglm.cli import main
from autoglm.core.config import Settings, resolve
from autoglm.core.errors import ConfigError
from autoglm.core.events import Event, subscribe
from autoglm.llm.account import Price
from autoglm.llm.cache import CachedModel
from autoglm.llm.contract import Request, as_messages
from autoglm.llm.engines import GLM_CLOUD, GLM_DEFAULT, open_model, price_of
from autoglm.llm.http import HttpModel
from autoglm.llm.nano.engine import NanoModel

KEYS = {"OPENAI_API_KEY": "sk-open", "ZHIPUAI_API_KEY": "zhipu.secret"}


@pytest.mark.parametrize(
    ("settings", "keys", "name", "url", "key"),
    [
        ({}, {"ZHIPUAI_API_KEY": "z"}, GLM_DEFAULT, GLM_CLOUD, "z"),
        ({"llm": "glm-4.6"}, KEYS, "glm-4.6", GLM_CLOUD, "zhipu.secret"),
        ({"llm": "gpt-x"}, KEYS, "gpt-x", "https://api.openai.com/v1", "sk-open"),
        ({"llm": "glm-x", "llm_base_url": "http://h/v1"}, KEYS, "glm-x", "http://h/v1", "sk-open"),
        ({"llm": "q"}, {"OPENAI_BASE_URL": "http://h/v1"}, "q", "http://h/v1", ""),
    ],
)  # fmt: skip
def test_name_and_keys_say_where(
    settings: dict[str, Any], keys: dict[str, str], name: str, url: str, key: str
) -> None:
    model = open_model(Settings(**settings), environ=keys)
    assert isinstance(model, HttpModel)
    assert (model.name, model.options.base_url, model.options.key) == (name, url, key)


@pytest.mark.parametrize(
    "url", ["http://elsewhere.example/z.ai/v1", "https://bigmodel.cn.elsewhere.example/v4"]
)
def test_a_key_goes_to_its_own_service_alone(url: str) -> None:
    model = open_model(Settings(llm="glm-4.6", llm_base_url=url), environ=KEYS)
    assert isinstance(model, HttpModel)
    assert model.options.key == "sk-open"


def test_a_file_in_a_working_folder_cannot_say_where_keys_go(tmp_path: Path) -> None:
    (tmp_path / "autoglm.toml").write_text('llm_base_url = "http://elsewhere/v1"\n', "utf-8")
    with pytest.raises(ConfigError, match="your key would be sent there"):
        resolve(folder=tmp_path, environ={})


def test_a_user_file_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "autoglm").mkdir()
    text = 'llm_base_url = "http://here/v1"\n'
    (tmp_path / "autoglm" / "autoglm.toml").write_text(text, "utf-8")
    assert (
        resolve(folder=tmp_path / "autoglm", environ={}).settings.llm_base_url == "http://here/v1"
    )


@pytest.mark.parametrize(("name", "key"), [("glm-4.6", "ZHIPUAI"), ("gpt-x", "OPENAI")])
def test_a_missing_key_is_named(name: str, key: str) -> None:
    with pytest.raises(ConfigError, match=f"Set {key}_API_KEY"):
        open_model(Settings(llm=name), environ={})


def test_a_service_without_the_name_of_a_model_says_what_to_set() -> None:
    with pytest.raises(ConfigError, match="--llm"):
        open_model(Settings(), environ=KEYS | {"OPENAI_BASE_URL": "http://h/v1"})


@pytest.mark.parametrize("name", ["auto", "glm-nano", "glm-large"])
def test_without_a_service_the_model_of_the_package_answers(name: str) -> None:
    seen: list[Event] = []
    with subscribe(seen.append):
        model = open_model(Settings(llm=name), environ={"OPENAI_API_KEY": "sk"})
    assert isinstance(model, NanoModel)
    assert (model.name, model.prompt_set) == ("glm-nano", "nano")
    told = [(e.name, e.data) for e in seen]
    stood_in = [("model_stands_in", {"wanted": "glm-large", "used": "glm-nano"})]
    assert told == (stood_in if name == "glm-large" else [])
    away = open_model(Settings(llm="glm-large", llm_base_url="http://h/v1"), environ={})
    assert isinstance(away, HttpModel)


def test_a_price_and_a_cache_are_settings(tmp_path: Path) -> None:
    settings = Settings(llm="q", llm_price="0.6 / 2.2 cny", llm_cache=str(tmp_path / "c.sqlite"))
    assert price_of(settings) == Price(0.6, 2.2, "CNY")
    assert isinstance(open_model(settings, environ=KEYS), CachedModel)
    with pytest.raises(ValueError, match="a million tokens"):
        Settings(llm_price="cheap")


def test_a_script_of_answers_is_a_model(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text('"10元"\n\n{"text": "10", "reasoning": "6/3=2"}\n', encoding="utf-8")
    model = open_model(Settings(llm=f"scripted:{path}"), environ={})
    asked = Request(as_messages("?"))
    assert [model.generate(asked).text for _ in range(2)] == ["10元", "10"]
    for bad in ("[1]", "{", '{"answer": 1}', '{"text": 5}', "[" * 100_000):
        path.write_text(bad, encoding="utf-8")
        with pytest.raises(ConfigError, match=r"answers\.jsonl"):
            open_model(Settings(llm=f"scripted:{path}"), environ={})


def test_check_says_who_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOGLM_LLM_PRICE", "1/2 CNY")
    with serving() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        assert main(["llm", "check", "--llm", "m", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["answer"] == ANSWER
        assert found["cost"] == pytest.approx(
            (found["prompt_tokens"] + 2 * found["completion_tokens"]) / 1e6
        )
        assert 0 < found["first_token_s"] <= found["seconds"]
        server.script = ["401"]
        assert main(["llm", "check", "--llm", "m", "--json"]) == 12
        assert json.loads(capsys.readouterr().out)["error"] == "model"
