"""What each format would carry of a run's markers, told before anything is written, and all of them as one
.zip."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mtbsync_daemon.jobs.children import ChildProcesses
from mtbsync_daemon.jobs.executor import Outcome, Task
from mtbsync_daemon.tasks import deliver, offers
from mtbsync_daemon.tasks import zip as zipped
from mtbsync_integrations.formats import describe, format_names, get_format
from support.served import Served, Silent, carried, served

NAMES = format_names()
MARKERS = (
    carried("gate", 10.0, colour="Fuchsia", comment="brake", needs_review=True, expected_error_s=0.8),
    carried("drop", 10.0, name="Drop, low", duration_s=2.0, extra=(("line", "left"),)),
    carried("corner", 40.0, colour="#12ab9f"),
    carried("lost", 50.0, t_s=None, reason="the run ends before"),
    carried("own", 60.0, t_ref_s=None, name="My own"),
)


def params(markers: tuple[dict[str, Any], ...] = MARKERS, rate: str = "30000/1001") -> dict[str, Any]:
    """A run as tasks get it."""
    run = {
        "files": ["/rides/GX010034.MP4"],
        "starts_s": [0.0],
        "rate": rate,
        "duration_s": 300.0,
        "start_timecode": None,
        "width": 1920,
        "height": 1080,
        "has_audio": True,
    }
    return {"run": run, "copies": [], "markers": list(markers)}


# --- offers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", ["25", "30000/1001", "1000000/41667"], ids=["25", "29.97", "odd"])
def test_what_is_offered_is_what_writing_then_tells(rate: str, tmp_path: Path) -> None:
    told = {offer["format"]: offer for offer in offers.run(params(rate=rate), Silent())["offers"]}
    assert tuple(told) == NAMES
    for name, offer in told.items():
        wanted = {"formats": [name], "folder": str(tmp_path), "stem": "RIDE", "written": {}}
        if offer["problem"]:
            with pytest.raises(deliver.formats.ExportError) as refused:
                deliver.run({**params(rate=rate), **wanted}, Silent())
            assert offer["problem"] == str(refused.value)
            continue
        written = deliver.run({**params(rate=rate), **wanted}, Silent())["exports"]
        assert [e["losses"] for e in written] == [offer["losses"]] * len(written)
        names = [Path(e["path"]).name for e in written]
        assert names == [deliver.file_name("RIDE", name, suffix) for suffix in offer["suffixes"]]


def test_offering_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    offers.run(params(), Silent())
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_cannot_hold_it_says_why() -> None:
    told = {o["format"]: o for o in offers.run(params(rate="1000000/41667"), Silent())["offers"]}
    refused = {name for name, offer in told.items() if offer["problem"]}
    assert refused == {"premiere"}
    assert told["premiere"]["losses"] == []
    assert told["premiere"]["suffixes"] == [get_format("premiere").SUFFIX]


def test_a_person_s_own_marker_where_the_reference_shows_nothing_is_written_too() -> None:
    (own,) = (m for m in deliver.timeline_of(params()).markers if m.marker_id == "own")
    assert own.name == "My own"
    assert own.frame == round(60.0 * 30000 / 1001)
    assert own.transferred is None


# --- over HTTP ------------------------------------------------------------------------------------


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, 'formats = ["csv", "edl"]') as found:
        yield found


@pytest.fixture
def run(daemon: Served) -> str:
    """A run with markers."""
    recording_id = daemon.know("RIDE.MP4")
    daemon.place(recording_id, MARKERS[:4])
    return recording_id


def test_offers_of_a_run(daemon: Served, run: str) -> None:
    told = daemon.get(f"/recordings/{run}/offers")
    assert told["folder"] == str(daemon.services.places.output)
    assert [offer["format"] for offer in told["offers"]] == list(NAMES)
    assert [offer["format"] for offer in told["offers"] if offer["is_usual"]] == ["csv", "edl"]
    assert all(offer["description"] == describe(offer["format"]) for offer in told["offers"])
    assert all(offer["written"] == [] for offer in told["offers"])
    assert daemon.get("/exports")["exports"] == []


def test_offers_tell_what_was_written_the_newest_first(daemon: Served, run: str) -> None:
    daemon.post("/exports", {"recording": run, "formats": ["csv"]})
    daemon.until_idle()
    (export,) = daemon.get("/exports")["exports"]
    told = {offer["format"]: offer for offer in daemon.get(f"/recordings/{run}/offers")["offers"]}
    assert told["csv"]["written"] == [export]
    assert told["edl"]["written"] == []


def test_offers_are_of_the_markers_as_they_are_now(daemon: Served, run: str) -> None:
    def losses() -> list[str]:
        offered = daemon.get(f"/recordings/{run}/offers")["offers"]
        return next(offer["losses"] for offer in offered if offer["format"] == "edl")

    assert any("brake" in sentence or "omment" in sentence for sentence in losses())
    daemon.place(run, [carried("corner", 40.0, colour="")])
    assert not any("omment" in sentence for sentence in losses())


@pytest.mark.parametrize("what", ["offers", "exports.zip"])
def test_a_run_without_markers_says_so(daemon: Served, what: str) -> None:
    recording_id = daemon.know("OTHER.MP4")
    reply = daemon.ask("GET", f"/api/v1/recordings/{recording_id}/{what}")
    assert reply.status == 409
    assert reply.json["detail"] == "OTHER.MP4 has no markers yet that could be written."
    assert daemon.ask("GET", f"/api/v1/recordings/unknown/{what}").status == 404


# --- all of them ----------------------------------------------------------------------------------


def test_the_zip_holds_every_file_that_delivering_writes(tmp_path: Path) -> None:
    path, folder = tmp_path / "all.zip", tmp_path / "files"
    zipped.run({**params(), "stem": "RIDE", "path": str(path)}, Silent())
    wanted = {"formats": list(NAMES), "folder": str(folder), "stem": "RIDE", "written": {}}
    deliver.run({**params(), **wanted}, Silent())
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        held = {name: archive.read(name) for name in archive.namelist()}
    losses = held.pop(zipped.LOSSES).decode()
    assert held == {file.name: file.read_bytes() for file in folder.iterdir()}
    for offer in offers.run(params(), Silent())["offers"]:
        _, _, about = losses.partition(deliver.file_name("RIDE", offer["format"], offer["suffixes"][0]))
        listed = [f"  - {sentence}" for sentence in offer["losses"] or ["Nothing is lost."]]
        assert about.partition("\n\n")[0].rstrip("\n").split("\n")[1:] == listed


def test_the_zip_tells_what_could_not_be_written(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    odd = params(rate="1000000/41667")
    zipped.run({**odd, "stem": "RIDE", "path": str(path)}, Silent())
    refused = [o for o in offers.run(odd, Silent())["offers"] if o["problem"]]
    with zipfile.ZipFile(path) as archive:
        losses = archive.read(zipped.LOSSES).decode()
        assert len(archive.namelist()) == len(NAMES) - len(refused) + 1
    for offer in refused:
        assert f"{offer['description']}: not written\n  - {offer['problem']}" in losses


def test_the_same_markers_give_the_same_zip(daemon: Served, run: str) -> None:
    first = daemon.ask("GET", f"/api/v1/recordings/{run}/exports.zip")
    assert first.status == 200
    assert first.headers["Content-Type"] == "application/zip"
    assert first.headers["Content-Disposition"] == "attachment; filename*=UTF-8''RIDE.zip"
    names = zipfile.ZipFile(io.BytesIO(first.body)).namelist()
    assert names[0] == "RIDE_avid.txt"
    assert names[-1] == zipped.LOSSES
    assert daemon.ask("GET", f"/api/v1/recordings/{run}/exports.zip").body == first.body
    daemon.place(run, [carried("gate", 11.0)])
    assert daemon.ask("GET", f"/api/v1/recordings/{run}/exports.zip").body != first.body


def test_several_that_ask_at_once_get_a_zip_each_and_no_file_is_left(daemon: Served, run: str) -> None:
    daemon.executor.goes_on.clear()
    with ThreadPoolExecutor(2) as people:
        asked = [people.submit(daemon.ask, "GET", f"/api/v1/recordings/{run}/exports.zip") for _ in range(2)]
        daemon.until(lambda: daemon.executor.started.count("zip") == 2)
        daemon.executor.goes_on.set()
        replies = [one.result() for one in asked]
    assert [reply.status for reply in replies] == [200, 200]
    assert replies[0].body == replies[1].body
    assert zipfile.ZipFile(io.BytesIO(replies[0].body)).testzip() is None
    assert not list((daemon.services.places.artifacts / "zips").iterdir())


def test_another_process_makes_the_same_zip(tmp_path: Path) -> None:
    here, there = tmp_path / "here.zip", tmp_path / "there.zip"
    zipped.run({**params(), "stem": "RIDE", "path": str(here)}, Silent())
    wanted = {**params(), "stem": "RIDE", "path": str(there)}

    async def make() -> Outcome:
        children = ChildProcesses(1, 1)
        try:
            task = Task("zip", "mtbsync_daemon.tasks.zip:run", wanted, tmp_path / "log")
            return await children.run(task, lambda progress: None)
        finally:
            await children.close()

    assert asyncio.run(make()).error == ""
    assert there.read_bytes() == here.read_bytes()
