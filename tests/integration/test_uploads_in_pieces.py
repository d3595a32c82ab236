"""Footage that is sent piece by piece: whatever breaks in between, what has come is not sent again."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mtbsync_daemon.config import Keep
from mtbsync_daemon.http import pieces
from mtbsync_daemon.places import Places
from mtbsync_daemon.prune import prune
from mtbsync_daemon.store.ids import now
from support.daemons import Daemon
from support.served import TOKEN, Reply, Served, served

KIND = {"Content-Type": "application/octet-stream"}
FILM = os.urandom(3 * 2**20 + 7)
HALF = len(FILM) // 2
DAY_S = 86400.0


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("daemon")) as found:
        yield found


@pytest.fixture
def batch(request: pytest.FixtureRequest) -> str:
    """A batch of the test's own."""
    return sha256(request.node.name.encode()).hexdigest()[:16]


def _said(offset: int, length: int) -> dict[str, str]:
    return KIND | {"Upload-Offset": str(offset), "Upload-Length": str(length)}


def _send(
    daemon: Served,
    batch: str,
    content: bytes,
    offset: int = 0,
    length: int = len(FILM),
    name: str = "RIDE.MP4",
    **headers: str | None,
) -> Reply:
    sent = _said(offset, length) | {key.replace("_", "-"): value for key, value in headers.items()}
    return daemon.ask("PATCH", f"/api/v1/uploads/{batch}/{quote(name, safe='')}", raw=content, headers=sent)


def _progress(daemon: Served, batch: str) -> Reply:
    return daemon.ask("GET", f"/api/v1/uploads/{batch}/RIDE.MP4")


def _path(daemon: Served, batch: str) -> Path:
    return daemon.services.places.footage / batch / "RIDE.MP4"


def _pending(daemon: Served) -> list[Path]:
    uploads = daemon.services.places.uploads
    return sorted(uploads.iterdir()) if uploads.exists() else []


def test_a_file_is_there_once_its_last_piece_has_come(daemon: Served, batch: str) -> None:
    path, before = _path(daemon, batch), _pending(daemon)
    for offset in range(0, len(FILM), 2**20):
        assert not path.exists()
        reply = _send(daemon, batch, FILM[offset : offset + 2**20], offset)
        n_bytes = min(offset + 2**20, len(FILM))
        is_whole = n_bytes == len(FILM)
        assert reply.status == 200, reply.body
        told = {"n_bytes": n_bytes, "length": len(FILM), "path": str(path), "is_whole": is_whole}
        assert reply.json == told == _progress(daemon, batch).json
    assert path.read_bytes() == FILM
    assert [p.name for p in path.parent.iterdir()] == ["RIDE.MP4"]
    assert _pending(daemon) == before


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"n_bytes": 5}',
        b'{"n_bytes": "5", "length": 9}',
        b'{"n_bytes": -1, "length": 9}',
    ],
)
def test_where_a_note_is_damaged_the_file_is_begun_anew(daemon: Served, batch: str, note: bytes) -> None:
    before = _pending(daemon)
    assert _send(daemon, batch, FILM[:HALF]).status == 200
    (pending,) = set(_pending(daemon)) - set(before)
    (pending / "note.json").write_bytes(note)
    assert _progress(daemon, batch).status == 404
    reply = _send(daemon, batch, FILM[HALF:], HALF)
    assert (reply.status, reply.headers["Upload-Offset"]) == (409, "0")
    assert _send(daemon, batch, FILM).json["is_whole"]
    assert _path(daemon, batch).read_bytes() == FILM


def test_one_piece_may_be_all_of_it_and_becomes_a_recording(daemon: Served, batch: str) -> None:
    path = _send(daemon, batch, FILM).json["path"]
    (found,) = daemon.post("/recordings", {"paths": [path]})["recordings"]
    assert [file["path"] for file in found["files"]] == [path]


def test_what_was_not_begun_is_told(daemon: Served, batch: str) -> None:
    assert _progress(daemon, batch).status == 404


@pytest.mark.parametrize("offset", [0, 1, HALF - 1, HALF + 1])
def test_a_piece_that_is_not_the_next_is_refused_with_where_to_go_on(
    daemon: Served, batch: str, offset: int
) -> None:
    _send(daemon, batch, FILM[:HALF])
    reply = _send(daemon, batch, FILM[offset:], offset)
    assert (reply.status, reply.headers["Upload-Offset"]) == (409, str(HALF))
    assert reply.json["detail"] == f"{HALF} bytes of RIDE.MP4 are there; go on behind them."
    assert _send(daemon, batch, FILM[HALF:], HALF).json["is_whole"]
    assert _path(daemon, batch).read_bytes() == FILM


def test_the_first_piece_is_the_first(daemon: Served, batch: str) -> None:
    reply = _send(daemon, batch, FILM[HALF:], HALF)
    assert (reply.status, reply.headers["Upload-Offset"]) == (409, "0")
    assert _progress(daemon, batch).status == 404


def test_another_file_of_that_name_is_not_mixed_in(daemon: Served, batch: str) -> None:
    _send(daemon, batch, FILM[:HALF])
    assert _send(daemon, batch, FILM[HALF:], HALF, len(FILM) + 1).status == 409
    assert _progress(daemon, batch).json["n_bytes"] == HALF


def test_a_file_that_is_there_is_never_written_over(daemon: Served, batch: str) -> None:
    _send(daemon, batch, FILM)
    for offset in (0, len(FILM)):
        reply = _send(daemon, batch, b"" if offset else b"other", offset)
        assert (reply.status, reply.headers["Upload-Offset"]) == (409, str(len(FILM)))
    assert _path(daemon, batch).read_bytes() == FILM


def test_a_file_that_was_sent_at_once_meanwhile_stays(daemon: Served, batch: str) -> None:
    _send(daemon, batch, FILM[:HALF])
    whole = daemon.ask("PUT", f"/api/v1/uploads/{batch}/RIDE.MP4", raw=b"film", headers=KIND)
    assert whole.status == 200
    assert _send(daemon, batch, FILM[HALF:], HALF).status == 409
    assert _path(daemon, batch).read_bytes() == b"film"


def test_more_than_the_file_has_is_refused(daemon: Served, batch: str) -> None:
    assert _send(daemon, batch, FILM, length=len(FILM) - 1).status == 422
    assert _progress(daemon, batch).status == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Offset": None}, 400),
        ({"Upload-Length": None}, 400),
        ({"Upload-Offset": "-1"}, 400),
        ({"Upload-Length": "1e9"}, 400),
        ({"Upload-Length": "9" * 19}, 400),
        ({"Upload-Length": "0", "Content-Length": "0"}, 422),
        ({"Content-Type": "application/json"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Upload-Length": str(2**59)}, 507),
    ],
)
def test_p10_what_makes_no_sense_is_refused(
    daemon: Served, batch: str, headers: Mapping[str, str | None], status: int
) -> None:
    content = b"" if "Content-Length" in headers else b"film"
    more = {name.replace("-", "_"): value for name, value in headers.items()}
    reply = _send(daemon, batch, content, **more)
    assert reply.status == status, reply.body
    assert reply.json["detail"].endswith(".")
    assert _progress(daemon, batch).status == 404


@pytest.mark.parametrize(
    "name", ["../GX010001.MP4", "..", ".hidden.MP4", "con.MP4", "RIDE.exe", "C:RIDE.MP4"]
)
def test_p7_only_names_of_footage_that_are_one_segment_are_taken(
    daemon: Served, batch: str, name: str
) -> None:
    before = sorted(daemon.services.places.data.rglob("*"))
    assert _send(daemon, batch, b"film", name=name).status in (400, 404, 422)
    assert sorted(daemon.services.places.data.rglob("*")) == before


def test_of_several_that_send_a_piece_at_once_one_does(daemon: Served, batch: str) -> None:
    with ThreadPoolExecutor(5) as threads:
        replies = list(threads.map(lambda _: _send(daemon, batch, FILM), range(5)))
    assert sorted(reply.status for reply in replies) == [200, 409, 409, 409, 409]
    assert _path(daemon, batch).read_bytes() == FILM


def test_while_a_piece_comes_nobody_else_sends_the_file(daemon: Served, batch: str) -> None:
    before = _pending(daemon)
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as connection:
        connection.sendall(_head(daemon, batch, HALF) + FILM[:1000])
        daemon.until(lambda: len(_pending(daemon)) > len(before))
        assert _send(daemon, batch, FILM).status == 409
        whole = daemon.ask("PUT", f"/api/v1/uploads/{batch}/RIDE.MP4", raw=FILM, headers=KIND)
        assert whole.status == 409
        assert whole.json["detail"] == "RIDE.MP4 is being sent already."


def test_what_came_before_a_connection_was_cut_counts(daemon: Served, batch: str) -> None:
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as connection:
        connection.sendall(_head(daemon, batch, len(FILM)) + FILM[:HALF])
    daemon.until(lambda: _progress(daemon, batch).status == 200)
    n_bytes = _progress(daemon, batch).json["n_bytes"]
    assert 0 < n_bytes <= HALF
    assert _send(daemon, batch, FILM[n_bytes:], n_bytes).json["is_whole"]
    assert _path(daemon, batch).read_bytes() == FILM


def test_whoever_falls_silent_makes_room_for_the_next(
    daemon: Served, batch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So few that they come all at once, however busy the computer is.
    n_bytes = 1000
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as connection:
        with monkeypatch.context() as patch:
            patch.setattr(pieces, "SILENCE_S", 0.2)
            connection.sendall(_head(daemon, batch, len(FILM)) + FILM[:n_bytes])
            assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")
        assert _progress(daemon, batch).json["n_bytes"] == n_bytes
        assert _send(daemon, batch, FILM[n_bytes:], n_bytes).json["is_whole"]


def test_what_is_not_sure_to_be_on_disk_is_sent_again(daemon: Served, batch: str) -> None:
    before = _pending(daemon)
    _send(daemon, batch, FILM[:HALF])
    (folder,) = set(_pending(daemon)) - set(before)
    # As after a loss of power: the file was made longer, and what belongs there was never written.
    with (folder / "content").open("ab") as file:
        file.write(bytes(len(FILM)))
    assert _progress(daemon, batch).json["n_bytes"] == HALF
    assert _send(daemon, batch, FILM[HALF:], HALF).json["is_whole"]
    assert _path(daemon, batch).read_bytes() == FILM


def test_what_lacks_only_its_name_gets_it_with_a_piece_of_nothing(daemon: Served, batch: str) -> None:
    before = _pending(daemon)
    _send(daemon, batch, FILM[:-1])
    (folder,) = set(_pending(daemon)) - set(before)
    # As a daemon leaves it that is killed right before the last step.
    (folder / "content").write_bytes(FILM)
    (folder / "note.json").write_text(json.dumps({"n_bytes": len(FILM), "length": len(FILM)}), "utf-8")
    assert not _progress(daemon, batch).json["is_whole"]
    assert _send(daemon, batch, b"", len(FILM)).json["is_whole"]
    assert _path(daemon, batch).read_bytes() == FILM


@pytest.mark.skipif(sys.platform == "win32", reason="links need leave on Windows")
def test_p7_a_folder_that_is_a_link_leads_nowhere(tmp_path: Path) -> None:
    with served(tmp_path / "fresh") as daemon:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        daemon.services.places.footage.mkdir(parents=True)
        daemon.services.places.uploads.symlink_to(elsewhere)
        assert _send(daemon, "b", FILM[:HALF]).status == 409
        daemon.services.places.uploads.unlink()
        _send(daemon, "b", FILM[:HALF])
        (daemon.services.places.footage / "b").symlink_to(elsewhere)
        assert _send(daemon, "b", FILM[HALF:], HALF).status == 409
        assert not list(elsewhere.iterdir())


def test_what_was_given_up_goes_after_a_week(daemon: Served, batch: str) -> None:
    before = _pending(daemon)
    _send(daemon, batch, FILM[:HALF])
    (folder,) = set(_pending(daemon)) - set(before)

    def prune_after(days: float) -> int:
        for path in (*folder.iterdir(), folder):
            os.utime(path, (now() - days * DAY_S,) * 2)
        prune(daemon.services.places, daemon.services.store, Keep(artifacts_gb=1e-9, days=1e-9))
        return _progress(daemon, batch).status

    assert [prune_after(6.9), prune_after(7.1)] == [200, 404]
    assert not folder.exists()


# --- a daemon of its own -----------------------------------------------------------------------------


def _ask(daemon: Daemon, method: str, content: bytes | None = None, offset: int = 0) -> tuple[int, Any]:
    sent = {"Authorization": f"Bearer {daemon.token}"} | ({} if content is None else _said(offset, len(FILM)))
    connection = http.client.HTTPConnection(daemon.url.removeprefix("http://"), timeout=60)
    connection.request(method, "/api/v1/uploads/b/RIDE.tmp.MP4", content, sent)
    answer = connection.getresponse()
    document = json.loads(answer.read())
    connection.close()
    return answer.status, document


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path)
    yield daemon
    assert daemon.stop() == 0


def test_p3_p4_a_daemon_that_is_killed_in_the_middle_goes_on_where_it_was(own: Daemon) -> None:
    own.start()
    assert _ask(own, "PATCH", FILM[:HALF])[0] == 200
    with socket.create_connection(("127.0.0.1", int(own.url.rpartition(":")[2])), timeout=30) as connection:
        head = _head_of(own.url, own.token, "b/RIDE.tmp.MP4", HALF, len(FILM) - HALF)
        connection.sendall(head + FILM[HALF : HALF + 500_000])
        content = next(Places(own.data).uploads.glob("*/content"))
        own.until(lambda: content.stat().st_size > HALF)
        own.kill()
    own.start()
    footage = Places(own.data).footage
    assert not (footage / "b").exists()
    status, found = _ask(own, "GET")
    assert (status, found["n_bytes"], found["is_whole"]) == (200, HALF, False)
    assert _ask(own, "PATCH", FILM[HALF:], HALF)[1]["is_whole"]
    assert (footage / "b" / "RIDE.tmp.MP4").read_bytes() == FILM


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody limit the size of files")
def test_p4_a_full_disk_gets_a_sentence_and_what_had_come_stays(own: Daemon) -> None:
    own.start(largest_file_bytes=2**20)
    assert _ask(own, "PATCH", FILM[:1000])[0] == 200
    status, problem = _ask(own, "PATCH", FILM[1000:], 1000)
    assert status == 507
    assert "RIDE.tmp.MP4 could not be kept" in problem["detail"]
    assert own.stop() == 0
    own.start()
    n_bytes = _ask(own, "GET")[1]["n_bytes"]
    assert n_bytes == 1000
    assert _ask(own, "PATCH", FILM[n_bytes:], n_bytes)[1]["is_whole"]
    assert (Places(own.data).footage / "b" / "RIDE.tmp.MP4").read_bytes() == FILM


def _head(daemon: Served, batch: str, n_bytes: int) -> bytes:
    return _head_of(f"http://127.0.0.1:{daemon.port}", TOKEN, f"{batch}/RIDE.MP4", 0, n_bytes)


def _head_of(url: str, token: str, upload: str, offset: int, n_bytes: int) -> bytes:
    return (
        f"PATCH /api/v1/uploads/{upload} HTTP/1.1\r\nHost: {url.removeprefix('http://')}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/octet-stream\r\n"
        f"Upload-Offset: {offset}\r\nUpload-Length: {len(FILM)}\r\nContent-Length: {n_bytes}\r\n\r\n"
    ).encode()
