"""Bytes to text, by evidence in the bytes alone."""

from __future__ import annotations

import codecs
import re

from autoglm.core.errors import DataError
from autoglm.core.text import say

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HIGH_RUN = re.compile(rb"[\x80-\xff]{1,200}")
_SAMPLE = 1 << 20


def decode(data: bytes) -> tuple[str, list[str]]:
    """Return the text in `data` and notes on how it was read.

    UTF-8, UTF-16 and UTF-32 (with and, but for UTF-32, without a mark), GB18030 and
    Western European bytes are told apart. NUL characters are left out.

    Raises
    ------
    DataError
        When the bytes are no text.
    """
    text, notes = _decode(data)
    if "\x00" in text:
        count = text.count("\x00")
        if count > len(text) // 4:
            raise not_text()
        text = text.replace("\x00", "")
        notes.append(
            say(en=f"{count:,} NUL characters were left out.", zh=f"已去掉 {count:,} 个 NUL 字符。")
        )
    return text, notes


def not_text() -> DataError:
    """Return the error for bytes that are neither text nor a known binary format."""
    return DataError(
        say(en="The file is not a table of a known format.", zh="该文件不是已知格式的表格。"),
        hint=say(
            en="Give a CSV, JSON, Parquet, Arrow or Excel file, or one of these in gz, zip or zst.",
            zh="请给出 CSV、JSON、Parquet、Arrow 或 Excel 文件(可用 gz、zip、zst 压缩)。",
        ),
    )


def _decode(data: bytes) -> tuple[str, list[str]]:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _lenient(data[len(mark) :], encoding)
    wide = _wide_encoding(data)
    if wide:
        return _lenient(data, wide)
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        pass
    mostly = _mostly_utf8(data)
    if mostly is not None:
        return mostly
    encoding = "gb18030" if _looks_gb(data) else "cp1252"
    text, notes = _lenient(data, encoding)
    if encoding == "cp1252":
        _refuse_binary(data)
        notes.append(
            say(
                en="Read as Western European text (cp1252); if letters look wrong,"
                " save the file as UTF-8.",
                zh="按西欧编码(cp1252)读取;如有乱码,请将文件另存为 UTF-8。",
            )
        )
    else:
        notes.append(say(en="Read as GB18030 text.", zh="按 GB18030 编码读取。"))
    return text, notes


def _lenient(data: bytes, encoding: str) -> tuple[str, list[str]]:
    """Decode; bytes that do not fit become U+FFFD and are counted."""
    try:
        return data.decode(encoding), []
    except UnicodeDecodeError:
        text = data.decode(encoding, errors="replace")
    count = text.count("\ufffd")
    if count > 20 + len(text) // 20:
        raise not_text()
    return text, [_bad_bytes(count, encoding)]


def _bad_bytes(count: int, encoding: str) -> str:
    return say(
        en=f"{count:,} places that are not valid {encoding} were replaced by \ufffd.",
        zh=f"{count:,} 处不是有效的 {encoding},已用 \ufffd 代替。",
    )


def _wide_encoding(data: bytes) -> str | None:
    """Return UTF-16 and its byte order when line ends and separators show it."""
    head = data[: 64 * 1024]
    if len(head) < 4 or b"\x00" not in head:
        return None
    scores = {"utf-16-le": 0, "utf-16-be": 0}
    for sign in b'\n,;\t |"0123456789{}[]:':
        scores["utf-16-le"] += _aligned(head, bytes([sign, 0]))
        scores["utf-16-be"] += _aligned(head, bytes([0, sign]))
    best = max(scores, key=lambda k: scores[k])
    # Two bytes a character: a text without a separator in 100 characters is no table.
    return best if scores[best] * 200 >= len(head) and _decodes(head, best) else None


def _aligned(head: bytes, pair: bytes) -> int:
    return sum(m.start() % 2 == 0 for m in re.finditer(re.escape(pair), head))


def _decodes(head: bytes, encoding: str) -> bool:
    text = head[: len(head) // 2 * 2].decode(encoding, errors="replace")
    return text.count("\ufffd") <= 2 and text.count("\x00") <= len(text) // 100


def _mostly_utf8(data: bytes) -> tuple[str, list[str]] | None:
    """Return the text when nearly all of its multi-byte characters are UTF-8."""
    text = data.decode("utf-8", errors="replace")
    bad = text.count("\ufffd")
    good = sum(1 for c in text[:_SAMPLE] if c > "\x7f" and c != "\ufffd")
    if good >= 10 * bad:
        return text, [_bad_bytes(bad, "utf-8")]
    return None


def _looks_gb(data: bytes) -> bool:
    """Return whether runs of high bytes are pairs of common Chinese characters."""
    common = total = 0
    for number, match in enumerate(_HIGH_RUN.finditer(data[: 8 * _SAMPLE])):
        run = match.group()
        total += len(run)
        # Punctuation and the 3,755 everyday characters lie in these lead bytes.
        pairs = re.findall(rb"[\xa1-\xa9\xb0-\xd7][\xa1-\xfe]", run)
        common += 2 * len(pairs)
        if number > 20_000:
            break
    return common >= 0.7 * total


def _refuse_binary(data: bytes) -> None:
    """Raise when control characters show that the bytes are no text at all."""
    head = data[: 64 * 1024]
    control = sum(b < 9 or 13 < b < 32 for b in head)
    if control > len(head) // 50:
        raise not_text()
