"""Between mtbsync's page and the scripts in DaVinci Resolve, which can only ask: over the daemon's real
interface, and with a clock that tests set."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mtbsync_daemon.http.resolve_link import ResolveLink
from mtbsync_daemon.rules import StateError
from support.served import TOKEN, Served, carried, served

LONG_S = 20.0


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as found:
        yield found


@pytest.fixture
def run(daemon: Served) -> str:
    """A run with a marker."""
    recording_id = daemon.know("RIDE.MP4")
    daemon.place(recording_id, [carried("gate", 10.0)])
    return recording_id


def poll(daemon: Served, wait_s: float = 0.0, timeline: str | None = "Cut 1") -> Any:
    """What a script is told to do."""
    return daemon.post("/resolve/connection", {"timeline": timeline, "wait_s": wait_s})["request"]


def send(daemon: Served, recording_id: str) -> dict[str, Any]:
    """What a person asks for on the page."""
    asked: dict[str, Any] = daemon.post("/resolve/requests", {"recording": recording_id})
    return asked


def tell(daemon: Served, request_id: str, state: str, said: str) -> None:
    """What a script says became of it."""
    path = f"/api/v1/resolve/requests/{request_id}"
    assert daemon.ask("PATCH", path, {"state": state, "said": said}).status == 200


# --- over HTTP ------------------------------------------------------------------------------------


def test_nothing_is_connected_at_first_and_nothing_can_be_sent(daemon: Served, run: str) -> None:
    assert daemon.get("/resolve") == {"is_connected": False, "timeline": None, "requests": []}
    reply = daemon.ask("POST", "/api/v1/resolve/requests", {"recording": run})
    assert reply.status == 409
    assert "Stay connected to mtbsync" in reply.json["detail"]
    assert daemon.get("/resolve")["requests"] == []


def test_a_script_that_asks_is_connected(daemon: Served) -> None:
    assert poll(daemon) is None
    told = daemon.get("/resolve")
    assert (told["is_connected"], told["timeline"]) == (True, "Cut 1")
    assert poll(daemon, timeline=None) is None
    assert daemon.get("/resolve")["timeline"] is None


def test_what_is_sent_is_taken_once_and_its_end_is_told(daemon: Served, run: str) -> None:
    poll(daemon)
    asked = send(daemon, run)
    assert (asked["state"], asked["recording"]) == ("waiting", run)
    assert poll(daemon) == {**asked, "state": "doing"}
    assert poll(daemon) is None
    tell(daemon, asked["id"], "done", "Markers: 1 added.")
    assert daemon.get("/resolve")["requests"] == [{**asked, "state": "done", "said": "Markers: 1 added."}]


def test_what_waits_is_not_asked_for_twice(daemon: Served, run: str) -> None:
    poll(daemon)
    assert send(daemon, run) == send(daemon, run)
    poll(daemon)
    assert send(daemon, run)["state"] == "waiting"
    assert [r["state"] for r in daemon.get("/resolve")["requests"]] == ["waiting", "doing"]


def test_of_two_scripts_that_wait_one_gets_it(daemon: Served, run: str) -> None:
    with ThreadPoolExecutor(2) as scripts:
        waiting = [scripts.submit(poll, daemon, LONG_S) for _ in range(2)]
        daemon.until(lambda: daemon.get("/resolve")["is_connected"])
        first, second = send(daemon, run), None
        daemon.until(lambda: any(w.done() for w in waiting))
        got = [w for w in waiting if w.done()]
        assert [w.result()["id"] for w in got] == [first["id"]]
        second = send(daemon, run)
        assert {w.result()["id"] for w in waiting} == {first["id"], second["id"]}


def test_a_script_that_is_gone_takes_nothing_with_it(daemon: Served, run: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port)
    body = json.dumps({"timeline": "Cut 1", "wait_s": LONG_S})
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    connection.request("POST", "/api/v1/resolve/connection", body, headers)
    daemon.until(lambda: daemon.get("/resolve")["is_connected"])
    connection.close()
    # By the time that this is answered, the daemon has seen it go.
    daemon.get("/resolve")
    asked = send(daemon, run)
    assert poll(daemon)["id"] == asked["id"]


def test_a_daemon_that_stops_lets_go_of_scripts(tmp_path: Path) -> None:
    with ExitStack() as running, ThreadPoolExecutor(1) as scripts:
        daemon = running.enter_context(served(tmp_path))
        waiting: Future[Any] = scripts.submit(poll, daemon, LONG_S)
        daemon.until(lambda: daemon.get("/resolve")["is_connected"])
        running.close()
        assert waiting.result() is None


def test_a_run_without_markers_is_not_sent(daemon: Served) -> None:
    poll(daemon)
    other = daemon.know("OTHER.MP4")
    daemon.place(other, [carried("lost", 10.0, t_s=None)])
    reply = daemon.ask("POST", "/api/v1/resolve/requests", {"recording": other})
    assert (reply.status, reply.json["detail"]) == (409, "OTHER.MP4 has no markers yet that could be sent.")
    assert daemon.ask("POST", "/api/v1/resolve/requests", {"recording": "unknown"}).status == 404


def test_an_answer_to_what_nobody_asked_for_is_refused(daemon: Served) -> None:
    reply = daemon.ask("PATCH", "/api/v1/resolve/requests/unknown", {"state": "done", "said": ""})
    assert reply.status == 404


def test_only_what_is_being_done_is_answered_and_once(daemon: Served, run: str) -> None:
    poll(daemon)
    asked = send(daemon, run)
    path, answer = f"/api/v1/resolve/requests/{asked['id']}", {"state": "done", "said": "Markers: 1 added."}
    assert daemon.ask("PATCH", path, answer).status == 409
    assert poll(daemon)["id"] == asked["id"]
    assert daemon.ask("PATCH", path, answer).status == 200
    reply = daemon.ask("PATCH", path, {"state": "failed", "said": "It went away."})
    assert reply.status == 409
    assert reply.json["detail"].endswith(".")
    assert daemon.get("/resolve")["requests"] == [{**asked, **answer}]


@pytest.mark.parametrize("wait_s", [-1, 21, "5", None])
def test_nobody_waits_for_longer_than_a_while(daemon: Served, wait_s: Any) -> None:
    body = {"timeline": "Cut 1", "wait_s": wait_s}
    assert daemon.ask("POST", "/api/v1/resolve/connection", body).status == 422


# --- in time --------------------------------------------------------------------------------------


class Clock:
    """Stands until it is set."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def link(clock: Clock) -> ResolveLink:
    return ResolveLink(clock)


def take(link: ResolveLink, at_most_s: float = 0.0, *, is_there: bool = True) -> Any:
    """One question of a script."""
    return asyncio.run(link.take("Cut 1", at_most_s, lambda: is_there))


def test_a_script_that_asks_no_more_is_gone_after_a_while(link: ResolveLink, clock: Clock) -> None:
    take(link)
    clock.at += 9.0
    assert link.is_connected
    clock.at += 2.0
    assert not link.is_connected
    assert link.timeline is None


def test_what_nobody_came_for_fails_and_is_not_done_later(link: ResolveLink, clock: Clock) -> None:
    take(link)
    link.ask("run")
    clock.at += 11.0
    assert [r.state for r in link.requests] == ["failed"]
    assert "nothing was done" in link.requests[0].said
    assert take(link) is None


def test_even_if_the_script_is_the_first_to_come_back(link: ResolveLink, clock: Clock) -> None:
    take(link)
    link.ask("run")
    clock.at += 3600.0
    assert take(link) is None
    assert [r.state for r in link.requests] == ["failed"]


def test_a_script_at_work_is_connected(link: ResolveLink, clock: Clock) -> None:
    take(link)
    taken = link.ask("run")
    assert take(link) is taken
    clock.at += 60.0
    assert link.is_connected
    link.ask("other")
    link.answer(taken.request_id, "done", "")
    clock.at += 5.0
    assert [r.state for r in link.requests] == ["waiting", "done"]


def test_a_script_that_never_says_how_it_went_has_failed_until_it_does(
    link: ResolveLink, clock: Clock
) -> None:
    take(link)
    asked = link.ask("run")
    take(link)
    clock.at += 121.0
    assert [r.state for r in link.requests] == ["failed"]
    assert "look at the timeline" in asked.said
    link.answer(asked.request_id, "done", "Markers: 1 added.")
    assert (asked.state, asked.said) == ("done", "Markers: 1 added.")


def test_who_is_gone_gets_nothing(link: ResolveLink) -> None:
    take(link)
    asked = link.ask("run")
    assert take(link, is_there=False) is None
    assert take(link) is asked


def test_only_the_last_requests_are_remembered(link: ResolveLink) -> None:
    take(link)
    for k in range(60):
        asked = link.ask(f"run {k}")
        take(link)
        link.answer(asked.request_id, "done", "")
    assert len(link.requests) == 50
    assert link.requests[0].recording_id == "run 59"


def test_where_too_many_wait_no_more_are_taken_and_none_is_dropped(link: ResolveLink) -> None:
    take(link)
    for k in range(50):
        link.ask(f"run {k}")
    with pytest.raises(StateError, match="no more can be sent"):
        link.ask("one more")
    first = take(link)
    assert first.recording_id == "run 0"
    with pytest.raises(StateError):
        link.ask("one more")
    link.answer(first.request_id, "done", "")
    link.ask("one more")
    assert [r.recording_id for r in link.requests] == ["one more", *(f"run {k}" for k in range(49, 0, -1))]
