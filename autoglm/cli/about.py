"""``models`` and ``config``: what there is, and how it is set."""

from __future__ import annotations

from dataclasses import dataclass

from autoglm.cli._options import Answer, Common
from autoglm.core.text import say


@dataclass(frozen=True, kw_only=True)
class ModelsOptions(Common):
    """Options of ``autoglm models``."""


@dataclass(frozen=True, kw_only=True)
class ConfigOptions(Common):
    """Options of ``autoglm config``."""


def models(options: ModelsOptions) -> Answer:
    """List the learners, built in and from plug-ins.

    zh: 列出所有学习器(内置与插件)。
    """
    from autoglm.cli._console import table
    from autoglm.core import hooks

    found = [one for group in hooks.manager().hook.autoglm_learners() for one in group]
    rows = [
        {
            "name": one.name,
            "title": one.title,
            "view": one.view,
            "extra": one.extra,
            "available": one.available(),
        }
        for one in sorted(found, key=lambda one: str(one.name))
    ]
    heads = (say(en="name", zh="名称"), say(en="what it is", zh="说明"), say(en="ready", zh="可用"))
    yes = say(en="yes", zh="是")
    lines = (
        (r["name"], r["title"], yes if r["available"] else f"open-autoglm[{r['extra']}]")
        for r in rows
    )
    return Answer({"models": rows}, table(heads, lines))


def config(options: ConfigOptions) -> Answer:
    """Show every setting, its value and where it comes from.

    zh: 显示每个设置、取值及来源。
    """
    from rich.console import Group

    from autoglm.cli._console import settings, table

    found = settings(options)
    heads = (say(en="setting", zh="设置"), say(en="value", zh="取值"), say(en="from", zh="来源"))
    rows = found.rows()
    lines = ((r["name"], r["value"], str(found.origins[r["name"]])) for r in rows)
    data = {"settings": rows, "files": list(map(str, found.files)), "notes": list(found.notes)}
    return Answer(data, Group(table(heads, lines), *found.notes))
