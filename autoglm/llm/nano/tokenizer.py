"""Byte-level byte-pair encoding, read from ``tokenizer.json`` as the Hub has it.

Only what our own tokenizers use is understood: a splitting pattern, bytes as characters, merges,
and added tokens. Everything else is refused, so that no text is silently split in another way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from autoglm.core.errors import BundleError
from autoglm.core.text import say

#: Bytes of the file, and words whose tokens are remembered.
MOST_BYTES, REMEMBERED = 20_000_000, 50_000
#: How text is split before merging: words with the blank before them, single digits and circled
#: numbers, runs of Chinese characters, runs of other signs, blanks. Python and Rust read it alike.
PATTERN = r" ?[A-Za-z]+|[0-9①-⑳㉑-㉟]|[一-鿿]+| ?[^ \t\r\nA-Za-z0-9一-鿿①-⑳㉑-㉟]+|[ \t\r\n]+"


@lru_cache(maxsize=1)
def byte_characters() -> dict[int, str]:
    """Return the character that stands for each byte, as GPT-2 and its heirs have it."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    found = {byte: chr(byte) for byte in plain}
    others = (byte for byte in range(256) if byte not in found)
    return found | {byte: chr(256 + number) for number, byte in enumerate(others)}


class Tokenizer:
    """Text to tokens and back.

    Parameters
    ----------
    vocabulary
        Number of each token.
    merges
        Pairs that are joined, the first ones first.
    added
        Special tokens by their text.
    """

    def __init__(
        self,
        vocabulary: dict[str, int],
        merges: Iterable[tuple[str, str]],
        added: dict[str, int],
    ) -> None:
        self._vocabulary, self.added = vocabulary, added
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._characters = byte_characters()
        self._bytes = {c: b for b, c in self._characters.items()}
        self._texts = {number: text for text, number in vocabulary.items()}
        self._split = re.compile(PATTERN)
        names = sorted(added, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, names))) if names else None
        self._word = lru_cache(maxsize=REMEMBERED)(self._encode_word)
        self.size = 1 + max([*vocabulary.values(), *added.values()])

    @classmethod
    def read(cls, path: Path) -> Tokenizer:
        """Read ``tokenizer.json``.

        Raises
        ------
        BundleError
            When it cannot be read, or works in a way that is not known here.
        """
        try:
            if path.stat().st_size > MOST_BYTES:
                raise ValueError(f"{path.stat().st_size} bytes")
            data = json.loads(path.read_bytes())
            model = data["model"]
            _understood(data, model)
            pairs = (m if isinstance(m, list) else m.split(" ") for m in model["merges"])
            merges = [(str(a), str(b)) for a, b in pairs]
            vocabulary = {str(k): int(v) for k, v in model["vocab"].items()}
            added = {str(t["content"]): int(t["id"]) for t in data.get("added_tokens", ())}
            missing = set(byte_characters().values()) - set(vocabulary)
            if missing:
                raise ValueError(f"{len(missing)} bytes have no token")
            if any(a + b not in vocabulary for a, b in merges):
                raise ValueError("a merge has no token")
            if min([*vocabulary.values(), *added.values()]) < 0:
                raise ValueError("a token has a number below 0")
            return cls(vocabulary, merges, added)
        except (
            OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError,
        ) as error:  # fmt: skip
            raise BundleError(
                say(en=f"{path} is no tokenizer that can be used: {error}.",
                    zh=f"{path} 不是可用的分词器:{error}。"),
                hint=say(en="Get the folder again.", zh="请重新获取该文件夹。"),
            ) from error  # fmt: skip

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        """Return the tokens of a text.

        Parameters
        ----------
        text
            Any text; what is no valid Unicode is replaced.
        special
            Whether special tokens in it are read as such. Never for what a user wrote.
        """
        if not special or self._special is None:
            return self._plain(text)
        found: list[int] = []
        at = 0
        for match in self._special.finditer(text):
            found += self._plain(text[at : match.start()])
            found.append(self.added[match[0]])
            at = match.end()
        return found + self._plain(text[at:])

    def _plain(self, text: str) -> list[int]:
        found: list[int] = []
        for word in self._split.findall(text):
            found += self._word(word)
        return found

    def _encode_word(self, word: str) -> tuple[int, ...]:
        parts = [self._characters[b] for b in word.encode("utf-8", "replace")]
        worst = len(self._ranks)
        while len(parts) > 1:
            ranks = [self._ranks.get(pair, worst) for pair in pairwise(parts)]
            best = min(ranks)
            if best == worst:
                break
            at = ranks.index(best)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return tuple(self._vocabulary[part] for part in parts)

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of a token; special tokens have none."""
        return bytes(self._bytes[c] for c in self._texts.get(token, "") if c in self._bytes)

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without special ones; broken characters are replaced."""
        return b"".join(map(self.token_bytes, tokens)).decode("utf-8", "replace")


def _understood(data: dict[str, Any], model: dict[str, Any]) -> None:
    """Refuse a tokenizer that splits or merges in another way."""
    if model.get("type", "BPE") != "BPE" or data.get("normalizer") is not None:
        raise ValueError("only byte-pair encoding without a normalizer is known")
    before = data.get("pre_tokenizer") or {}
    steps = before.get("pretokenizers", [before])
    if [s.get("type") for s in steps] != ["Split", "ByteLevel"]:
        raise ValueError("only a pattern and bytes are known before merging")
    split, byte_level = steps
    if (
        split["pattern"] != {"Regex": PATTERN}
        or split.get("invert")
        or (split.get("behavior") != "Isolated")
    ):
        raise ValueError("another splitting pattern")
    if byte_level.get("add_prefix_space") or byte_level.get("use_regex"):
        raise ValueError("another way to bytes")
