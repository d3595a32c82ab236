"""The line of Resolve's menu that builds a session's cameras as a timeline: the installed file, a strict fake
of Resolve, and the daemon's real interface over a real library."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mtbsync_daemon import sessions as rules
from mtbsync_daemon.store import sessions
from mtbsync_integrations.resolve.install import install, menu_folder
from support.resolve_fake import Bmd, Fusion, Project, Resolve, Timeline, UIManager
from support.served import TOKEN, Served, served
from support.synced import TITLE, lined_up_session

BUILD = "Build synced timeline"
A_SECOND = 25


@dataclass
class Studio:
    """Resolve with the scripts installed, a project open in it, and a daemon beside it."""

    scripts: Path
    daemon: Served
    project: Project
    resolve: Resolve = field(default_factory=Resolve)
    fusion: Fusion = field(default_factory=Fusion)
    bmd: Bmd = field(default_factory=Bmd)

    def build(self) -> None:
        """The person chooses the line of the menu."""
        given = {"resolve": self.resolve, "fusion": self.fusion, "fu": self.fusion, "bmd": self.bmd}
        runpy.run_path(str(menu_folder(self.scripts) / f"{BUILD}.py"), init_globals=given)

    def path(self, label: str) -> str:
        """A camera's file."""
        return str(self.daemon.footage / f"{label}.MP4")

    @property
    def timeline(self) -> Timeline:
        """The one in front."""
        assert self.project.timeline is not None
        return self.project.timeline


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
        told = json.dumps({"url": daemon.url, "token": TOKEN})
        (folder / "daemon.json").write_text(told, encoding="utf-8")
        studio = Studio(scripts, daemon, Project("Alps"))
        studio.project.rates[studio.path("A")] = 59.94
        studio.resolve.manager.open(studio.project)
        yield studio
    for name in [name for name in sys.modules if name.partition(".")[0] == "mtbsync_resolve"]:
        del sys.modules[name]


@pytest.fixture
def ready(studio: Studio) -> Studio:
    """The same, with a session that is lined up."""
    lined_up_session(studio.daemon)
    return studio


def test_each_camera_gets_a_video_and_an_audio_track_in_sync(
    ready: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    ready.build()
    timeline = ready.timeline
    assert (timeline.GetName(), timeline.GetSetting("timelineFrameRate")) == (TITLE, "25")
    assert timeline.GetStartFrame() == 3600 * A_SECOND
    kinds = ("video", "audio")
    assert [timeline.GetTrackCount(kind) for kind in kinds] == [3, 3]
    assert timeline.names == {(kind, k): name for kind in kinds for k, name in enumerate("ABC", start=1)}
    for number, (label, begins_s, drift) in enumerate(
        (("A", 0.0, 1.000045), ("B", 3.217, 1), ("C", 4.23, 1)), 1
    ):
        items = timeline.GetItemListInTrack("video", number)
        assert items[0].GetStart() - timeline.GetStartFrame() == pytest.approx(begins_s * 25, abs=1)
        for item in items:
            medium = item.GetMediaPoolItem()
            assert medium is not None
            assert medium.GetClipProperty("File Path") == ready.path(label)
            rate = 60000 / 1001 if label == "A" else 25
            t_s = (item.GetStart() - timeline.GetStartFrame()) / 25
            # Half a frame of the timeline, half a one of the file.
            assert abs(item.GetSourceStartFrame() / rate * drift + begins_s - t_s) <= 0.0201 + 0.5 / rate
        sounds = timeline.GetItemListInTrack("audio", number)
        assert [(s.GetStart(), s.GetDuration()) for s in sounds] == [
            (i.GetStart(), i.GetDuration()) for i in items
        ]
    # A drifts by 27 ms in its 600 s, so it is in two pieces, which follow each other.
    first, second = timeline.GetItemListInTrack("video", 1)
    assert first.GetEnd() == second.GetStart()
    assert len(timeline.linked) == 4
    said = capsys.readouterr().out
    assert f"Timeline '{TITLE}' has 3 cameras in sync." in said
    assert "Cut into pieces that stay within half a frame, as their clocks drift: A (2 pieces)." in said
    assert "Left out, as nothing tells where they lie: D." in said
    assert "otherwise than asked" not in said


def test_what_the_media_pool_has_is_not_imported_again(ready: Studio) -> None:
    below = type(ready.project.root)(ready.project)
    ready.project.root.folders.append(below)
    there = ready.project.add_medium(ready.path("B"), 25.0)
    below.items.append(ready.project.root.items.pop())
    ready.build()
    assert [item.GetClipProperty("File Path") for item in ready.project.root.items] == [
        ready.path("A"),
        ready.path("C"),
    ]
    assert ready.timeline.GetItemListInTrack("video", 2)[0].GetMediaPoolItem() is there


def test_built_again_it_is_another_timeline(ready: Studio) -> None:
    ready.build()
    before = ready.timeline
    ready.build()
    assert [timeline.GetName() for timeline in ready.project.timelines] == [TITLE, f"{TITLE} 2"]
    assert ready.timeline is not before
    assert len(before.GetItemListInTrack("video", 1)) == 2


def test_a_file_that_resolve_cannot_import_stops_it_before_anything_is_made(
    ready: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(ready.path("C")).unlink()
    ready.build()
    assert ready.project.timelines == []
    assert f"Resolve cannot import {ready.path('C')}; check that it is there." in capsys.readouterr().out


def test_a_rate_that_the_timeline_does_not_take_stops_it(
    ready: Studio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Timeline, "SetSetting", lambda self, name, value: False)
    ready.build()
    assert ready.project.timelines == []
    said = capsys.readouterr().out
    assert "Resolve made its timeline at 24 frames a second and not at 25." in said


def test_clips_that_do_not_lie_as_asked_and_cameras_without_sound_are_named(
    ready: Studio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.project.add_medium(ready.path("B"), 25.0).has_sound = False
    append = Timeline.append
    monkeypatch.setattr(
        Timeline, "append", lambda self, about: append(self, {**about, "endFrame": about["endFrame"] - 1})
    )
    ready.build()
    said = capsys.readouterr().out
    assert "Resolve laid these otherwise than asked, so check them: " in said
    assert "B (1 of 1 clips)" in said
    assert "Without sound: B." in said


def test_without_a_session_a_sentence_says_what_to_do(
    studio: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    studio.daemon.services.store.write(rules.create, "Empty")
    studio.build()
    assert "No session is lined up yet." in capsys.readouterr().out
    assert studio.project.timelines == []


def test_of_several_sessions_the_person_chooses_one(ready: Studio) -> None:
    lined_up_session(ready.daemon, "Evening", "Z")
    ready.fusion = Fusion(UIManager(chosen=1))
    ready.build()
    assert [timeline.GetName() for timeline in ready.project.timelines] == [TITLE]
    main, choice = ready.bmd.dispatchers[0].windows
    assert not choice.is_shown
    options = choice.GetItems()["options"].options
    assert [option.partition(",")[0] for option in options] == ["Evening", TITLE.partition(",")[0]]
    assert f"Timeline '{TITLE}' has 3 cameras in sync." in main.GetItems()["text"].PlainText


def test_a_person_who_chooses_none_gets_none(ready: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    lined_up_session(ready.daemon, "Evening", "Z")
    ready.fusion = Fusion(UIManager(chosen=None))
    ready.build()
    assert ready.project.timelines == []
    assert "Nothing was built." in capsys.readouterr().out


def test_without_windows_it_is_the_newest_that_is_ready(ready: Studio) -> None:
    lined_up_session(ready.daemon, "Evening", "Z")
    (older,) = (s for s in ready.daemon.get("/sessions")["sessions"] if s["title"] == TITLE)

    def decide(db: Any) -> None:
        for row in sessions.placements(db, older["id"]):
            rules.correct(db, row, 100.0)

    ready.daemon.services.store.write(decide)
    ready.build()
    assert [timeline.GetName() for timeline in ready.project.timelines] == [TITLE]
