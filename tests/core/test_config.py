"""Settings: which place wins, and that every value says where it came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoglm.core.config import Settings, apply_to_spec, resolve
from autoglm.core.errors import ConfigError
from autoglm.core.spec import Decision, TaskSpec


@pytest.fixture
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a user configuration folder of the test's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    folder = tmp_path / "user" / "autoglm"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def project(tmp_path: Path, user_folder: Path) -> Path:
    """Return a project folder."""
    folder = tmp_path / "project"
    (folder / "deep" / "er").mkdir(parents=True)
    return folder


def test_everything_has_a_default(project: Path) -> None:
    resolved = resolve(environ={}, folder=project)
    assert {o.source for o in resolved.origins.values()} == {"default"}
    assert set(resolved.origins) == set(Settings.model_fields)
    assert resolved.settings.time_limit == 60.0
    assert resolved.settings.workers >= 1
    assert resolved.files == ()


def test_each_place_beats_the_one_below(project: Path, user_folder: Path) -> None:
    user_folder.joinpath("autoglm.toml").write_text(
        'seed = 1\nworkers = 1\nlang = "zh"\ntime_limit = "1h"\n'
    )
    project.joinpath("autoglm.toml").write_text('seed = 2\nworkers = 2\ntime_limit = "5m"\n')
    resolved = resolve(
        {"seed": 4, "workers": None},
        environ={"AUTOGLM_SEED": "3", "AUTOGLM_WORKERS": "3"},
        folder=project / "deep" / "er",
    )
    settings, origins = resolved.settings, resolved.origins
    assert (settings.seed, origins["seed"].source) == (4, "command line")
    assert (settings.workers, origins["workers"].where) == (3, "AUTOGLM_WORKERS")
    assert settings.time_limit == 300.0
    assert origins["time_limit"].where == str(project / "autoglm.toml")
    assert settings.lang == "zh"
    assert origins["lang"].where == str(user_folder / "autoglm.toml")
    assert origins["memory"].source == "default"
    assert resolved.files == (project / "autoglm.toml", user_folder / "autoglm.toml")


def test_zero_given_is_kept_and_empty_is_not_given(project: Path) -> None:
    project.joinpath("autoglm.toml").write_text("seed = 7\n")
    resolved = resolve({"seed": 0}, environ={"AUTOGLM_LANG": ""}, folder=project)
    assert resolved.settings.seed == 0
    assert resolved.origins["lang"].source == "default"


def test_quantities_are_read_in_words(project: Path) -> None:
    environ = {"AUTOGLM_MEMORY": "2GB", "AUTOGLM_TIME_LIMIT": "1h30m"}
    settings = resolve(environ=environ, folder=project).settings
    assert settings.memory == 2000.0
    assert settings.time_limit == 5400.0


@pytest.mark.parametrize(("text", "lang"), [("zh_CN.UTF-8", "zh"), ("EN", "en"), ("auto", "auto")])
def test_a_language_may_be_a_locale(project: Path, text: str, lang: str) -> None:
    assert resolve(environ={"AUTOGLM_LANG": text}, folder=project).settings.lang == lang


def test_an_unknown_name_in_a_file_is_an_error_with_the_near_one(project: Path) -> None:
    project.joinpath("autoglm.toml").write_text("worker = 2\n")
    with pytest.raises(ConfigError) as caught:
        resolve(environ={}, folder=project)
    assert str(project / "autoglm.toml") in caught.value.message
    assert "workers" in caught.value.hint


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("workers = 0", "workers"),
        ("workers = true", "workers"),
        ('workers = "many"', "workers"),
        ('time_limit = "soon"', "time_limit"),
        ("time_limit = 0", "time_limit"),
        ("memory = -1", "memory"),
        ('lang = "fr"', "lang"),
        ("seed = 1.5", "seed"),
        ("[seed]\na = 1", "seed"),
        ("[section]\nseed = 1", "section"),
    ],
)
def test_a_wrong_value_names_the_setting_and_the_place(project: Path, line: str, name: str) -> None:
    file = project / "autoglm.toml"
    file.write_text(line)
    with pytest.raises(ConfigError) as caught:
        resolve(environ={}, folder=project)
    assert name in caught.value.message
    assert str(file) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("content", [b"seed", b"\xff\xfe=1", b"a=" + b"[" * 50_000])
def test_a_file_that_is_no_toml_is_named(project: Path, content: bytes) -> None:
    project.joinpath("autoglm.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"autoglm\.toml"):
        resolve(environ={}, folder=project)


def test_a_wrong_variable_or_flag_is_named(project: Path) -> None:
    with pytest.raises(ConfigError, match="AUTOGLM_WORKERS"):
        resolve(environ={"AUTOGLM_WORKERS": "-3"}, folder=project)
    with pytest.raises(ConfigError, match="--time-limit"):
        resolve({"time_limit": "later"}, environ={}, folder=project)


def test_a_nearly_right_variable_is_noted_and_others_are_let_be(project: Path) -> None:
    environ = {"AUTOGLM_WORKER": "2", "AUTOGLM_HOME_OF_MINE": "x", "PATH": "/bin"}
    resolved = resolve(environ=environ, folder=project)
    assert len(resolved.notes) == 1
    assert "AUTOGLM_WORKERS" in resolved.notes[0]


def test_rows_are_plain_and_complete(project: Path) -> None:
    rows = resolve({"run_dir": "here"}, environ={}, folder=project).rows()
    assert [row["name"] for row in rows] == list(Settings.model_fields)
    assert rows[0] == {
        "name": "run_dir",
        "value": "here",
        "source": "command line",
        "where": "--run-dir",
    }


def test_a_task_takes_only_what_it_leaves_open(project: Path) -> None:
    spec = TaskSpec(
        target=Decision(value="y"),
        task_type=Decision(value="binary"),
        metric=Decision(value="roc_auc"),
        time_limit_s=Decision(value=30.0, source="sentence"),
    )
    environ = {"AUTOGLM_TIME_LIMIT": "5m", "AUTOGLM_SEED": "9"}
    changed = apply_to_spec(spec, resolve(environ=environ, folder=project))
    assert changed.time_limit_s.value == 30.0
    assert (changed.seed.value, changed.seed.source) == (9, "config")
    assert "AUTOGLM_SEED" in changed.seed.reason
    assert changed.memory_mb == spec.memory_mb
