"""Events as they happen: resumed where a stream was cut, in nobody's way, and over at once at the end."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mtbsync_daemon.http import events as followed
from mtbsync_daemon.store import events
from support.served import TOKEN, Served, served


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as found:
        yield found


class Follower:
    """Reads a stream of events, one after the other."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.answer = answer
        self.last_id = ""

    def next(self) -> tuple[str, Any]:
        """The next event's name and data; a comment is ("", text), the stream's end ("end", None)."""
        name, data = "", None
        while line := self.answer.readline().decode().rstrip("\n"):
            key, _, value = line.partition(": ")
            if key == "id":
                self.last_id = value
            elif key == "event":
                name = value
            elif key == "data":
                data = json.loads(value)
            elif line.startswith(":"):
                data = line
        if (name, data) == ("", None) and not line and self.answer.isclosed():
            return "end", None
        return name, data

    def until(self, is_it: Callable[[str, Any], bool]) -> tuple[str, Any]:
        """The next event that is so."""
        while True:
            found = self.next()
            assert found[0] != "end"
            if is_it(*found):
                return found


@contextmanager
def _following(daemon: Served, last_id: str | None = None) -> Iterator[Follower]:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    if last_id is not None:
        headers["Last-Event-ID"] = last_id
    connection.request("GET", "/api/v1/events", headers=headers)
    answer = connection.getresponse()
    try:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        yield Follower(answer)
    finally:
        answer.close()
        connection.close()


def _n_streams(daemon: Served) -> int:
    lines = daemon.ask("GET", "/api/v1/metrics").body.decode().splitlines()
    return int(next(line for line in lines if line.startswith("mtbsync_event_streams")).split()[1])


def _push(daemon: Served, n: int = 1) -> list[str]:
    body = {"timeline": "T", "name": "", "steps": []}
    return [daemon.post("/pushes", body)["id"] for _ in range(n)]


def test_changes_are_told_as_they_happen(daemon: Served) -> None:
    with _following(daemon) as follower:
        assert follower.next() == ("", None)
        (push_id,) = _push(daemon)
        assert follower.next() == ("change", {"kind": "push", "id": push_id})


def test_a_stream_that_was_cut_goes_on_where_it_was(daemon: Served) -> None:
    with _following(daemon) as follower:
        follower.next()
        first = _push(daemon, 2)
        assert [follower.next()[1]["id"] for _ in first] == first
        seen = follower.last_id
    missed = _push(daemon, 3)
    with _following(daemon, seen) as follower:
        follower.next()
        assert [follower.next()[1]["id"] for _ in missed] == missed
    with _following(daemon, "0") as follower:
        follower.next()
        assert [follower.next()[1]["id"] for _ in range(5)] == first + missed


@pytest.mark.parametrize("last_id", ["1", "999", "-1", "x", "1e3", "9" * 40, ""])
def test_whoever_missed_too_much_is_told_to_load_everything_anew(daemon: Served, last_id: str) -> None:
    _push(daemon, 4)
    daemon.services.store.write(lambda db: db.execute("DELETE FROM events WHERE id <= 3"))
    with _following(daemon, last_id) as follower:
        assert follower.next() == ("reload", {})
        assert follower.last_id == str(daemon.services.store.read(events.span)[1])
        (push_id,) = _push(daemon)
        assert follower.next() == ("change", {"kind": "push", "id": push_id})


def test_more_than_one_piece_of_what_was_missed_is_told_in_order(daemon: Served) -> None:
    def many(db: Any) -> None:
        for k in range(1200):
            events.add(db, "job", str(k))

    daemon.services.store.write(many)
    with _following(daemon, "0") as follower:
        follower.next()
        assert [follower.next()[1]["id"] for _ in range(1200)] == [str(k) for k in range(1200)]


def test_progress_is_told_and_not_kept(daemon: Served) -> None:
    daemon.refer(daemon.know("REF.MP4"), "Home")
    run = daemon.know("RUN.MP4")
    daemon.executor.goes_on.clear()
    with _following(daemon) as follower:
        follower.next()
        seen = follower.last_id
        sync = daemon.post("/syncs", {"recording": run})
        name, told = follower.until(lambda name, data: name == "progress")
        assert (name, told) == ("progress", {"job": sync["id"], "stage": "Looking", "done": 0.5})
        daemon.executor.goes_on.set()
        daemon.until_idle()
        last = daemon.services.store.read(events.span)[1]
    with _following(daemon, seen) as follower:
        follower.next()
        names = [follower.next()[0] for _ in range(last - int(seen))]
    assert set(names) == {"change"}


def test_who_has_gone_is_forgotten_and_there_is_a_limit(
    daemon: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "_HEARTBEAT_S", 0.05)
    monkeypatch.setattr(followed, "MOST_STREAMS", 2)
    with _following(daemon) as first, _following(daemon) as second:
        first.next(), second.next()
        assert first.until(lambda name, data: name == "")[1] == ": still here"
        reply = daemon.ask("GET", "/api/v1/events")
        assert (reply.status, "Too many" in reply.json["detail"]) == (503, True)
    daemon.until(lambda: _n_streams(daemon) == 0)
    with _following(daemon) as follower:
        follower.next()


def test_who_reads_nothing_is_in_nobody_s_way(daemon: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed, "_PATIENCE_S", 0.2)
    monkeypatch.setattr(followed, "_HEARTBEAT_S", 0.05)

    def many(db: Any) -> None:
        for k in range(9000):
            events.add(db, "job", f"{k:0>2000}")

    daemon.services.store.write(many)
    with _following(daemon, "0"):
        # Far more than sockets hold.
        with _following(daemon) as other:
            other.next()
            (push_id,) = _push(daemon)
            assert other.until(lambda name, data: name == "change")[1] == {"kind": "push", "id": push_id}
        daemon.until(lambda: _n_streams(daemon) == 0)


def test_streams_end_when_the_daemon_does(tmp_path: Path) -> None:
    names: list[str] = []

    def follow(follower: Follower, began: threading.Event) -> None:
        names.append(follower.next()[0])
        began.set()
        names.append(follower.next()[0])

    with served(tmp_path) as daemon:
        following = _following(daemon)
        follower = following.__enter__()
        began = threading.Event()
        thread = threading.Thread(target=follow, args=(follower, began))
        thread.start()
        assert began.wait(30)
    thread.join(30)
    assert not thread.is_alive()
    assert names == ["", "end"]
    following.__exit__(None, None, None)


def test_writes_go_on_after_the_server_has_ended(tmp_path: Path) -> None:
    # A job may end while the daemon stops, in a thread of its own.
    with served(tmp_path) as daemon:
        store = daemon.services.store
        listeners = list(store._listeners)
    assert listeners
    for listener in listeners[-1:]:
        listener()
