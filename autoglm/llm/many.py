"""Many requests at a time, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from autoglm.core.errors import AutoGLMError
from autoglm.llm.contract import LanguageModel, Reply, Request


def generate_many(
    model: LanguageModel,
    requests: Iterable[Request],
    *,
    parallel: int = 8,
    done: Callable[[int, Reply | AutoGLMError], None] | None = None,
) -> list[Reply | AutoGLMError]:
    """Answer every request; one that fails leaves its error in its place.

    Parameters
    ----------
    model
        Who is asked; its own limit on parallel calls holds too.
    requests
        What is asked.
    parallel
        Requests at a time.
    done
        Called with (place, reply or error) as each is finished, in any order.
    """
    todo = list(requests)

    def one(place: int) -> Reply | AutoGLMError:
        try:
            found: Reply | AutoGLMError = model.generate(todo[place])
        except AutoGLMError as error:
            found = error
        if done is not None:
            done(place, found)
        return found

    def inside() -> Iterator[Reply | AutoGLMError]:
        with ThreadPoolExecutor(max(1, min(parallel, len(todo)))) as pool:
            # Each thread speaks the caller's language.
            futures = [pool.submit(copy_context().run, one, place) for place in range(len(todo))]
            yield from (f.result() for f in futures)

    return list(inside())


def samples(model: LanguageModel, request: Request, count: int) -> list[Reply | AutoGLMError]:
    """Draw several answers to one request."""
    return generate_many(model, [request.with_sample(i) for i in range(count)])
