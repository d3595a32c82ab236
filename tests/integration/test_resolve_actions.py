"""Every line of Resolve's menu, run as Resolve runs it: the installed file, a strict fake of Resolve, and the
daemon's real interface over a real library.

P6: every change can be undone, and markers that the user made or moved are never touched.
"""

from __future__ import annotations

import io
import json
import runpy
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mtbsync_daemon.store import pushes
from mtbsync_integrations.resolve.install import install, menu_folder
from support.resolve_fake import Bmd, Fusion, Project, Resolve, Timeline, UIManager
from support.served import TOKEN, Served, carried, served

RUN, REF = "GX010034.MP4", "GX010001.MP4"


@dataclass
class Studio:
    """Resolve with the scripts installed, and a daemon beside it."""

    scripts: Path
    daemon_json: Path
    daemon: Served
    resolve: Resolve = field(default_factory=Resolve)
    fusion: Fusion = field(default_factory=Fusion)
    bmd: Bmd = field(default_factory=Bmd)

    def menu(self, title: str) -> None:
        """The person chooses a line of the menu."""
        given = {"resolve": self.resolve, "fusion": self.fusion, "fu": self.fusion, "bmd": self.bmd}
        runpy.run_path(str(menu_folder(self.scripts) / f"{title}.py"), init_globals=given)

    @property
    def timeline(self) -> Timeline:
        """The open timeline."""
        assert self.resolve.manager.current is not None
        assert self.resolve.manager.current.timeline is not None
        return self.resolve.manager.current.timeline

    def shown(self) -> dict[int, tuple[str, str]]:
        """Name and note of the timeline's markers by frame."""
        return {int(f): (m["name"], m["note"]) for f, m in sorted(self.timeline.GetMarkers().items())}

    @property
    def run(self) -> str:
        """The path of the run's file."""
        return str(self.daemon.footage / RUN)

    @property
    def ref(self) -> str:
        """The path of the other recording's file."""
        return str(self.daemon.footage / REF)

    def ids(self) -> dict[str, str]:
        """The ids of the recordings that the daemon knows, by their names."""
        return {r["name"]: r["id"] for r in self.daemon.get("/recordings")["recordings"]}

    def references(self) -> list[str]:
        """The names of those that are references."""
        return [r["name"] for r in self.daemon.get("/recordings")["recordings"] if r["is_reference"]]

    def place(self, *placed: dict[str, Any], on: str = RUN) -> None:
        """Have the daemon know better where markers are."""
        self.daemon.place(self.ids()[on], placed)

    def pulled(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """What timelines have told, by recording and timeline."""
        names = {recording_id: name for name, recording_id in self.ids().items()}
        found = self.daemon.services.store.read(lambda db: db.execute("SELECT * FROM told").fetchall())
        return {(names[row["recording_id"]], row["timeline"]): json.loads(row["markers"]) for row in found}

    def n_pushes(self) -> int:
        """How many pushes to the open timeline stand in the journal."""
        return len(self.daemon.services.store.read(pushes.of_timeline, "Alps-Cut 1"))

    def when_noted(self, meddle: Callable[[], object]) -> None:
        """Meddle once, when the daemon writes something down."""
        left = [meddle]

        def noted() -> None:
            while left:
                left.pop()()

        self.daemon.services.store.on_change(noted)

    def tell_of(self, url: str) -> None:
        """Have scripts find that daemon."""
        self.daemon_json.write_text(json.dumps({"url": url, "token": TOKEN}), encoding="utf-8")

    def drag(self, frame: int, to: int) -> None:
        """The editor drags a marker; all it carries goes with it."""
        self.timeline._markers[float(to)] = self.timeline._markers.pop(float(frame))


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    home = tmp_path / "data"
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    monkeypatch.setenv("LOCALAPPDATA", str(home))
    folder = home / "mtbsync" / "mtbsync" if sys.platform == "win32" else home / "mtbsync"
    folder.mkdir(parents=True)
    scripts = tmp_path / "Fusion" / "Scripts"
    install(scripts)
    with served(tmp_path / "daemon") as daemon:
        studio = Studio(scripts, folder / "daemon.json", daemon)
        studio.tell_of(daemon.url)
        daemon.film(RUN)
        daemon.film(REF)
        project = Project("Alps")
        studio.resolve.manager.open(project)
        timeline = project.add_timeline("Cut 1", "25")
        timeline.put(project.add_medium(studio.run, 25.0), 100, 5000, left=250)
        yield studio
    for name in [name for name in sys.modules if name.partition(".")[0] == "mtbsync_resolve"]:
        del sys.modules[name]


@pytest.fixture
def known(studio: Studio) -> Studio:
    """The same, with the run known to the daemon and three markers on it: at frames 100, 150 and 200."""
    studio.daemon.know(RUN)
    studio.daemon.know(REF)
    studio.place(carried("gate", 10.0), carried("drop", 12.0), carried("corner", 14.0))
    return studio


# --- the promise, from beginning to end -----------------------------------------------------------


def test_p6_push_edit_push_again_and_undo(known: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    known.timeline.AddMarker(150, "Red", "my own", "keep", 1)
    known.timeline.AddMarker(900, "Red", "another tool's", "", 1, "tool:17")
    before = known.timeline.GetMarkers()

    known.menu("Push markers to timeline")
    assert known.shown() == {
        100: ("gate", ""),
        150: ("my own", "keep"),
        151: ("drop", ""),
        200: ("corner", ""),
        900: ("another tool's", ""),
    }
    said = capsys.readouterr().out
    assert "Markers: 3 added, 0 changed, 0 taken away." in said
    assert "Moved, as another marker has the frame: drop (+1 frames)." in said

    pushed = known.timeline.GetMarkers()
    known.menu("Push markers to timeline")
    assert known.timeline.GetMarkers() == pushed
    assert "Nothing to do: 3 already as wanted." in capsys.readouterr().out
    assert known.n_pushes() == 1

    # The user moves one, and mtbsync learns better where all of them are.
    known.drag(200, 207)
    known.place(carried("gate", 10.4), carried("drop", 12.4), carried("corner", 14.4))
    known.menu("Push markers to timeline")
    assert {frame: name for frame, (name, _) in known.shown().items()} == {
        110: "gate",
        150: "my own",
        160: "drop",
        207: "corner",
        900: "another tool's",
    }
    assert "Left as you changed them: corner." in capsys.readouterr().out

    # The second push is taken back, then the first; what the user moved stays.
    known.drag(160, 161)
    known.menu("Undo last push")
    assert {frame: name for frame, (name, _) in known.shown().items()} == {
        100: "gate",
        150: "my own",
        161: "drop",
        207: "corner",
        900: "another tool's",
    }
    assert "Left as you changed them: drop." in capsys.readouterr().out
    known.menu("Undo last push")
    left = known.timeline.GetMarkers()
    assert {int(f): m["name"] for f, m in left.items()} == {
        150: "my own",
        161: "drop",
        207: "corner",
        900: "another tool's",
    }
    assert {f: m for f, m in left.items() if f in before} == before
    known.menu("Undo last push")
    assert "There is no push to take back on timeline 'Cut 1'." in capsys.readouterr().out


def test_p6_undo_brings_back_the_timeline_to_the_letter(known: Studio) -> None:
    known.menu("Push markers to timeline")
    before = known.timeline.GetMarkers()
    known.place(carried("gate", 12.0, comment="new"), carried("more", 50.0, duration_s=2.0))
    known.menu("Push markers to timeline")
    assert known.timeline.GetMarkers() != before
    known.menu("Undo last push")
    assert known.timeline.GetMarkers() == before


def test_p6_a_marker_that_the_user_deleted_does_not_come_back(
    known: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    known.menu("Push markers to timeline")
    known.timeline.DeleteMarkerAtFrame(150)
    known.menu("Push markers to timeline")
    assert set(known.shown()) == {100, 200}
    assert "Left out, as you removed them: drop." in capsys.readouterr().out


def test_p6_undo_works_after_a_push_that_was_cut_short(
    known: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: Timeline, *arguments: object) -> bool:
        raise KeyboardInterrupt

    known.menu("Push markers to timeline")
    before = known.timeline.GetMarkers()
    known.place(carried("gate", 20.0))
    with monkeypatch.context() as patch:
        patch.setattr(Timeline, "AddMarker", killed)
        with pytest.raises(KeyboardInterrupt):
            known.menu("Push markers to timeline")
    assert known.timeline.GetMarkers() == {}
    known.menu("Undo last push")
    # Taken away were 'drop' and 'corner'; 'gate' was neither where it was nor where it should go.
    after = known.timeline.GetMarkers()
    assert {f: m for f, m in before.items() if m["name"] != "gate"} == after


def test_p6_what_resolve_refuses_is_told_and_nothing_is_lost(
    known: Studio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known.menu("Push markers to timeline")
    before = known.timeline.GetMarkers()
    known.place(carried("gate", 20.0), carried("drop", 12.0), carried("corner", 14.0))
    add = Timeline.AddMarker
    with monkeypatch.context() as patch:
        patch.setattr(
            Timeline, "AddMarker", lambda self, frame, *more: frame != 350 and add(self, frame, *more)
        )
        known.menu("Push markers to timeline")
    assert known.timeline.GetMarkers() == before
    assert "Resolve refused: 'gate'." in capsys.readouterr().out


def test_p6_nothing_is_done_when_the_timeline_changes_under_a_push(
    known: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    known.when_noted(lambda: known.timeline.AddMarker(300, "Red", "just now", "", 1))
    known.menu("Push markers to timeline")
    assert known.shown() == {300: ("just now", "")}
    assert "changed meanwhile; nothing was done" in capsys.readouterr().out
    known.menu("Undo last push")
    assert "no push to take back" in capsys.readouterr().out


def test_p6_nothing_is_done_when_another_project_opens_under_a_push(
    known: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Project("Lakes")
    first = known.timeline

    known.when_noted(lambda: known.resolve.manager.open(other))
    known.menu("Push markers to timeline")
    assert first._markers == {}
    assert "The timeline was closed meanwhile" in capsys.readouterr().out


# --- each action -----------------------------------------------------------------------------------


def test_the_selected_clip_becomes_a_reference(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    project = studio.resolve.manager.current
    assert project is not None
    project.pool.selected = [project.add_medium(studio.ref, 25.0)]
    studio.menu("Set clip as reference")
    assert studio.references() == [REF]
    assert "GX010001.MP4 is a reference now." in capsys.readouterr().out


def test_without_a_selection_it_is_the_clip_under_the_playhead(studio: Studio) -> None:
    studio.menu("Set clip as reference")
    assert studio.references() == [RUN]


def test_two_selected_recordings_are_one_too_many(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    project = studio.resolve.manager.current
    assert project is not None
    project.pool.selected = [project.add_medium(path, 25.0) for path in (studio.ref, studio.run, "")]
    studio.menu("Set clip as reference")
    assert "That is 2 recordings. Select one." in capsys.readouterr().out
    assert studio.references() == []


def test_clips_of_the_timeline_are_synced_and_each_verdict_told(
    studio: Studio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = studio.daemon
    daemon.refer(daemon.know(REF), "Home")
    daemon.know(RUN)
    daemon.executor.goes_on.clear()

    def until_it_runs() -> None:
        daemon.until(lambda: [s["progress"] for s in daemon.get("/syncs")["syncs"]] == [0.5])

    def until_it_ends() -> None:
        daemon.executor.goes_on.set()
        daemon.until_idle()

    pauses = iter((until_it_runs, until_it_ends))
    monkeypatch.setattr("time.sleep", lambda s: next(pauses)())
    studio.menu("Sync selected clips to reference")
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == [
        "GX010034.MP4: waiting",
        "GX010034.MP4: 0 %",
        "GX010034.MP4: 50 %",
    ]
    assert "GX010034.MP4 is lined up. All agree." in said


def test_a_failed_sync_says_why(
    studio: Studio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.daemon.refer(studio.daemon.know(REF), "Home")
    studio.daemon.executor.finds = {"error": "The file is damaged."}
    monkeypatch.setattr("time.sleep", lambda s: studio.daemon.until_idle())
    studio.menu("Sync selected clips to reference")
    assert "GX010034.MP4: The file is damaged." in capsys.readouterr().out


def test_a_sync_that_a_person_stops_meanwhile_is_told_as_such(
    studio: Studio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = studio.daemon
    daemon.know(RUN)
    daemon.refer(daemon.know(REF), "Home")
    daemon.executor.goes_on.clear()

    def stop(pause_s: float) -> None:
        daemon.until(lambda: bool(daemon.get("/jobs?state=running")["jobs"]))
        (job,) = daemon.get("/jobs?state=running")["jobs"]
        daemon.post(f"/jobs/{job['id']}/cancel")

    monkeypatch.setattr("time.sleep", stop)
    studio.menu("Sync selected clips to reference")
    said = capsys.readouterr().out
    (sync,) = daemon.get("/syncs")["syncs"]
    assert sync["error"]
    assert f"GX010034.MP4: {sync['error']}" in said


def test_a_reference_is_not_synced_to_itself(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    studio.daemon.refer(studio.daemon.know(RUN), "Home")
    studio.menu("Sync selected clips to reference")
    assert "no clip here that is not a reference itself" in capsys.readouterr().out


def test_pull_tells_the_user_s_markers_and_ours_apart(known: Studio) -> None:
    known.menu("Push markers to timeline")
    known.drag(150, 155)
    known.timeline.AddMarker(400, "Red", "mine", "a note", 50)
    known.timeline.AddMarker(9000, "Red", "on no clip", "", 1)
    known.menu("Pull markers from timeline")
    pulled = known.pulled()[RUN, "Alps-Cut 1"]
    assert [(m["id"], m["t_s"], m["duration_s"], m["name"], m["changed"]) for m in pulled] == [
        ("gate", 10.0, 0.0, "gate", False),
        ("drop", 12.2, 0.0, "drop", True),
        ("corner", 14.0, 0.0, "corner", False),
        (None, 22.0, 2.0, "mine", True),
    ]


def test_pulled_markers_belong_to_their_run_and_the_user_s_to_the_topmost_clip(known: Studio) -> None:
    known.menu("Push markers to timeline")
    project = known.resolve.manager.current
    assert project is not None
    known.timeline.put(project.add_medium(known.ref, 25.0), 0, 2000, track=2)
    known.timeline.AddMarker(300, "Red", "mine", "", 1)
    known.menu("Pull markers from timeline")
    names = {key[0]: [m["name"] for m in markers] for key, markers in known.pulled().items()}
    assert names == {RUN: ["gate", "drop", "corner"], REF: ["mine"]}


def test_pull_says_nothing_of_recordings_without_a_marker(
    known: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    known.timeline.AddMarker(9000, "Red", "on no clip", "", 1)
    known.menu("Pull markers from timeline")
    assert known.pulled() == {}
    said = capsys.readouterr().out
    assert "There is no marker on a clip that mtbsync knows." in said
    assert "1 marker stands on no clip that mtbsync knows, so left out." in said


def test_review_lists_what_is_flagged_and_goes_there(
    known: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    known.place(
        carried("gate", 10.0),
        carried("drop", 12.0, needs_review=True, reason="may be 0.8 s off"),
        carried("corner", 14.0, needs_review=True, reason="few pictures agree"),
    )
    known.menu("Push markers to timeline")
    known.menu("Review flagged markers")
    assert known.timeline.playhead == "01:00:06:00"
    said = capsys.readouterr().out
    assert "01:00:06:00  drop: may be 0.8 s off" in said
    assert "01:00:08:00  corner: few pictures agree" in said
    known.drag(150, 152)
    known.menu("Review flagged markers")
    assert known.timeline.playhead == "01:00:08:00"
    known.drag(200, 201)
    capsys.readouterr()
    known.menu("Review flagged markers")
    assert "No marker on this timeline waits for review." in capsys.readouterr().out


# --- timelines as they are -------------------------------------------------------------------------


def test_markers_follow_clips_at_another_rate_than_the_timeline_s(known: Studio) -> None:
    project = known.resolve.manager.current
    assert project is not None
    timeline = project.add_timeline("NTSC", "29.97 DF", start_frame=107892)
    medium = project.add_medium(known.run, "59.94")
    # What unit the left offset has here is not sure, so it is not what counts.
    timeline.put(medium, 0, 3000, left=0, source_in=600)
    known.menu("Push markers to timeline")
    # 600 frames of 59.94 are 10.01 s, a third of a frame after the first marker.
    assert set(known.shown()) == {0, 60, 120}


def test_at_the_timeline_s_rate_the_left_offset_counts(known: Studio) -> None:
    project = known.resolve.manager.current
    assert project is not None
    timeline = project.add_timeline("Trimmed", "25")
    # Source frames have been seen one off.
    timeline.put(project.add_medium(known.run, 25.0), 0, 1000, left=240, source_in=241)
    known.menu("Push markers to timeline")
    assert set(known.shown()) == {10, 60, 110}


def test_a_clip_at_another_speed_is_passed_over_and_named(
    known: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    project = known.resolve.manager.current
    assert project is not None
    timeline = project.add_timeline("Fast", "25")
    timeline.put(project.add_medium(known.run, 25.0), 0, 1000, speed=2)
    known.menu("Push markers to timeline")
    assert "Passed over, as they play at another speed: GX010034.MP4." in capsys.readouterr().out
    assert known.shown() == {}


def test_markers_of_two_runs_with_the_same_ids_do_not_mix(known: Studio) -> None:
    project = known.resolve.manager.current
    assert project is not None
    known.place(carried("gate", 1.0), on=REF)
    known.timeline.put(project.add_medium(known.ref, 25.0), 6000, 1000)
    known.menu("Push markers to timeline")
    assert {frame: name for frame, (name, _) in known.shown().items()} == {
        100: "gate",
        150: "drop",
        200: "corner",
        6025: "gate",
    }


def test_what_the_timeline_does_not_show_is_counted(
    known: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    known.place(carried("late", 290.0))
    known.menu("Push markers to timeline")
    assert "1 marker stands in parts of the runs that this timeline does not show." in capsys.readouterr().out


def test_p6_a_reference_does_not_get_its_own_markers_back(
    known: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    known.daemon.refer(known.ids()[RUN], "Home")
    known.timeline.AddMarker(100, "Red", "gate", "", 1)
    known.menu("Push markers to timeline")
    assert known.shown() == {100: ("gate", "")}
    assert "no clip here that is not a reference itself" in capsys.readouterr().out


@pytest.mark.parametrize("page", ["Project Manager", "no timeline"])
def test_with_nothing_open_a_sentence_says_what_to_open(
    known: Studio, capsys: pytest.CaptureFixture[str], page: str
) -> None:
    known.resolve.manager.open(None if page == "Project Manager" else Project("Empty"))
    for title in ("Push markers to timeline", "Pull markers from timeline", "Undo last push"):
        known.menu(title)
        assert ("No project is open" if page == "Project Manager" else "No timeline is open") in (
            capsys.readouterr().out
        )


def test_a_timeline_of_unknown_clips_says_so(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    studio.menu("Push markers to timeline")
    assert "mtbsync knows none of the clips on timeline 'Cut 1'." in capsys.readouterr().out


# --- staying connected -----------------------------------------------------------------------------

STAY = "Stay connected to mtbsync"


@dataclass
class Person:
    """Somebody at mtbsync's page, while a script in Resolve stays connected."""

    studio: Studio

    def state(self) -> dict[str, Any]:
        """What the page shows of Resolve."""
        found: dict[str, Any] = self.studio.daemon.get("/resolve")
        return found

    def send(self, name: str = RUN) -> dict[str, Any]:
        """Send a run's markers, and wait for what came of it."""
        asked = self.studio.daemon.post("/resolve/requests", {"recording": self.studio.ids()[name]})
        return self.ended(asked["id"])

    def ended(self, request_id: str) -> dict[str, Any]:
        """A request, once it is done or has failed."""
        found: list[dict[str, Any]] = []

        def has_ended() -> bool:
            found[:] = [r for r in self.state()["requests"] if r["id"] == request_id]
            return found[0]["state"] in ("done", "failed")

        self.studio.daemon.until(has_ended)
        return found[0]


@contextmanager
def connected(studio: Studio, daemon: Served | None = None) -> Iterator[Person]:
    """The person has chosen the line of the menu, which finds `daemon`, if not the usual one; at the end of
    the block they close its window."""
    asked = daemon or studio.daemon
    ui = UIManager()
    studio.fusion = Fusion(ui)
    with ThreadPoolExecutor(1) as resolve:
        staying = resolve.submit(studio.menu, STAY)
        try:
            asked.until(lambda: staying.done() or asked.get("/resolve")["is_connected"])
            yield Person(studio)
        finally:
            ui.happening.extend(["move", "close"])
            staying.result()


def test_the_page_puts_markers_on_the_open_timeline(known: Studio) -> None:
    with connected(known) as person:
        assert person.state()["timeline"] == "Cut 1"
        sent = person.send()
        assert (sent["state"], sent["said"]) == ("done", "Markers: 3 added, 0 changed, 0 taken away.")
        assert set(known.shown()) == {100, 150, 200}
        again = person.send()
        assert again["said"] == "Nothing to do: 3 already as wanted."
    (window,) = known.bmd.dispatchers[0].windows
    assert not window.is_shown
    assert "Markers: 3 added" in window.GetItems()["text"].PlainText


def test_p6_what_the_page_sent_can_be_undone_in_resolve(known: Studio) -> None:
    before = known.timeline.GetMarkers()
    with connected(known) as person:
        person.send()
    known.menu("Undo last push")
    assert known.timeline.GetMarkers() == before


def test_only_the_run_that_is_sent_is_pushed(known: Studio) -> None:
    project = known.resolve.manager.current
    assert project is not None
    known.place(carried("gate", 1.0), on=REF)
    known.timeline.put(project.add_medium(known.ref, 25.0), 6000, 1000)
    with connected(known) as person:
        person.send(REF)
    assert set(known.shown()) == {6025}


def test_a_timeline_without_the_run_says_so_on_the_page(known: Studio) -> None:
    known.place(carried("gate", 1.0), on=REF)
    with connected(known) as person:
        sent = person.send(REF)
    assert sent["state"] == "failed"
    assert "Timeline 'Cut 1' does not show this run." in sent["said"]
    assert known.shown() == {}


def test_without_a_timeline_the_page_is_told_to_open_one(known: Studio) -> None:
    project = known.resolve.manager.current
    assert project is not None
    with connected(known) as person:
        project.timeline = None
        known.daemon.until(lambda: person.state()["timeline"] is None)
        sent = person.send()
    assert sent["state"] == "failed"
    assert "No timeline is open. Open one on the Edit page, and try again." in sent["said"]


def test_it_ends_with_resolve(known: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(1) as resolve:
        staying = resolve.submit(known.menu, STAY)
        person = Person(known)
        known.daemon.until(lambda: bool(person.state()["is_connected"]))
        assert person.send()["state"] == "done"
        known.resolve.quit()
        staying.result()
    assert "Timeline 'Cut 1' is open." in capsys.readouterr().out


def test_a_daemon_that_starts_anew_elsewhere_is_found_again(known: Studio, tmp_path: Path) -> None:
    with ExitStack() as before:
        daemon = before.enter_context(served(tmp_path / "before"))
        known.tell_of(daemon.url)
        with connected(known, daemon):
            known.daemon_json.unlink()
            before.close()
            known.tell_of(known.daemon.url)
            person = Person(known)
            known.daemon.until(lambda: bool(person.state()["is_connected"]))
            assert person.send()["state"] == "done"
    (window,) = known.bmd.dispatchers[0].windows
    assert "Markers: 3 added" in window.GetItems()["text"].PlainText


# --- the daemon, and windows -----------------------------------------------------------------------


def test_without_a_daemon_a_sentence_says_so(known: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    known.daemon_json.unlink()
    known.menu("Push markers to timeline")
    assert capsys.readouterr().out == "mtbsync is not running. Start it, and run this script again.\n"


def test_a_daemon_that_died_is_not_running_either(known: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    known.tell_of("http://127.0.0.1:9")
    known.menu("Push markers to timeline")
    assert "mtbsync is not running." in capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"url": "http://example.org:80", "token": "t"}',
        '{"url": "http://127.0.0.1:1", "token": 5}',
    ],
)
def test_a_file_that_is_damaged_or_leads_elsewhere_is_not_followed(
    known: Studio, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    known.daemon_json.write_text(content, encoding="utf-8")
    known.menu("Push markers to timeline")
    assert "daemon.json cannot be used; restart mtbsync" in capsys.readouterr().out


def test_the_daemon_s_refusals_are_told_in_its_words(
    known: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    known.daemon_json.write_text(json.dumps({"url": known.daemon.url, "token": "stale"}), encoding="utf-8")
    known.menu("Push markers to timeline")
    assert "The token is wrong; daemon.json holds the one that counts now." in capsys.readouterr().out


def test_a_console_that_cannot_show_a_letter_stops_nothing(
    known: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    console = io.TextIOWrapper(written, encoding="ascii")
    project = Project("Alps")
    known.resolve.manager.open(project)
    timeline = project.add_timeline("B\N{LATIN SMALL LETTER A WITH DIAERESIS}che", "25")
    timeline.put(project.add_medium(known.run, 25.0), 0, 1000)
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", console)
        known.menu("Push markers to timeline")
    console.flush()
    assert b"Reading timeline 'B?che'" in written.getvalue()
    assert set(known.shown()) == {250, 300, 350}


def test_studio_shows_a_window_that_can_be_closed(known: Studio) -> None:
    known.fusion = Fusion(UIManager())
    known.menu("Push markers to timeline")
    (window,) = known.bmd.dispatchers[0].windows
    assert not window.is_shown
    assert window.about["WindowTitle"] == "mtbsync: Push markers to timeline"
    assert window.GetItems()["text"].PlainText == "Markers: 3 added, 0 changed, 0 taken away."


def test_an_edition_that_opens_no_window_uses_the_console(
    known: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    known.fusion = Fusion(UIManager(has_windows=False))
    known.menu("Push markers to timeline")
    assert "Markers: 3 added, 0 changed, 0 taken away." in capsys.readouterr().out
