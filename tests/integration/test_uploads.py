"""Footage that the page sends: it is kept whole or not at all, under names that every system knows."""

from __future__ import annotations

import http.client
import os
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest

from mtbsync_daemon import doctor
from mtbsync_daemon.config import Keep
from mtbsync_daemon.places import Places
from mtbsync_daemon.prune import prune
from mtbsync_engine.files import remove_all_unfinished
from support.daemons import Daemon
from support.served import TOKEN, Reply, Served, served

KIND = {"Content-Type": "application/octet-stream"}
BIG = 3 * 2**20 + 7


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("daemon")) as found:
        yield found


@pytest.fixture
def batch(request: pytest.FixtureRequest) -> str:
    """A batch of the test's own."""
    return sha256(request.node.name.encode()).hexdigest()[:16]


def _send(daemon: Served, batch: str, name: str, content: bytes = b"film", **headers: str | None) -> Reply:
    sent = KIND | {key.replace("_", "-"): value for key, value in headers.items()}
    return daemon.ask("PUT", f"/api/v1/uploads/{batch}/{quote(name, safe='')}", raw=content, headers=sent)


def _footage(daemon: Served) -> Path:
    return daemon.services.places.footage


def _kept(daemon: Served, batch: str) -> list[str]:
    folder = _footage(daemon) / batch
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_file_comes_to_lie_in_mtbsync_s_own_folder_byte_for_byte(daemon: Served, batch: str) -> None:
    content = os.urandom(BIG)
    reply = _send(daemon, batch, "GX010034.MP4", content)
    assert reply.status == 200, reply.body
    path = Path(reply.json["path"])
    assert path == _footage(daemon) / batch / "GX010034.MP4"
    assert path.read_bytes() == content
    assert _kept(daemon, batch) == ["GX010034.MP4"]


def test_what_was_sent_becomes_a_recording_that_any_trail_may_fit(daemon: Served, batch: str) -> None:
    daemon.refer(daemon.know("REF.MP4"), "Home")
    paths = [
        _send(daemon, batch, name, name.encode()).json["path"] for name in ("GX010077.MP4", "GX020077.MP4")
    ]
    assert _send(daemon, batch, "GL010077.LRV").status == 200
    (found,) = daemon.post("/recordings", {"paths": paths})["recordings"]
    assert [file["path"] for file in found["files"]] == paths
    daemon.until_idle()
    assert daemon.get(f"/recordings/{found['id']}")["sync"]["verdict"] == "accept"


def test_a_run_that_was_sent_before_there_was_a_trail_is_lined_up_with_the_first(tmp_path: Path) -> None:
    with served(tmp_path / "fresh") as daemon:
        path = _send(daemon, "b", "RIDE.MP4").json["path"]
        (run,) = daemon.post("/recordings", {"paths": [path]})["recordings"]
        daemon.until_idle()
        assert daemon.get(f"/recordings/{run['id']}")["sync"] is None
        daemon.post("/trails", {"recording": daemon.know("REF.MP4"), "name": "Home"})
        daemon.until_idle()
        assert daemon.get(f"/recordings/{run['id']}")["sync"]["verdict"] == "accept"


@pytest.mark.parametrize(
    "name",
    [
        "../GX010001.MP4",
        "..\\GX010001.MP4",
        "/GX010001.MP4",
        "C:GX010001.MP4",
        "..",
        ".MP4",
        ".hidden.MP4",
        "~GX010001.MP4",
        "GX\0.MP4",
        "GX\n.MP4",
        "GX?.MP4",
        "GX010001.MP4.",
        "GX010001.MP4 ",
        "con.MP4",
        "Lpt1.a.MP4",
        "COM¹.MP4",
        "aux .MP4",
        "x" * 200 + ".MP4",
        "RIDE.MP4.part",
        "RIDE.exe",
        "RIDE",
        "settings.toml",
        "page.html",
    ],
)
def test_p7_only_names_of_footage_that_are_one_segment_are_taken(
    daemon: Served, batch: str, name: str
) -> None:
    before = sorted(_footage(daemon).parent.rglob("*"))
    reply = _send(daemon, batch, name)
    assert reply.status in (400, 404, 422), reply.body
    assert sorted(_footage(daemon).parent.rglob("*")) == before


@pytest.mark.parametrize("name", ["..", "%2e%2e", "a%2Fb", "a%20b", "x" * 65, "-a", "con", "%00", "%C3%A4"])
def test_p7_a_batch_is_a_plain_word(daemon: Served, name: str) -> None:
    reply = daemon.ask("PUT", f"/api/v1/uploads/{name}/RIDE.MP4", raw=b"film", headers=KIND)
    assert reply.status in (400, 404, 422), reply.body
    assert not [path for path in _footage(daemon).rglob("RIDE.MP4") if path.read_bytes() == b"film"]


@pytest.mark.parametrize("name", ["Fahrt am Süßen Berg.mp4", "run 😀.MOV", "Commute.mp4", "a.b.gpx", "x.THM"])
def test_names_that_people_give_are_taken(daemon: Served, batch: str, name: str) -> None:
    assert _send(daemon, batch, name).status == 200
    assert _kept(daemon, batch) == [name]


def test_a_file_of_that_name_is_never_written_over(daemon: Served, batch: str) -> None:
    path = Path(_send(daemon, batch, "RIDE.MP4", b"first").json["path"])
    reply = _send(daemon, batch, "RIDE.MP4", b"second")
    assert reply.status == 409
    assert reply.json["detail"].endswith(".")
    assert path.read_bytes() == b"first"
    assert _kept(daemon, batch) == ["RIDE.MP4"]


def test_an_empty_file_is_refused_with_a_sentence(daemon: Served, batch: str) -> None:
    reply = _send(daemon, batch, "RIDE.MP4", b"")
    assert reply.status == 422
    assert reply.json["detail"] == "RIDE.MP4 is empty; copy it from the card once more."
    assert not (_footage(daemon) / batch).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need leave on Windows")
@pytest.mark.parametrize("is_there", [True, False])
def test_p7_a_batch_that_is_a_link_leads_nowhere(
    daemon: Served, batch: str, tmp_path: Path, is_there: bool
) -> None:
    elsewhere = tmp_path / "elsewhere"
    if is_there:
        elsewhere.mkdir()
    _footage(daemon).mkdir(parents=True, exist_ok=True)
    (_footage(daemon) / batch).symlink_to(elsewhere)
    reply = _send(daemon, batch, "RIDE.MP4")
    assert reply.status == 409
    assert "is a link to elsewhere" in reply.json["detail"]
    assert not list(elsewhere.glob("*"))


def test_of_several_that_send_the_same_name_at_once_one_is_kept_whole(daemon: Served, batch: str) -> None:
    contents = [bytes([k]) * BIG for k in range(6)]
    with ThreadPoolExecutor(6) as threads:
        replies = list(threads.map(lambda content: _send(daemon, batch, "RIDE.MP4", content), contents))
    assert sorted(reply.status for reply in replies) == [200, 409, 409, 409, 409, 409]
    winner = next(k for k, reply in enumerate(replies) if reply.status == 200)
    assert (_footage(daemon) / batch / "RIDE.MP4").read_bytes() == contents[winner]
    assert _kept(daemon, batch) == ["RIDE.MP4"]


def test_p4_a_connection_that_is_cut_leaves_nothing(daemon: Served, batch: str) -> None:
    folder = _footage(daemon) / batch
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as connection:
        connection.sendall(_head(daemon, batch, "RIDE.MP4", BIG) + b"x" * 2**20)
        daemon.until(lambda: _n_bytes(folder) > 0)
        assert not (folder / "RIDE.MP4").exists()
    daemon.until(lambda: not folder.exists())
    assert _send(daemon, batch, "RIDE.MP4").status == 200


def test_p4_what_a_killed_daemon_left_is_taken_away_at_its_next_start(daemon: Served, batch: str) -> None:
    folder = _footage(daemon) / batch
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as connection:
        connection.sendall(_head(daemon, batch, "RIDE.MP4", BIG) + b"x" * 2**20)
        daemon.until(lambda: _n_bytes(folder) > 0)
        _send(daemon, batch, "OTHER.MP4")
        # What the daemon does first when it starts.
        remove_all_unfinished(_footage(daemon))
        assert _kept(daemon, batch) == ["OTHER.MP4"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody limit the size of files")
def test_p4_a_full_disk_gets_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    daemon.start(largest_file_bytes=2**20)
    try:
        sent = KIND | {"Authorization": f"Bearer {daemon.token}"}
        connection = http.client.HTTPConnection(daemon.url.removeprefix("http://"), timeout=60)
        connection.request("PUT", "/api/v1/uploads/b/RIDE.MP4", b"x" * BIG, sent)
        answer = connection.getresponse()
        assert answer.status == 507
        assert b"RIDE.MP4 could not be kept" in answer.read()
        connection.close()
        assert not (Places(daemon.data).footage / "b").exists()
    finally:
        assert daemon.stop() == 0


def test_what_cannot_fit_is_refused_before_it_is_sent(daemon: Served, batch: str) -> None:
    reply = _send(daemon, batch, "RIDE.MP4", b"x", Content_Length=str(2**60))
    assert reply.status == 507
    assert "1152921504.6 GB" in reply.json["detail"]
    assert _kept(daemon, batch) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Length": None, "Transfer-Encoding": "chunked"}, 411),
    ],
)
def test_p10_what_is_not_sent_as_it_is_is_refused(
    daemon: Served, batch: str, headers: dict[str, str | None], status: int
) -> None:
    raw = b"4\r\nfilm\r\n0\r\n\r\n" if "Transfer-Encoding" in headers else b"film"
    reply = _send(daemon, batch, "RIDE.MP4", raw, **headers)
    assert reply.status == status, reply.body
    assert _kept(daemon, batch) == []


def test_p7_nothing_is_taken_from_those_who_may_not_send(daemon: Served, batch: str) -> None:
    head = _head(daemon, batch, "RIDE.MP4", BIG, token="wrong", more="Expect: 100-continue\r\n")
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as connection:
        connection.sendall(head)
        assert connection.recv(4096).startswith(b"HTTP/1.1 401 ")
    head = _head(daemon, batch, "RIDE.MP4", BIG, more="Expect: 100-continue\r\n")
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as connection:
        connection.sendall(head)
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"x" * BIG)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_what_was_dropped_is_never_pruned_and_the_doctor_says_that_it_may_be_all_there_is(
    daemon: Served, batch: str
) -> None:
    path = Path(_send(daemon, batch, "RIDE.MP4").json["path"])
    os.utime(path, (0, 0))
    prune(daemon.services.places, daemon.services.store, Keep(artifacts_gb=1e-9, days=1e-9))
    assert path.read_bytes() == b"film"
    found = doctor.look_at_footage(_footage(daemon))
    assert str(_footage(daemon)) in found.sentence
    assert "only copy" in found.remedy


def _head(
    daemon: Served, batch: str, name: str, n_bytes: int, *, token: str = TOKEN, more: str = ""
) -> bytes:
    return (
        f"PUT /api/v1/uploads/{batch}/{name} HTTP/1.1\r\nHost: 127.0.0.1:{daemon.port}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Length: {n_bytes}\r\n{more}\r\n"
    ).encode()


def _n_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob(".*")) if folder.exists() else 0
