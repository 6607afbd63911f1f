"""Bytes from a path or a URL."""

from __future__ import annotations

import difflib
import os
import stat
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from autoglm.core.errors import DataError
from autoglm.core.text import say
from autoglm.dataflow._limits import ReadLimits

_TIMEOUT_S = 30.0


def read_file(path: Path, limits: ReadLimits) -> bytes:
    """Return a regular file's bytes.

    Raises
    ------
    DataError
        When there is no such file, it is a folder or a device, may not be read, or is
        larger than the limit.
    """
    try:
        facts = os.stat(path)
        if stat.S_ISDIR(facts.st_mode):
            raise _folder(path)
        if not stat.S_ISREG(facts.st_mode):
            raise DataError(
                say(en=f"{path} is not a regular file.", zh=f"{path} 不是普通文件。"),
                hint=say(en="Give the path of a table file.", zh="请给出表格文件的路径。"),
            )
        limits.check_bytes(facts.st_size, facts.st_size, path.name)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        shown = str(path).replace("\x00", "\\0")[:200]
        raise DataError(
            say(en=f"Cannot read {shown}: {reason}.", zh=f"无法读取 {shown}:{reason}。"),
            hint=say(
                en="Give the path of a file that you may read.", zh="请给出有权读取的文件路径。"
            ),
        ) from error


def _missing(path: Path) -> DataError:
    folder = path.parent
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    near = difflib.get_close_matches(path.name, names[:5000], n=3, cutoff=0.5)
    if near:
        shown = ", ".join(near)
        hint = say(en=f"Did you mean: {shown}?", zh=f"是否想用:{shown}?")
    elif names:
        hint = say(en=f"Check the name; the folder {folder} is there.",
                   zh=f"请检查文件名;文件夹 {folder} 存在。")  # fmt: skip
    else:
        hint = say(en=f"The folder {folder} is not there or empty; you are in {Path.cwd()}.",
                   zh=f"文件夹 {folder} 不存在或为空;当前位于 {Path.cwd()}。")  # fmt: skip
    return DataError(say(en=f"No such file: {path}", zh=f"没有这个文件:{path}"), hint=hint)


def _folder(path: Path) -> DataError:
    files = sorted(p.name for p in path.iterdir() if p.is_file())[:8]
    return DataError(
        say(en=f"{path} is a folder, not a file.", zh=f"{path} 是文件夹,不是文件。"),
        hint=say(
            en=f"Give one of its files: {', '.join(files) or 'there is none'}.",
            zh=f"请给出其中一个文件:{', '.join(files) or '其中没有文件'}。",
        ),
    )


def file_url_path(url: str) -> Path:
    """Return the path that a ``file:`` URL names."""
    return Path(unquote(urlsplit(url).path))


def download(url: str, limits: ReadLimits) -> tuple[str, bytes]:
    """Return the file name and the bytes behind an http(s) address.

    Raises
    ------
    DataError
        When the server cannot be reached, answers with an error, or sends too much.
    """
    import httpx

    shown = shown_url(url)
    out = bytearray()
    try:
        with httpx.stream(
            "GET", url, follow_redirects=True, timeout=_TIMEOUT_S,
            headers={"Accept-Encoding": "identity"},
        ) as answer:  # fmt: skip
            if answer.status_code >= 400:
                _refuse(shown, f"{answer.status_code} {answer.reason_phrase}")
            for piece in answer.iter_bytes(1 << 20):
                out += piece
                limits.check_bytes(len(out), answer.num_bytes_downloaded, shown)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        _refuse(shown, str(error) or type(error).__name__)
    return unquote(urlsplit(url).path).rsplit("/", 1)[-1] or shown, bytes(out)


def shown_url(url: str) -> str:
    """Return a URL without its user name, password and query, fit for messages."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return url.split("?", 1)[0].split("@")[-1]
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def _refuse(shown: str, reason: str) -> NoReturn:
    raise DataError(
        say(en=f"Cannot download {shown}: {reason}.", zh=f"无法下载 {shown}:{reason}。"),
        hint=say(
            en="Check the address and the network, or download the file and give its path.",
            zh="请检查地址和网络,或先下载文件再给出路径。",
        ),
    )
