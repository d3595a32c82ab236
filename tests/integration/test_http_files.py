"""A recording's files by HTTP range requests: exactly the bytes that are on disk, and nobody else's."""

from __future__ import annotations

import errno
import http.client
import random
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.served import TOKEN, Served, served

CONTENT = random.Random(7).randbytes(700_001)
N = len(CONTENT)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("daemon")) as found:
        yield found


@pytest.fixture(scope="module")
def video(daemon: Served) -> str:
    """The path of the second chapter's video."""
    paths = [daemon.film("GX010034.MP4", b"first"), daemon.film("GX020034.MP4", CONTENT)]
    daemon.film("GL020034.LRV", b"small")
    (found,) = daemon.post("/recordings", {"paths": [str(path) for path in paths]})["recordings"]
    return f"/api/v1/recordings/{found['id']}/files/1"


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, N),
        ("bytes=5-9", 5, 10),
        ("bytes=262143-262144", 262143, 262145),
        (f"bytes={N - 1}-", N - 1, N),
        (f"bytes=10-{N + 50}", 10, N),
        ("bytes=-1", N - 1, N),
        (f"bytes=-{N + 9}", 0, N),
        (" bytes=5-9 ", 5, 10),
    ],
)
def test_a_part_is_those_bytes(daemon: Served, video: str, asked: str, first: int, end: int) -> None:
    reply = daemon.ask("GET", video, headers={"Range": asked})
    assert reply.status == 206
    assert reply.headers["Content-Range"] == f"bytes {first}-{end - 1}/{N}"
    assert reply.headers["Content-Length"] == str(end - first)
    assert reply.body == CONTENT[first:end]


@pytest.mark.parametrize(
    "asked",
    [
        None,
        "",
        "bytes=",
        "bytes=-",
        "bytes=9-5",
        "bytes=a-b",
        "lines=0-5",
        "bytes=0-1,5-6",
        "bytes=+1-2",
        "0-5",
    ],
)
def test_without_a_part_that_can_be_understood_it_is_the_whole(
    daemon: Served, video: str, asked: str | None
) -> None:
    reply = daemon.ask("GET", video, headers={"Range": asked})
    assert (reply.status, reply.headers["Content-Length"]) == (200, str(N))
    assert "Content-Range" not in reply.headers
    assert reply.headers["Content-Type"] == "video/mp4"
    assert reply.headers["Accept-Ranges"] == "bytes"
    assert reply.body == CONTENT


@pytest.mark.parametrize("asked", [f"bytes={N}-", f"bytes={10**17}-", "bytes=-0"])
def test_a_part_behind_the_end_is_none(daemon: Served, video: str, asked: str) -> None:
    reply = daemon.ask("GET", video, headers={"Range": asked})
    assert (reply.status, reply.headers["Content-Range"]) == (416, f"bytes */{N}")


def test_a_part_of_what_was_there_before_is_the_whole_of_what_is_there_now(
    daemon: Served, video: str
) -> None:
    seen = daemon.ask("HEAD", video).headers
    for same in (seen["ETag"], seen["Last-Modified"]):
        assert daemon.ask("GET", video, headers={"Range": "bytes=0-4", "If-Range": same}).status == 206
    for other in ('"other"', f"W/{seen['ETag']}", "Thu, 01 Jan 1970 00:00:00 GMT", ""):
        reply = daemon.ask("GET", video, headers={"Range": "bytes=0-4", "If-Range": other})
        assert (reply.status, len(reply.body)) == (200, N), other
    assert daemon.ask("GET", video, headers={"If-None-Match": seen["ETag"]}).status == 304


def test_head_says_how_much_there_is(daemon: Served, video: str) -> None:
    head = daemon.ask("HEAD", video, headers={"Range": "bytes=5-9"})
    assert (head.status, head.body, head.headers["Content-Length"]) == (206, b"", "5")


def test_the_low_resolution_copy_is_given_where_there_is_one(daemon: Served, video: str) -> None:
    assert daemon.ask("GET", f"{video}?which=camera").body == b"small"
    assert daemon.ask("GET", f"{video}?which=original").body == CONTENT
    assert daemon.ask("GET", f"{video[:-1]}0?which=camera").status == 404
    assert daemon.ask("GET", f"{video}?which=maybe").status == 400
    assert daemon.ask("GET", f"{video}?path=x").status == 400


def test_a_compressed_neighbour_is_not_given_in_its_place(daemon: Served, video: str) -> None:
    daemon.film("GX020034.MP4.gz", b"neighbour")
    daemon.film("GX020034.MP4.br", b"neighbour")
    assert daemon.ask("GET", video, headers={"Accept-Encoding": "gzip, br"}).body == CONTENT


@pytest.mark.parametrize(
    "ordinal",
    [
        "2",
        "-1",
        "x",
        "1.0",
        "9" * 40,
        "%C2%B2",
        "../1",
        "..%2f..%2fmtbsync.toml",
        "..%252f..%252fmtbsync.toml",
        "%2fetc%2fpasswd",
        "..%5c..%5cmtbsync.toml",
        "1%00",
        "%2e%2e",
    ],
)
def test_p7_no_path_comes_from_the_request(daemon: Served, video: str, ordinal: str) -> None:
    reply = daemon.ask("GET", f"{video[:-1]}{ordinal}")
    assert reply.status in (400, 404)
    assert b"roots" not in reply.body


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_p7_a_file_that_became_a_link_out_of_the_roots_is_not_served(daemon: Served) -> None:
    recording_id = daemon.know("RIDE.MP4")
    path = f"/api/v1/recordings/{recording_id}/files/0"
    assert daemon.ask("GET", path).status == 200
    secret = daemon.footage.parent / "secret"
    secret.write_bytes(b"not yours")
    (daemon.footage / "RIDE.MP4").unlink()
    assert daemon.ask("GET", path).status == 404
    (daemon.footage / "RIDE.MP4").symlink_to(secret)
    assert daemon.ask("GET", path).status == 403


def test_p7_footage_whose_folder_is_no_longer_named_in_the_settings_is_not_served(
    daemon: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/api/v1/recordings/{daemon.know('OTHER.MP4')}/files/0"
    settings = daemon.services.settings
    monkeypatch.setattr(settings, "current", settings.current.model_copy(update={"roots": ()}))
    assert daemon.ask("GET", path).status == 403


def test_p1_a_player_that_goes_away_midway_leaves_nothing_behind(daemon: Served) -> None:
    recording_id = daemon.know("LONG.MP4")
    with (daemon.footage / "LONG.MP4").open("r+b") as file:
        file.truncate(2**28)
    for _ in range(3):
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        connection.request("GET", f"/api/v1/recordings/{recording_id}/files/0", headers=headers)
        answer = connection.getresponse()
        assert answer.read(4) == b"LONG"
        connection.sock.close()
        answer.close()
    last = daemon.ask("GET", f"/api/v1/recordings/{recording_id}/files/0", headers={"Range": "bytes=-2"})
    assert last.body == b"\0\0"


def test_a_file_that_becomes_shorter_while_it_is_sent_breaks_the_answer_off(daemon: Served) -> None:
    recording_id = daemon.know("SHRINKS.MP4")
    path = daemon.footage / "SHRINKS.MP4"
    with path.open("r+b") as file:
        file.truncate(2**28)
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    connection.request("GET", f"/api/v1/recordings/{recording_id}/files/0", headers=headers)
    answer = connection.getresponse()
    assert answer.read(7) == b"SHRINKS"
    with path.open("r+b") as file:
        file.truncate(2**20)
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    connection.close()
    assert daemon.ask("GET", "/api/v1/health").status == 200


def test_files_that_hang_hold_up_each_other_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_file, goes_on, hung = Path.is_file, threading.Event(), threading.Semaphore(0)

    def hangs(self: Path) -> bool:
        if self.name == "HUNG.MP4":
            hung.release()
            goes_on.wait(60)
        return is_file(self)

    with served(tmp_path) as daemon, ThreadPoolExecutor(40) as people:
        known = daemon.know("HUNG.MP4")
        monkeypatch.setattr(Path, "is_file", hangs)
        path = f"/api/v1/recordings/{known}/files/0"
        # More than there are threads of either kind.
        asked = [people.submit(daemon.ask, "GET", path) for _ in range(40)]
        try:
            for _ in range(4):
                assert hung.acquire(timeout=30)
            assert daemon.get("/recordings")["recordings"][0]["id"] == known
            daemon.refer(known, "Home")
            assert len(daemon.get("/trails")["trails"]) == 1
        finally:
            goes_on.set()
        assert {reply.result().status for reply in asked} == {200}


def test_a_file_that_cannot_be_reached_is_not_there(
    daemon: Served, video: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: Path) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_file", fails)
        reply = daemon.ask("GET", video)
    assert (reply.status, "is not there now" in reply.json["detail"]) == (404, True)
