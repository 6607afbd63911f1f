"""``llm check``: which language model answers, how quickly, and at what cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from autoglm.cli._options import Answer, Common
from autoglm.core.text import say

Model = Annotated[
    str | None,
    typer.Option(
        "--llm",
        help=say(en="Language model: its name, a folder, or scripted:FILE; "
                 "glm-nano without a service.",
                 zh="语言模型:名称、文件夹或 scripted:文件;未设服务时为 glm-nano。"),
    ),
]  # fmt: skip
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--llm-base-url",
        help=say(en="Address of an OpenAI-compatible service.", zh="兼容 OpenAI 的服务地址。"),
    ),
]

#: A question that any model can answer within few tokens.
QUESTION, MOST_TOKENS = "2 + 3 = ?", 256


@dataclass(frozen=True, kw_only=True)
class CheckOptions(Common):
    """Options of ``autoglm llm check``."""

    llm: Model = None
    llm_base_url: BaseUrl = None


def check(options: CheckOptions) -> Answer:
    """Ask the language model a small question; say who answers, how fast, at what cost.

    zh: 向语言模型提一个小问题,显示由谁回答、耗时与费用。
    """
    from autoglm.cli._console import settings, table
    from autoglm.llm.contract import Request, Sampling, as_messages
    from autoglm.llm.engines import open_model
    from autoglm.llm.prompts import FOLDER, template

    found = settings(options, llm=options.llm, llm_base_url=options.llm_base_url).settings
    model = open_model(found.model_copy(update={"llm_cache": "off"}))
    try:
        asked = as_messages(QUESTION)
        if model.prompt_set:  # it knows no others
            asked = template("steps", "en", FOLDER / model.prompt_set).fill({"question": QUESTION})
        request = Request(asked, Sampling(max_tokens=MOST_TOKENS))
        data = _ask(model, request)
    finally:
        model.close()
    heads = (say(en="what", zh="项目"), say(en="found", zh="结果"))
    titles = {
        "model": say(en="model", zh="模型"),
        "service": say(en="service", zh="服务"),
        "answer": say(en="answer", zh="回答"),
        "first_token_s": say(en="first token, s", zh="首个 token,秒"),
        "seconds": say(en="whole answer, s", zh="完整回答,秒"),
        "prompt_tokens": say(en="tokens in", zh="输入 token"),
        "completion_tokens": say(en="tokens out", zh="输出 token"),
        "cost": say(en="cost", zh="费用"),
    }
    return Answer(data, table(heads, ([titles[k], v] for k, v in data.items() if k in titles)))


def _ask(model: Any, request: Any) -> dict[str, Any]:
    import time

    started, first, reply = time.monotonic(), None, None
    for delta in model.stream(request):
        first = time.monotonic() - started if first is None else first
        reply = delta.reply or reply
    assert reply is not None and first is not None
    usage = reply.usage
    return {
        "model": reply.model,
        "service": model.identity,
        "answer": reply.text.strip(),
        "finish": reply.finish,
        "first_token_s": round(first, 3),
        "seconds": round(reply.seconds, 3),
        "attempts": reply.attempts,
        "prompt_tokens": usage and usage.prompt_tokens,
        "completion_tokens": usage and usage.completion_tokens,
        "cost": reply.cost,
    }
