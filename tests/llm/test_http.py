"""A service that fails on purpose, and what a caller sees of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest
from fault_server import ANSWER, PASSING, FaultServer, random_script, serving
from openai.types.chat import ChatCompletion, CompletionCreateParams
from pydantic import TypeAdapter

from autoglm.core.errors import (
    BudgetError,
    ConfigError,
    ContentRefused,
    ModelError,
    ModelUnavailable,
)
from autoglm.llm import wire
from autoglm.llm.account import Account, Price
from autoglm.llm.contract import Message, Reply, Request, Sampling, Usage, as_messages
from autoglm.llm.http import HttpModel, HttpOptions
from autoglm.llm.many import generate_many
from autoglm.llm.patience import Patience

QUESTION = Request(as_messages("3个苹果6元,5个多少钱?"), Sampling(max_tokens=50))


class Waits:
    """Remembers pauses instead of making them."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def model_of(server: FaultServer, account: Account | None = None, **options: Any) -> HttpModel:
    options.setdefault("key", "sk-secret-123")
    options.setdefault("dialect", "plain")
    return HttpModel(
        "m", HttpOptions(base_url=server.url, **options), account=account, wait=Waits()
    )


def streamed(model: HttpModel, request: Request = QUESTION) -> tuple[str, Reply]:
    deltas = list(model.stream(request))
    assert [d for d in deltas[:-1] if d.reply] == []
    last = deltas[-1].reply
    assert last is not None
    return "".join(d.text for d in deltas), last


def test_the_official_client_reads_the_service() -> None:
    with serving(["ok", "ok", "429", "ok"]) as server:
        client = openai.OpenAI(base_url=server.url, api_key="k", max_retries=1)
        turn: Any = [{"role": "user", "content": "?"}]
        whole = client.chat.completions.create(model="m", messages=turn)
        assert whole.choices[0].message.content == ANSWER
        pieces = client.chat.completions.create(model="m", messages=turn, stream=True)
        assert "".join(p.choices[0].delta.content or "" for p in pieces if p.choices) == ANSWER
        assert client.chat.completions.create(model="m", messages=turn).usage is not None


def test_what_is_sent_and_received_has_the_official_types() -> None:
    check: TypeAdapter[Any] = TypeAdapter(CompletionCreateParams)
    how = Sampling(
        max_tokens=9, temperature=0.5, top_p=0.9, seed=3, stop=("\n",), schema={"type": "object"}
    )
    request = Request((Message("system", "简短"), Message("user", "你好")), how)
    for stream in (False, True):
        sent = wire.chat(request, "gpt-x", "openai", stream=stream)
        read = check.validate_python(sent, strict=False)
        assert set(read) == set(sent)
    with serving() as server:
        raw = httpx.post(f"{server.url}/chat/completions", json=wire.chat(QUESTION, "m", "plain"))
        ChatCompletion.model_validate(raw.json(), strict=True)
        assert wire.reply_of(raw.json(), "m").text == ANSWER


def test_an_answer_is_the_text_its_usage_and_its_cost() -> None:
    with serving() as server:
        account = Account()
        model = model_of(server, account, price=Price(1000.0, 2000.0))
        reply = model.generate(QUESTION)
        assert (reply.text, reply.finish, reply.attempts) == (ANSWER, "stop", 1)
        assert reply.usage is not None and account.spent.usage == reply.usage
        assert account.spent.tokens == server.told
        expected = (reply.usage.prompt_tokens + 2 * reply.usage.completion_tokens) / 1000
        assert reply.cost == pytest.approx(expected)
        assert account.spent.money == pytest.approx(expected)


def test_a_stream_is_the_same_answer_in_pieces() -> None:
    with serving() as server:
        account = Account()
        model = model_of(server, account)
        text, reply = streamed(model)
        assert text == reply.text == ANSWER
        assert reply.usage == model.generate(QUESTION).usage
        assert account.spent.tokens == server.told


def test_asynchronous_calls_give_the_same() -> None:
    async def both(model: HttpModel) -> tuple[Reply, str]:
        reply = await model.agenerate(QUESTION)
        text = "".join([d.text async for d in model.astream(QUESTION)])
        return reply, text

    with serving() as server:
        reply, text = asyncio.run(both(model_of(server)))
        assert reply.text == text == ANSWER


def test_an_asynchronous_stream_raises_what_the_call_raises() -> None:
    async def read(model: HttpModel) -> None:
        async for _ in model.astream(QUESTION):
            pass

    with serving(["1301"]) as server, pytest.raises(ContentRefused):
        asyncio.run(read(model_of(server)))


@pytest.mark.parametrize("shape", ["reasoning", "all reasoning", "think tags", "parts"])
def test_the_answer_is_found_wherever_the_service_puts_it(shape: str) -> None:
    with serving([shape, shape]) as server:
        model = model_of(server)
        whole, (_, pieces) = model.generate(QUESTION), streamed(model)
        for reply in (whole, pieces) if shape != "parts" else (whole,):
            assert reply.text == ANSWER
            assert reply.reasoning == ("先想一想" if shape in ("reasoning", "think tags") else "")


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("way", ["whole", "stream"])
def test_a_passing_fault_costs_an_attempt(fault: str, way: str) -> None:
    with serving([fault]) as server:
        model = model_of(server)
        reply = model.generate(QUESTION) if way == "whole" else streamed(model)[1]
        assert (reply.text, reply.attempts) == (ANSWER, 2)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("1301", ContentRefused, "敏感内容"),
        ("filtered", ContentRefused, "filtered"),
        ("1113", ModelError, "quota"),
        ("401", ModelError, "OPENAI_API_KEY"),
        ("404", ModelError, "llm check"),
        ("400 too long", ModelError, "longer context"),
    ],
)
def test_a_lasting_fault_is_told_at_once(fault: str, kind: type[ModelError], words: str) -> None:
    with serving([fault]) as server:
        model = model_of(server)
        with pytest.raises(kind) as caught:
            model.generate(QUESTION)
        assert words in str(caught.value)
        assert not caught.value.retryable
        assert len(server.requests) == 1
        assert "sk-secret" not in str(caught.value) + repr(model.options)


def test_patience_ends_and_says_what_was_wrong() -> None:
    with serving(["500"] * 9) as server:
        model = model_of(server, patience=Patience(attempts=3, first_s=1.0))
        with pytest.raises(ModelUnavailable, match="内部错误"):
            model.generate(QUESTION)
        assert len(server.requests) == 3
        waits = model._wait
        assert isinstance(waits, Waits)
        assert 0.75 <= waits.seconds[0] <= 1.0 < waits.seconds[1] <= 2.0


def test_a_named_pause_is_kept_and_too_long_a_one_not_awaited() -> None:
    with serving(["429", "ok", "429 an hour"]) as server:
        model = model_of(server)
        waits = model._wait
        assert isinstance(waits, Waits)
        model.generate(QUESTION)
        assert waits.seconds == [0.01]
        with pytest.raises(ModelUnavailable) as caught:
            model.generate(QUESTION)
        assert caught.value.wait_s == 3600
        assert waits.seconds == [0.01]


@pytest.mark.parametrize("fault", ["silent", "dripping"])
@pytest.mark.parametrize("way", ["whole", "stream"])
def test_an_answer_that_does_not_end_is_given_up_in_time(fault: str, way: str) -> None:
    with serving([fault]) as server:
        account = Account()
        model = model_of(server, account, timeout_s=0.3, patience=Patience(attempts=1))
        with pytest.raises(ModelUnavailable):
            _ = model.generate(QUESTION) if way == "whole" else streamed(model)
        assert account.spent.unsettled >= server.untold > 0


def test_a_stream_that_is_cut_keeps_what_came() -> None:
    with serving(["cut stream"]) as server:
        account = Account()
        text, reply = streamed(model_of(server, account))
        assert reply.finish == "cut"
        assert ANSWER.startswith(text) and text == reply.text != ANSWER
        assert reply.usage is None
        assert account.spent.unsettled >= server.untold > 0


def test_a_reader_that_leaves_is_charged_at_the_most() -> None:
    with serving() as server:
        account = Account()
        stream = model_of(server, account).stream(QUESTION)
        next(stream)
        stream.close()
        assert account.spent.calls == 1
        assert account.spent.unsettled > 0


def test_a_service_that_is_not_there() -> None:
    with serving() as server:
        url = server.url
    account = Account(tokens=1000)
    options = HttpOptions(base_url=url, dialect="plain", patience=Patience(attempts=2))
    model = HttpModel("m", options, account=account, wait=Waits())
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        model.generate(QUESTION)
    assert account.spent.tokens == 0
    with pytest.raises(ConfigError):
        HttpModel("m", HttpOptions(base_url="localhost:80"))
    secret = url.replace("//", "//me:hunter2@")
    hidden = HttpModel("m", HttpOptions(base_url=secret, patience=Patience(attempts=1)))
    with pytest.raises(ModelUnavailable) as caught:
        hidden.models()
    assert "hunter2" not in str(caught.value) + hidden.identity


def test_a_crowded_service_is_called_by_fewer_at_a_time() -> None:
    with serving(["1302"] * 3) as server:
        model = model_of(server, parallel=8)
        generate_many(model, [QUESTION], parallel=1)
        assert model.parallel.limit == 2  # 8, 4, 2, 1, then one good answer
        replies = generate_many(model, [QUESTION] * 30, parallel=8)
        assert all(isinstance(r, Reply) for r in replies)
        assert 2 < model.parallel.limit <= 8


def test_no_more_calls_run_than_allowed() -> None:
    with serving() as server:
        generate_many(model_of(server, parallel=3), [QUESTION] * 40, parallel=16)
        assert 1 <= server.most_running <= 3


def test_a_budget_refuses_before_anything_is_sent() -> None:
    with serving() as server:
        model = model_of(server, Account(tokens=60))
        with pytest.raises(BudgetError, match="60 tokens"):
            model.generate(QUESTION)
        with pytest.raises(BudgetError, match="0 seconds"):
            model_of(server, Account(seconds=0)).generate(QUESTION)
        with pytest.raises(BudgetError, match="EUR"):
            model_of(server, Account(money=1e-6), price=Price(1.0, 1.0, "EUR")).generate(QUESTION)
        with pytest.raises(ConfigError, match="price"):
            model_of(server, Account(money=5)).generate(QUESTION)
        assert server.requests == []


@pytest.mark.parametrize("way", ["whole", "stream"])
def test_faulty_calls_are_counted_to_the_token(way: str) -> None:
    with serving(random_script(2500, seed=1)) as server:
        account = Account()
        model = model_of(server, account, patience=Patience(attempts=30))

        def call(_: int) -> None:
            reply = model.generate(QUESTION) if way == "whole" else streamed(model)[1]
            assert reply.text

        in_threads(call, 1000 if way == "whole" else 300, threads=4)
        assert account.spent.usage.total == server.told
        assert account.spent.unsettled >= server.untold
        assert account.room() is None


def test_a_budget_is_never_exceeded_by_faulty_calls_in_parallel() -> None:
    with serving(random_script(2000, seed=2)) as server:
        account = Account(tokens=12_000)
        model = model_of(server, account, patience=Patience(attempts=30))
        refused: list[BudgetError] = []

        def call(_: int) -> None:
            try:
                model.generate(QUESTION)
            except BudgetError as error:
                refused.append(error)

        in_threads(call, 400, threads=6)
        assert refused
        assert server.told + server.untold <= account.spent.tokens <= 12_000
        assert 12_000 - account.spent.tokens < 200  # it was used up, not given up


def in_threads(call: Callable[[int], None], count: int, threads: int) -> None:
    todo, lock, failed = list(range(count)), threading.Lock(), []

    def work() -> None:
        while True:
            with lock:
                if not todo or failed:
                    return
                number = todo.pop()
            try:
                call(number)
            except BaseException as error:  # noqa: BLE001 - raised again below
                failed.append(error)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failed:
        raise failed[0]


def test_the_models_of_a_service_are_listed_and_tell_its_dialect() -> None:
    with serving() as server:
        model = HttpModel("m", HttpOptions(base_url=server.url))
        assert [m["id"] for m in model.models()] == ["m"]
        assert model.dialect == "plain"
        server.owner = "vllm"
        think = Request(as_messages("?"), Sampling(thinking=False, top_k=5))
        HttpModel("m", HttpOptions(base_url=server.url)).generate(think)
        body = server.requests[-1][1]
        assert body["chat_template_kwargs"] == {"enable_thinking": False}
        assert body["top_k"] == 5


@pytest.mark.parametrize(
    ("model", "dialect", "expected"),
    [
        ("glm-4.6", "zhipu", {"thinking": {"type": "disabled"}, "do_sample": False}),
        ("glm-5", "zhipu", {"reasoning_effort": "none", "do_sample": False}),
        ("qwen", "vllm", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("o9", "openai", {"reasoning_effort": "none"}),
        ("llama", "plain", {}),
    ],
)
def test_one_switch_for_thinking_in_every_dialect(
    model: str, dialect: wire.Dialect, expected: dict[str, Any]
) -> None:
    plain = wire.chat(Request(as_messages("?")), model, dialect)
    sent = wire.chat(Request(as_messages("?"), Sampling(thinking=False)), model, dialect)
    assert {k: v for k, v in sent.items() if k not in plain or k == "do_sample"} == expected


def test_vectors_come_back_in_order() -> None:
    with serving() as server:
        account = Account()
        vectors = model_of(server, account).embed(["a", "abc"])
        assert vectors.tolist() == [[1.0, 1.0], [3.0, 1.0]]
        assert account.spent.usage == Usage(3, 0)


def test_continuations_are_scored_where_the_service_echoes() -> None:
    with serving() as server:
        assert model_of(server).score("ab", ["cd", "e"]) == [[-1.0, -1.5], [-1.0]]
        with pytest.raises(ModelError, match="cannot score"):
            model_of(server, dialect="openai").score("ab", ["c"])


@pytest.mark.parametrize(
    "calls",
    [
        "5",
        '[{"index":"x","function":{"name":"a"}}]',
        '[{"index":0,"function":"f"},{"index":0,"function":{"name":1,"arguments":{}}}]',
        "[null]",
    ],
)
def test_tool_calls_of_no_shape_do_no_harm(calls: str) -> None:
    whole = wire.Assembly("m")
    whole.add(f'data: {{"choices":[{{"delta":{{"content":"10","tool_calls":{calls}}}}}]}}')
    assert whole.reply().text == "10"


def test_tool_calls_are_joined_from_their_pieces() -> None:
    whole = wire.Assembly("m")
    for piece in (
        (
            '{"tool_calls":[{"index":0,"id":"c1","type":"function",'
            '"function":{"name":"add","arguments":"{\\"a\\""}}]}'
        ),
        '{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}',
    ):
        whole.add(f'data: {{"choices":[{{"delta":{piece},"finish_reason":"tool_calls"}}]}}')
    reply = whole.reply()
    assert reply.finish == "tool_calls"
    assert reply.tool_calls[0]["function"] == {"name": "add", "arguments": '{"a":1}'}
