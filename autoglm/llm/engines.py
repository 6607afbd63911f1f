"""From a name and the settings to a language model."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs

from autoglm.core.config import PRICE, Settings
from autoglm.core.errors import ConfigError
from autoglm.core.events import emit
from autoglm.core.text import say
from autoglm.llm.account import Account, Price
from autoglm.llm.cache import CachedModel, reply_from_dict
from autoglm.llm.contract import LanguageModel
from autoglm.llm.scripted import Scripted, ScriptedModel
from autoglm.llm.wire import dialect_of

#: The model that is part of the package, and the names it answers to where no service is set.
EMBEDDED = Path(__file__).with_name("nano") / "glm-nano"
EMBEDDED_NAMES = ("glm-nano", "glm-large")
GLM_CLOUD = "https://open.bigmodel.cn/api/paas/v4"
OPENAI = "https://api.openai.com/v1"
#: What "auto" takes on the GLM cloud.
GLM_DEFAULT = "glm-4.5-flash"
_GLM = re.compile(r"(glm|chatglm|charglm|codegeex)-", re.IGNORECASE)


def open_model(
    settings: Settings,
    *,
    name: str | None = None,
    account: Account | None = None,
    environ: Mapping[str, str] | None = None,
) -> LanguageModel:
    """Return the language model that the settings name.

    Parameters
    ----------
    settings
        The fields that begin with ``llm``.
    name
        Instead of the setting `llm`.
    account
        Pays for its calls.
    environ
        Where keys are; the variables of this process by default. ``ZHIPUAI_API_KEY`` is for the
        GLM cloud alone, ``OPENAI_API_KEY`` for every other service.

    Raises
    ------
    ConfigError
        When no model is named and no key tells which, or a script cannot be read.
    ModelError
        When a folder holds no model that can be used.
    """
    environ = os.environ if environ is None else environ
    wanted = name or settings.llm
    if means_embedded(settings, name, environ):
        return _embedded(wanted, account)
    if wanted.startswith("scripted:"):
        script = _script(Path(wanted.removeprefix("scripted:")))
        return ScriptedModel(script, account=account, price=price_of(settings))
    if Path(wanted).is_dir():
        return _of_folder(Path(wanted), account)
    if wanted.startswith("encoder:"):
        from autoglm.llm.encoder import SentenceEncoder

        return SentenceEncoder(wanted.removeprefix("encoder:"))
    if wanted.startswith("local:"):
        from autoglm.llm.local import LocalModel

        return LocalModel(wanted.removeprefix("local:"), account=account)
    model = _over_http(wanted, settings, account, environ)
    if settings.llm_cache == "off":
        return model
    file = (
        platformdirs.user_cache_path("autoglm") / "llm.sqlite"
        if settings.llm_cache == "on"
        else Path(settings.llm_cache)
    )
    return CachedModel(model, file)


def means_embedded(
    settings: Settings, name: str | None = None, environ: Mapping[str, str] | None = None
) -> bool:
    """Return whether the model of the package is meant: by name, or because nothing else is set."""
    wanted, environ = name or settings.llm, os.environ if environ is None else environ
    if settings.llm_base_url or environ.get("OPENAI_BASE_URL"):
        return False
    if wanted == "auto":
        return not environ.get("ZHIPUAI_API_KEY")
    return wanted in EMBEDDED_NAMES


def _embedded(wanted: str, account: Account | None) -> LanguageModel:
    from autoglm.llm.nano.engine import NanoModel

    if wanted not in ("auto", "glm-nano"):
        emit("model_stands_in", wanted=wanted, used="glm-nano")
    return NanoModel(EMBEDDED, name="glm-nano", account=account)


def _of_folder(folder: Path, account: Account | None) -> LanguageModel:
    """Return a small GLM on numpy where the folder has one, else what `transformers` runs."""
    from autoglm.core.errors import BundleError
    from autoglm.llm.local import LocalModel
    from autoglm.llm.nano.engine import NanoModel

    try:
        return NanoModel(folder, account=account)
    except BundleError:
        if (folder / "nano.json").exists():
            raise  # one of ours, damaged
        return LocalModel(str(folder), account=account)


def _over_http(
    wanted: str, settings: Settings, account: Account | None, environ: Mapping[str, str]
) -> LanguageModel:
    from autoglm.llm.http import HttpModel, HttpOptions

    name, base_url = _where(wanted, settings.llm_base_url, environ)
    known = dialect_of(base_url)
    variable = "ZHIPUAI_API_KEY" if known == "zhipu" else "OPENAI_API_KEY"
    key = environ.get(variable, "")
    if known is not None and not key:
        raise ConfigError(
            say(en=f"{name} needs a key.", zh=f"{name} 需要密钥。"),
            hint=say(en=f"Set {variable}, or name another service: --llm-base-url.",
                     zh=f"请设置 {variable},或用 --llm-base-url 指定其他服务。"),
        )  # fmt: skip
    options = HttpOptions(
        base_url=base_url,
        key=key,
        timeout_s=settings.llm_timeout,
        parallel=settings.llm_parallel,
        price=price_of(settings),
    )
    return HttpModel(name, options, account=account)


def _where(wanted: str, base_url: str | None, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the model's name at its service, and where that is."""
    other = base_url or environ.get("OPENAI_BASE_URL", "")
    if wanted == "auto":
        if not other:
            return GLM_DEFAULT, GLM_CLOUD
        raise ConfigError(
            say(en="It is not set which model of the service to ask.",
                zh="尚未指定使用该服务的哪个模型。"),
            hint=say(en="Name it: --llm NAME.", zh="请用 --llm NAME 指定。"),
        )  # fmt: skip
    if other:
        return wanted, other
    return wanted, GLM_CLOUD if _GLM.match(wanted) else OPENAI


def price_of(settings: Settings) -> Price | None:
    """Return the model's price as set."""
    if settings.llm_price is None:
        return None
    found = PRICE.fullmatch(settings.llm_price)
    assert found is not None  # checked by the settings
    return Price(float(found[1]), float(found[2]), (found[3] or "USD").upper())


def _script(path: Path) -> list[Scripted]:
    """Read answers, one JSON value a line: a text, or the fields of a reply."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        return [_scripted(json.loads(line)) for line in lines if line.strip()]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(
            say(en=f"The script {path} cannot be read: {error}.",
                zh=f"无法读取脚本 {path}:{error}。"),
            hint=say(en='Write one JSON value a line: "an answer", or {"text": "an answer"}.',
                     zh='每行一个 JSON 值:"回答" 或 {"text": "回答"}。'),
        ) from error  # fmt: skip


def _scripted(value: Any) -> Scripted:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return reply_from_dict(value)
    raise TypeError(f"{value!r} is no answer")
