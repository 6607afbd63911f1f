"""Settings, and where each value came from.

    command line  >  AUTOGLM_* variables  >  autoglm.toml  >  default

The file is looked for in the working folder and the folders above it; a second one may
stand in the user's configuration folder and fills what the first leaves open.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from autoglm.core.budget import cpu_count, parse_duration, parse_latency_ms, parse_size_mb
from autoglm.core.contracts import CONTRACTS, Preference, parse_preference
from autoglm.core.errors import ConfigError
from autoglm.core.spec import Decision, TaskSpec
from autoglm.core.text import say

FILE_NAME = "autoglm.toml"
PREFIX = "AUTOGLM_"

Source = Literal["command line", "environment", "file", "default"]


def _language(value: Any) -> Any:
    """Read locale names, as in "zh_CN.UTF-8", by their language."""
    return value.lower()[:2] if isinstance(value, str) and value != "auto" else value


def _engine(value: str) -> str:
    """Refuse what is neither an engine nor an address."""
    if not re.fullmatch(r"local|ray|auto|ray://\S+|[^\s/]+:\d{1,5}", value):
        raise ValueError('write "local", "ray", "auto", "host:6379" or "ray://host:10001"')
    return value


#: Money for a million tokens in and out, and the currency.
PRICE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(\d+(?:\.\d+)?)\s*([A-Za-z]{3})?")


def _price(value: str) -> str:
    """Refuse what is no price."""
    if not PRICE.fullmatch(value.strip()):
        raise ValueError('write "0.6/2.2 USD": a million tokens in, and out')
    return value.strip()


class Settings(BaseModel):
    """Everything that can be set once for many runs. Unknown names are refused.

    Attributes
    ----------
    run_dir
        Folder in which each run gets a folder of its own.
    workers
        Worker processes that fit models at the same time; as many as cores by default.
    engine
        Where fits run: "local" (worker processes), "ray" (a Ray cluster, found or started), or
        the address of one: "auto", "host:6379", "ray://host:10001".
    open_trials
        Trials that may be open at a time in a run that is bounded by a number of trials. More
        keep a larger cluster busy, and each choice knows less of those before it.
    time_limit
        Wall-clock limit of a run in seconds; text like "5m" is understood.
    memory
        Limit on memory in megabytes; text like "4GB" is understood. By default 80 % of what
        is free when a run starts.
    latency
        Time that a model may take for one row, milliseconds; text like "300us" is understood.
    size
        Limit on the size of a saved model in megabytes; text like "500kb" is understood.
    prefer
        What may be given up for what: "balanced", weights, or a trade like "1% for 3x".
    seed
        Seed of every random choice.
    portfolio
        What is tried first: "learned" (the portfolio of the package), "fixed" (an order by
        hand), or a portfolio file.
    meta_store
        Where what runs have taught is kept: "on" (a file of the user), "off", or a file.
    planner
        Who reads the sentence of a run: "auto" (the rules, and beside them a language model where
        one is set), "rules", or "model" (an error where none is set).
    features
        Who proposes columns that are computed from others and tested: "auto" (rules, and a
        language model where one is set), "rules" or "off".
    llm
        Language model: its name at a service, the folder of a model, "local:NAME" for one of the
        Hub, "scripted:FILE", or "auto" for the one whose key is set.
    llm_base_url
        Where an OpenAI-compatible service is; by default the GLM cloud for names like "glm-4",
        else ``OPENAI_BASE_URL``.
    llm_timeout
        Seconds from request to the end of an answer; text like "2m" is understood.
    llm_parallel
        Calls of the language model at a time.
    llm_price
        What a million tokens cost in and out, for budgets of money: "0.6/2.2 USD".
    llm_cache
        Where answers are kept, so that the same request is paid for once: "off", "on" (a file of
        the user) or a file.
    lang
        Language of messages where no sentence tells it: "en", "zh", or "auto" for English.
    color
        Colours in the terminal: "auto", "always" or "never".
    progress
        How a run shows how far it is: "auto" (a bar on a terminal, else lines), "bar",
        "lines" or "none".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run_dir: Path = Path("autoglm_runs")
    workers: int = Field(default_factory=cpu_count, ge=1, le=1024)
    engine: Annotated[str, AfterValidator(_engine)] = "local"
    open_trials: int = Field(default=2, ge=1, le=1024)
    time_limit: Annotated[float, BeforeValidator(parse_duration)] = 60.0
    memory: Annotated[float, BeforeValidator(parse_size_mb)] | None = None
    latency: Annotated[float, BeforeValidator(parse_latency_ms)] | None = None
    size: Annotated[float, BeforeValidator(parse_size_mb)] | None = None
    prefer: Annotated[Preference, BeforeValidator(parse_preference)] | None = None
    seed: int = Field(default=0, ge=0, lt=2**31)
    portfolio: str = Field(default="learned", min_length=1)
    meta_store: str = Field(default="on", min_length=1)
    planner: Literal["auto", "rules", "model"] = "auto"
    features: Literal["auto", "rules", "off"] = "off"
    llm: str = Field(default="auto", min_length=1)
    llm_base_url: str | None = Field(default=None, min_length=1)
    llm_timeout: Annotated[float, BeforeValidator(parse_duration)] = 120.0
    llm_parallel: int = Field(default=8, ge=1, le=1024)
    llm_price: Annotated[str, AfterValidator(_price)] | None = None
    llm_cache: str = Field(default="off", min_length=1)
    lang: Annotated[Literal["auto", "en", "zh"], BeforeValidator(_language)] = "auto"
    color: Literal["auto", "always", "never"] = "auto"
    progress: Literal["auto", "bar", "lines", "none"] = "auto"


@dataclass(frozen=True)
class Origin:
    """Where a value came from: the kind of place, and its exact name."""

    source: Source
    where: str = ""

    def __str__(self) -> str:
        kind = {
            "command line": say(en="command line", zh="命令行"),
            "environment": say(en="environment", zh="环境变量"),
            "file": say(en="file", zh="文件"),
            "default": say(en="default", zh="默认"),
        }[self.source]
        return f"{kind} {self.where}".rstrip()


@dataclass(frozen=True)
class Resolved:
    """Settings with the origin of each.

    Attributes
    ----------
    settings
        The values.
    origins
        Where each came from, by name.
    files
        Configuration files that were read, the stronger first.
    notes
        Variables that look like a misspelt setting, in words.
    """

    settings: Settings
    origins: Mapping[str, Origin]
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """Return one record a setting, name, value, source and place, in order."""
        values = self.settings.model_dump(mode="json")
        return [
            {
                "name": name,
                "value": values[name],
                "source": self.origins[name].source,
                "where": self.origins[name].where,
            }
            for name in Settings.model_fields
        ]


def resolve(
    overrides: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | str | None = None,
) -> Resolved:
    """Find the value of every setting.

    Parameters
    ----------
    overrides
        Values from the command line by setting; None stands for not given.
    environ
        Environment variables; those of this process by default.
    folder
        Where the search for ``autoglm.toml`` starts; the working folder by default.

    Raises
    ------
    ConfigError
        When a name is unknown or a value not allowed; the message says where it stands.
    """
    environ = os.environ if environ is None else environ
    files = _find_files(Path.cwd() if folder is None else Path(folder))
    values: dict[str, Any] = {}
    origins = {name: Origin("default") for name in Settings.model_fields}

    def take(name: str, value: Any, origin: Origin) -> None:
        values[name] = _checked(name, value, origin)
        origins[name] = origin

    for file in reversed(files):
        for name, value in _read_file(file).items():
            if name in _OF_THE_USER and file != _user_file():
                raise _not_here(name, file)
            take(name, value, Origin("file", str(file)))
    for name in Settings.model_fields:
        variable = PREFIX + name.upper()
        if environ.get(variable, "") != "":
            take(name, environ[variable], Origin("environment", variable))
    for name, value in (overrides or {}).items():
        if value is not None:
            take(name, value, Origin("command line", "--" + name.replace("_", "-")))
    return Resolved(Settings(**values), origins, tuple(files), _misspelt(environ))


#: Fields of a task that a setting can fill where neither user nor sentence did.
_SPEC_FIELDS = {name: field for name, (field, _) in CONTRACTS.items()} | {"seed": "seed"}


def apply_to_spec(spec: TaskSpec, resolved: Resolved) -> TaskSpec:
    """Return `spec` with its undecided fields set as configured.

    A field is undecided while its source is "default"; it then gets the source "config" and
    the place of the setting as its reason.
    """
    update = {}
    for name, field in _SPEC_FIELDS.items():
        origin = resolved.origins[name]
        decision: Decision[Any] = getattr(spec, field)
        if decision.source == "default" and origin.source != "default":
            value = getattr(resolved.settings, name)
            update[field] = Decision(value=value, source="config", reason=str(origin))
    return spec.model_copy(update=update)


def _find_files(start: Path) -> list[Path]:
    folders = [start.resolve(), *start.resolve().parents]
    near = next((f / FILE_NAME for f in folders if (f / FILE_NAME).is_file()), None)
    user = _user_file()
    found = [] if near is None else [near]
    if user != near and user.is_file():
        found.append(user)
    return found


def _user_file() -> Path:
    return platformdirs.user_config_path("autoglm") / FILE_NAME


#: Settings that a file in a working folder, which may be a stranger's, must not decide.
_OF_THE_USER = frozenset({"llm_base_url"})


def _not_here(name: str, file: Path) -> ConfigError:
    return ConfigError(
        say(en=f"{name} may not stand in {file}: your key would be sent there.",
            zh=f"{name} 不能写在 {file} 中:密钥会被发送到该地址。"),
        hint=say(en=f"Put it into {_user_file()}, a variable, or the command line.",
                 zh=f"请写入 {_user_file()}、环境变量或命令行。"),
    )  # fmt: skip


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            say(en=f"{file} cannot be read: {error}.", zh=f"无法读取 {file}:{error}。"),
            hint=say(en='Write one setting a line, like: time_limit = "5m"',
                     zh='每行一个设置,例如:time_limit = "5m"'),
        ) from error  # fmt: skip


def _checked(name: str, value: Any, origin: Origin) -> Any:
    """Return `value` as the setting's type."""
    if name not in Settings.model_fields:
        raise _unknown(name, origin)
    if isinstance(value, bool):
        value = str(value).lower()  # no setting is a switch; true is not the number 1
    try:
        return getattr(Settings.model_validate({name: value}), name)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
    except ConfigError as error:
        reason = error.message
    raise ConfigError(
        say(en=f"{name} cannot be {value!r} ({origin}): {reason}",
            zh=f"{name} 不能是 {value!r}({origin}):{reason}"),
        hint=say(en="`autoglm config` lists every setting and where its value comes from.",
                 zh="`autoglm config` 会列出所有设置及其来源。"),
    )  # fmt: skip


def _unknown(name: str, origin: Origin) -> ConfigError:
    near = get_close_matches(name, Settings.model_fields, n=1)
    known = ", ".join(Settings.model_fields)
    return ConfigError(
        say(en=f"There is no setting {name!r} ({origin}).",
            zh=f"没有名为 {name!r} 的设置({origin})。"),
        hint=say(en=f"Did you mean {near[0]}?", zh=f"是否想写 {near[0]}?")
        if near
        else say(en=f"Settings are: {known}.", zh=f"可用的设置:{known}。"),
    )  # fmt: skip


def _misspelt(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Name variables that are nearly a setting; others may belong to anyone."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    notes = []
    for variable in sorted(environ):
        near = get_close_matches(variable, known, n=1, cutoff=0.85)
        if variable.startswith(PREFIX) and variable not in known and near:
            notes.append(say(en=f"{variable} is no setting; did you mean {near[0]}?",
                             zh=f"{variable} 不是设置项;是否想写 {near[0]}?"))  # fmt: skip
    return tuple(notes)
