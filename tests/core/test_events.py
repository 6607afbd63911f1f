"""Events: told to all who listen, harmful to none."""

from __future__ import annotations

import pytest

from autoglm.core.events import EVENTS, Event, emit, subscribe


def test_subscribers_hear_while_the_block_lasts() -> None:
    outer: list[Event] = []
    inner: list[Event] = []
    emit("run_started", run="0")
    with subscribe(outer.append):
        with subscribe(inner.append):
            emit("run_started", run="1", time_limit_s=60.0)
        emit("run_finished", run="1")
    emit("run_started", run="2")
    assert [e.name for e in outer] == ["run_started", "run_finished"]
    assert [e.data["run"] for e in inner] == ["1"]
    assert inner[0].timestamp <= outer[1].timestamp


def test_an_unknown_event_is_refused() -> None:
    with pytest.raises(ValueError, match="no_such"):
        emit("no_such")


def test_a_failing_listener_is_a_warning_and_the_others_still_hear() -> None:
    heard: list[Event] = []

    def broken(_: Event) -> None:
        raise RuntimeError("broken bar")

    with subscribe(broken), subscribe(heard.append), pytest.warns(UserWarning, match="broken bar"):
        emit("trial_started", trial=1)
    assert len(heard) == 1


def test_a_block_that_fails_stops_listening() -> None:
    heard: list[Event] = []
    with pytest.raises(KeyError), subscribe(heard.append):
        raise KeyError
    emit("trial_started", trial=1)
    assert heard == []


def test_every_event_says_what_it_holds() -> None:
    assert all(EVENTS.values())
