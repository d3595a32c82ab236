"""The watcher over real folders, with the system's real events or without any."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest
from watchdog.observers.api import BaseObserver

from mtbsync_daemon.storage.local import FolderStorage
from mtbsync_daemon.watch.folder import Folder
from mtbsync_daemon.watch.settle import Stamp
from mtbsync_daemon.watch.watcher import FolderState, Found, Watched, Watcher
from mtbsync_engine.errors import OutputError
from support.daemons import PATIENCE_S

NEVER_S = 3600.0
LINKS = pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
NOT_ROOT = pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="whoever runs this may read everything"
)


@dataclass
class Shelf:
    """Keeps what is handed over, as the library does, and what is reported."""

    founds: list[Found] = field(default_factory=list)
    founds_s: list[float] = field(default_factory=list)
    stamps: dict[str, Stamp] = field(default_factory=dict)
    states: dict[Path, list[FolderState]] = field(default_factory=dict)
    n_asked: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def handed_over(self, folder: Path) -> Mapping[str, Stamp]:
        with self.changed:
            self.n_asked += 1
            return dict(self.stamps)

    def hand_over(self, folder: Path, found: Found) -> None:
        with self.changed:
            self.founds.append(found)
            self.founds_s.append(time.monotonic())
            self.stamps |= {str(path): stamp for path, stamp in (*found.chapters, *found.sidecars)}
            self.changed.notify_all()

    def report(self, folder: Path, state: FolderState) -> None:
        with self.changed:
            self.states.setdefault(folder, []).append(state)
            self.changed.notify_all()

    def wait(self, is_so: Callable[[], bool]) -> None:
        """Wait until it is so; fail if that takes too long."""
        with self.changed:
            assert self.changed.wait_for(is_so, PATIENCE_S), (self.founds, self.states)

    def names(self) -> list[list[str]]:
        """The names of what was handed over, in order."""
        return [[path.name for path, _ in (*found.chapters, *found.sidecars)] for found in self.founds]

    def state(self, folder: Path) -> FolderState | None:
        """How a folder stands."""
        return self.states[folder][-1] if folder in self.states else None


Watch = Callable[..., Watcher]


@pytest.fixture
def shelf() -> Shelf:
    """Nothing handed over yet."""
    return Shelf()


@pytest.fixture
def watch(shelf: Shelf) -> Iterator[Watch]:
    """Starts a watcher that is stopped at the end, and that looks only when events wake it unless told so."""
    watchers: list[Watcher] = []

    def begin(*folders: Watched, sweep_s: float = NEVER_S, poll_s: float = NEVER_S) -> Watcher:
        watcher = Watcher(shelf.handed_over, shelf.hand_over, shelf.report, sweep_s=sweep_s, poll_s=poll_s)
        watcher.set_folders(folders)
        watcher.start()
        watchers.append(watcher)
        shelf.wait(lambda: all(folder.path in shelf.states for folder in folders))
        return watcher

    yield begin
    for watcher in watchers:
        watcher.stop()
    assert [thread for thread in threading.enumerate() if thread.name.startswith("watch ")] == []


@pytest.fixture
def rides(tmp_path: Path) -> Path:
    """The folder that is watched."""
    folder = tmp_path / "rides"
    folder.mkdir()
    return folder


def _quick(path: Path, *, late_s: float = 0.1, polling: bool = False) -> Watched:
    return Watched(path, settle_s=0.1, late_s=late_s, polling=polling)


# --- events ---------------------------------------------------------------------------------------


def test_what_lies_there_already_and_what_comes_later_is_handed_over_once(
    rides: Path, shelf: Shelf, watch: Watch
) -> None:
    (rides / "before.mp4").write_bytes(b"ride")
    watch(_quick(rides))
    shelf.wait(lambda: shelf.names() == [["before.mp4"]])
    (rides / "a day").mkdir()
    (rides / "a day" / "after.mp4").write_bytes(b"another ride")
    shelf.wait(lambda: len(shelf.founds) == 2)
    (seen,) = shelf.founds[1].chapters
    status = (rides / "a day" / "after.mp4").stat()
    assert seen == (rides / "a day" / "after.mp4", (status.st_size, status.st_mtime_ns))


def test_p4_a_file_that_is_still_written_is_never_handed_over(
    rides: Path, shelf: Shelf, watch: Watch
) -> None:
    watch(_quick(rides))
    written_s = {}
    with (rides / "slow.mp4").open("wb") as file:
        began_s = time.monotonic()
        while time.monotonic() < began_s + 0.6:
            written_s[file.tell() + 1000] = time.monotonic()
            file.write(b"x" * 1000)
            file.flush()
            time.sleep(0.01)
    n_bytes = (rides / "slow.mp4").stat().st_size
    shelf.wait(lambda: any(found.chapters[0].stamp.n_bytes == n_bytes for found in shelf.founds))
    # More than one only where this computer was so busy that the file stood still in between.
    for found, found_s in zip(shelf.founds, shelf.founds_s, strict=True):
        assert found_s - written_s[found.chapters[0].stamp.n_bytes] >= 0.1


def test_p4_a_download_counts_under_its_last_name_only(rides: Path, shelf: Shelf, watch: Watch) -> None:
    watch(_quick(rides))
    (rides / "ride.mp4.part").write_bytes(b"half")
    (rides / "first.mp4").write_bytes(b"ride")
    shelf.wait(lambda: shelf.names() == [["first.mp4"]])
    (rides / "ride.mp4.part").rename(rides / "ride.mp4")
    shelf.wait(lambda: shelf.names() == [["first.mp4"], ["ride.mp4"]])


def test_what_comes_later_still_brings_the_whole_recording_again(
    rides: Path, shelf: Shelf, watch: Watch
) -> None:
    (rides / "GX010034.MP4").write_bytes(b"one")
    watch(_quick(rides))
    shelf.wait(lambda: len(shelf.founds) == 1)
    (rides / "GX020034.MP4").write_bytes(b"two")
    shelf.wait(lambda: len(shelf.founds) == 2)
    (rides / "GX010034.gpx").write_bytes(b"track")
    shelf.wait(lambda: len(shelf.founds) == 3)
    (rides / "GX020034.MP4").write_bytes(b"two, copied again")
    shelf.wait(lambda: len(shelf.founds) == 4)
    chapters = ["GX010034.MP4", "GX020034.MP4"]
    track = [*chapters, "GX010034.gpx"]
    assert shelf.names() == [["GX010034.MP4"], chapters, track, track]
    assert shelf.founds[3].chapters[1].stamp.n_bytes == len(b"two, copied again")


def test_p1_looking_changes_nothing_about_a_file(rides: Path, shelf: Shelf, watch: Watch) -> None:
    ride = rides / "ride.mp4"
    ride.write_bytes(b"ride")
    ride.chmod(0o444)
    before = ride.stat()
    watch(_quick(rides))
    shelf.wait(lambda: len(shelf.founds) == 1)
    after = ride.stat()
    assert (after.st_mtime_ns, after.st_ctime_ns, after.st_mode) == (
        before.st_mtime_ns,
        before.st_ctime_ns,
        before.st_mode,
    )
    assert ride.read_bytes() == b"ride"
    ride.chmod(0o644)


def test_a_folder_that_another_took_the_place_of_is_watched_again(
    rides: Path, shelf: Shelf, watch: Watch
) -> None:
    watch(_quick(rides), poll_s=0.1)
    rides.rename(rides.with_name("moved away"))
    rides.mkdir()
    (rides / "new.mp4").write_bytes(b"ride")
    shelf.wait(lambda: shelf.names() == [["new.mp4"]])


# --- without events -------------------------------------------------------------------------------


@pytest.mark.long
def test_p2_a_thousand_files_without_one_event_are_each_found_once(
    rides: Path, shelf: Shelf, watch: Watch
) -> None:
    watch(_quick(rides, polling=True), poll_s=0.2)
    for k in range(1000):
        (rides / f"ride {k:04}.mp4").write_bytes(b"ride")
    shelf.wait(lambda: len(shelf.founds) >= 1000)
    (rides / "last.mp4").write_bytes(b"ride")
    shelf.wait(lambda: ["last.mp4"] in shelf.names())
    names = [name for names in shelf.names() for name in names]
    assert sorted(names) == ["last.mp4", *(f"ride {k:04}.mp4" for k in range(1000))]


def test_where_the_system_tells_nothing_the_folder_is_polled_and_events_are_tried_again(
    rides: Path, shelf: Shelf, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise OSError(28, "inotify watch limit reached")

    with monkeypatch.context() as patch:
        patch.setattr(BaseObserver, "schedule", none_left)
        watch(_quick(rides), poll_s=0.1)
        state = shelf.state(rides)
        assert state is not None
        assert "inotify watch limit reached" in state.why
        assert not state.is_away
        (rides / "ride.mp4").write_bytes(b"ride")
        shelf.wait(lambda: shelf.names() == [["ride.mp4"]])
    shelf.wait(lambda: shelf.state(rides) == FolderState())


def test_p2_a_new_start_hands_over_only_what_is_new(rides: Path, shelf: Shelf, watch: Watch) -> None:
    (rides / "GX010034.MP4").write_bytes(b"one")
    first = watch(_quick(rides))
    shelf.wait(lambda: len(shelf.founds) == 1)
    first.stop()
    (rides / "ride.mp4").write_bytes(b"ride")
    watch(_quick(rides))
    shelf.wait(lambda: shelf.names() == [["GX010034.MP4"], ["ride.mp4"]])


def test_asking_for_a_look_compares_everything_anew(rides: Path, shelf: Shelf, watch: Watch) -> None:
    (rides / "ride.mp4").write_bytes(b"ride")
    watcher = watch(_quick(rides))
    shelf.wait(lambda: len(shelf.founds) == 1)
    with shelf.changed:
        shelf.stamps.clear()
    watcher.look_now()
    shelf.wait(lambda: shelf.names() == [["ride.mp4"], ["ride.mp4"]])


# --- folders that come and go ---------------------------------------------------------------------


def test_folders_are_put_on_and_taken_off_while_it_runs(
    rides: Path, tmp_path: Path, shelf: Shelf, watch: Watch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    watcher = watch(_quick(rides))
    watcher.set_folders([_quick(other)])
    (rides / "unseen.mp4").write_bytes(b"ride")
    (other / "seen.mp4").write_bytes(b"ride")
    shelf.wait(lambda: shelf.names() == [["seen.mp4"]])
    watcher.set_folders([_quick(rides), _quick(other)])
    shelf.wait(lambda: shelf.names() == [["seen.mp4"], ["unseen.mp4"]])


def test_a_folder_that_is_removed_and_brought_back_is_away_and_then_as_before(
    rides: Path, shelf: Shelf, watch: Watch
) -> None:
    (rides / "ride.mp4").write_bytes(b"ride")
    watch(_quick(rides), poll_s=0.1)
    shelf.wait(lambda: len(shelf.founds) == 1)
    # Long enough for it to wait for events, of which there are none when the whole folder goes.
    time.sleep(0.4)
    rides.rename(rides.with_name("unplugged"))
    shelf.wait(lambda: _is_away(shelf, rides, "is not there"))
    rides.with_name("unplugged").rename(rides)
    (rides / "new.mp4").write_bytes(b"ride")
    shelf.wait(lambda: shelf.names() == [["ride.mp4"], ["new.mp4"]])
    shelf.wait(lambda: shelf.state(rides) == FolderState())


def test_a_folder_that_is_deleted_and_made_again_is_watched_again(
    rides: Path, shelf: Shelf, watch: Watch
) -> None:
    watch(_quick(rides), poll_s=0.1)
    rides.rmdir()
    shelf.wait(lambda: _is_away(shelf, rides, "is not there"))
    rides.mkdir()
    shelf.wait(lambda: shelf.state(rides) == FolderState())
    (rides / "ride.mp4").write_bytes(b"ride")
    shelf.wait(lambda: shelf.names() == [["ride.mp4"]])


def test_an_empty_folder_in_place_of_a_full_one_counts_as_unmounted(
    rides: Path, shelf: Shelf, watch: Watch
) -> None:
    (rides / "ride.mp4").write_bytes(b"ride")
    watch(_quick(rides), sweep_s=0.1, poll_s=0.1)
    shelf.wait(lambda: len(shelf.founds) == 1)
    rides.rename(rides.with_name("unplugged"))
    rides.mkdir()
    shelf.wait(lambda: _is_away(shelf, rides, "is empty"))
    rides.rmdir()
    rides.with_name("unplugged").rename(rides)
    shelf.wait(lambda: shelf.state(rides) == FolderState())
    assert len(shelf.founds) == 1


def test_a_folder_that_was_emptied_is_well(rides: Path, shelf: Shelf) -> None:
    (rides / "ride.mp4").write_bytes(b"ride")
    folder = _folder(rides, shelf)
    for now_s in (0, 10):
        folder.look(now_s)
    (rides / "ride.mp4").unlink()
    assert folder.look(20)[0] == FolderState()
    # Nor does a new start, which does not know what lay there, take it for another.
    assert _folder(rides, shelf).look(0)[0] == FolderState()


def test_a_file_in_place_of_the_folder_is_said_to_be_none(tmp_path: Path, shelf: Shelf, watch: Watch) -> None:
    (tmp_path / "rides").write_bytes(b"")
    watch(_quick(tmp_path / "rides"))
    assert _is_away(shelf, tmp_path / "rides", "is not a folder")


def _is_away(shelf: Shelf, folder: Path, why: str) -> bool:
    state = shelf.state(folder)
    return state is not None and state.is_away and why in state.why


# --- what cannot be handed over -------------------------------------------------------------------


@NOT_ROOT
def test_what_may_not_be_read_is_named_and_the_rest_goes_on(rides: Path, shelf: Shelf, watch: Watch) -> None:
    (rides / "closed").mkdir()
    for name in ("private.mp4", "ride.mp4", "ride.gpx"):
        (rides / name).write_bytes(b"ride")
    for name in ("closed", "private.mp4", "ride.gpx"):
        (rides / name).chmod(0)
    watch(_quick(rides), sweep_s=0.1)
    shelf.wait(lambda: shelf.names() == [["ride.mp4"]] and len(_skipped(shelf, rides)) == 3)
    for name, sentence in zip(("closed", "private.mp4", "ride.gpx"), _skipped(shelf, rides), strict=True):
        assert sentence.startswith(f"{rides / name} cannot be read (Permission denied)")
    for name in ("closed", "private.mp4", "ride.gpx"):
        (rides / name).chmod(0o755)
    shelf.wait(lambda: len(shelf.founds) == 3 and not _skipped(shelf, rides))
    assert sorted(shelf.names()[1:]) == [["private.mp4"], ["ride.mp4", "ride.gpx"]]


def test_an_empty_file_is_named(rides: Path, shelf: Shelf, watch: Watch) -> None:
    (rides / "ride.mp4").touch()
    watch(_quick(rides))
    shelf.wait(lambda: bool(_skipped(shelf, rides)))
    assert _skipped(shelf, rides) == (f"{rides / 'ride.mp4'} is empty; copy it again from the card.",)
    (rides / "ride.mp4").write_bytes(b"ride")
    shelf.wait(lambda: shelf.names() == [["ride.mp4"]])


def test_p3_what_could_not_be_kept_is_handed_over_again(rides: Path, shelf: Shelf) -> None:
    refused = Event()

    def hand_over(folder: Path, found: Found) -> None:
        if found.chapters[0].path.name == "first.mp4" and not refused.is_set():
            refused.set()
            raise OutputError("The disk is full.")
        shelf.hand_over(folder, found)

    for name in ("first.mp4", "second.mp4"):
        (rides / name).write_bytes(b"ride")
    watcher = Watcher(shelf.handed_over, hand_over, shelf.report, sweep_s=0.1)
    watcher.set_folders([_quick(rides)])
    watcher.start()
    try:
        shelf.wait(lambda: shelf.names() == [["second.mp4"], ["first.mp4"]])
        shelf.wait(lambda: shelf.state(rides) == FolderState())
    finally:
        watcher.stop()
    assert [state.skipped for state in shelf.states[rides]][-2:] == [("The disk is full.",), ()]


def test_a_defect_while_looking_is_told_and_ends_nothing(
    rides: Path, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    failed = Event()

    def handed_over(folder: Path) -> Mapping[str, Stamp]:
        if not failed.is_set():
            failed.set()
            raise ZeroDivisionError
        return shelf.handed_over(folder)

    (rides / "ride.mp4").write_bytes(b"ride")
    watcher = Watcher(handed_over, shelf.hand_over, shelf.report, poll_s=0.1, sweep_s=0.1)
    watcher.set_folders([_quick(rides)])
    watcher.start()
    try:
        shelf.wait(lambda: shelf.names() == [["ride.mp4"]])
    finally:
        watcher.stop()
    assert "failed" in shelf.states[rides][0].why
    assert "ZeroDivisionError" in caplog.text


@LINKS
def test_p7_no_link_is_followed_so_that_nothing_outside_is_found_and_no_loop_hangs(
    rides: Path, tmp_path: Path, shelf: Shelf, watch: Watch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.mp4").write_bytes(b"not ours")
    (rides / "folder").symlink_to(outside)
    (rides / "file.mp4").symlink_to(outside / "secret.mp4")
    (rides / "loop").symlink_to(rides)
    (rides / "nowhere.mp4").symlink_to(rides / "nowhere.mp4")
    (rides / "z.mp4").write_bytes(b"ride")
    watcher = watch(_quick(rides))
    shelf.wait(lambda: len(shelf.founds) >= 1)
    watcher.look_now()
    (rides / "z2.mp4").write_bytes(b"ride")
    shelf.wait(lambda: ["z2.mp4"] in shelf.names())
    assert shelf.names() == [["z.mp4"], ["z2.mp4"]]


def test_what_mtbsync_makes_is_no_footage_wherever_it_is_kept(rides: Path, shelf: Shelf) -> None:
    made = rides.parent / "made.mp4"
    made.write_bytes(b"a light copy")
    kept = rides / "2026" / "kept"
    FolderStorage(kept).put("projects/alps/proxys/angle-001_v001.mp4", made, "")
    (rides / "2026" / "ride.mp4").write_bytes(b"ride")
    folder = _folder(rides, shelf)
    for now_s in (0.0, 10.0, 20.0):
        state, _ = folder.look(now_s)
    assert (shelf.names(), state) == ([["ride.mp4"]], FolderState())
    folder = _folder(kept, shelf)
    for now_s in (0.0, 10.0, 20.0):
        state, _ = folder.look(now_s)
    assert shelf.names() == [["ride.mp4"]]
    (sentence,) = state.skipped
    assert sentence == f"{kept} is where mtbsync keeps what it makes; watch another folder."


@LINKS
def test_what_mtbsync_makes_is_known_also_where_a_link_led_it_there(rides: Path, shelf: Shelf) -> None:
    made = rides.parent / "made.mp4"
    made.write_bytes(b"a light copy")
    (rides / "kept").mkdir()
    (rides.parent / "link").symlink_to(rides / "kept", target_is_directory=True)
    FolderStorage(rides.parent / "link").put("projects/alps/proxys/angle-001_v001.mp4", made, "")
    folder = _folder(rides, shelf)
    for now_s in (0.0, 10.0, 20.0):
        folder.look(now_s)
    assert shelf.names() == []


@LINKS
def test_the_watched_folder_itself_may_be_a_link(
    rides: Path, tmp_path: Path, shelf: Shelf, watch: Watch
) -> None:
    link = tmp_path / "link"
    link.symlink_to(rides)
    watch(_quick(link))
    (rides / "ride.mp4").write_bytes(b"ride")
    shelf.wait(lambda: len(shelf.founds) == 1)
    assert shelf.founds[0].chapters[0].path == link / "ride.mp4"


def test_hidden_folders_and_the_system_s_own_are_passed_over(rides: Path, shelf: Shelf, watch: Watch) -> None:
    for name in (".mtbsync-k3x9", "$RECYCLE.BIN", "ride.mp4.download", "shown"):
        (rides / name).mkdir()
        (rides / name / "ride.mp4").write_bytes(b"ride")
    watch(_quick(rides))
    shelf.wait(lambda: len(shelf.founds) >= 1)
    (rides / "last.mp4").write_bytes(b"ride")
    shelf.wait(lambda: ["last.mp4"] in shelf.names())
    assert [found.chapters[0].path for found in shelf.founds] == [
        rides / "shown" / "ride.mp4",
        rides / "last.mp4",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="only there a name need not be text")
def test_names_that_are_no_text_are_handed_over_and_told_like_others(
    rides: Path, shelf: Shelf, watch: Watch
) -> None:
    folder = rides / os.fsdecode(b"Fr\xfchling")
    folder.mkdir()
    (folder / os.fsdecode(b"r\xffde.mp4")).write_bytes(b"ride")
    (folder / os.fsdecode(b"\xe9mpty.mp4")).touch()
    watch(_quick(rides))
    shelf.wait(lambda: len(shelf.founds) == 1 and bool(_skipped(shelf, rides)))
    assert shelf.founds[0].chapters[0].path == folder / os.fsdecode(b"r\xffde.mp4")
    (sentence,) = _skipped(shelf, rides)
    assert r"Fr\xfchling/\xe9mpty.mp4 is empty" in sentence


def _skipped(shelf: Shelf, folder: Path) -> tuple[str, ...]:
    state = shelf.state(folder)
    return () if state is None else state.skipped


# --- a clock of the tests' own --------------------------------------------------------------------


def test_the_wall_clock_does_not_matter(rides: Path, shelf: Shelf) -> None:
    ride = rides / "ride.mp4"
    ride.write_bytes(b"ride")
    # Cameras have their clocks wrong both ways, and so do computers that were just started.
    for year_s in (0, 4_000_000_000):
        os.utime(ride, (year_s, year_s))
        folder = _folder(rides, shelf)
        folder.look(50.0)
        folder.look(54.9)
        assert shelf.founds == []
        folder.look(55.0)
        assert shelf.names() == [["ride.mp4"]]
        shelf.founds.clear()


def test_a_late_chapter_that_is_waited_for_comes_with_the_others(rides: Path, shelf: Shelf) -> None:
    for name in ("GX010034.MP4", "ride.mp4"):
        (rides / name).write_bytes(b"ride")
    folder = _folder(rides, shelf)
    folder.look(0.0)
    folder.look(19.9)
    assert shelf.names() == [["ride.mp4"]]
    (rides / "GX020034.MP4").write_bytes(b"two")
    for now_s in (20.0, 39.9, 40.0):
        folder.look(now_s)
    assert shelf.names() == [["ride.mp4"], ["GX010034.MP4", "GX020034.MP4"]]


def test_nothing_is_asked_while_nothing_changes(rides: Path, shelf: Shelf) -> None:
    (rides / "ride.mp4").write_bytes(b"ride")
    folder = _folder(rides, shelf)
    for now_s in range(0, 100, 10):
        folder.look(now_s)
    # Once when it was new, and once when it had settled.
    assert shelf.n_asked == 2


def _folder(path: Path, shelf: Shelf) -> Folder:
    return Folder(Watched(path, polling=True), shelf.handed_over, shelf.hand_over, Event(), Event())


# --- what it needs --------------------------------------------------------------------------------


@pytest.mark.parametrize("heavy", ["numpy", "av", "cv2", "scipy"])
def test_the_watcher_loads_no_heavy_library(heavy: str) -> None:
    code = f"import mtbsync_daemon.watch.watcher, sys; sys.exit({heavy!r} in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_media_gives_its_functions_in_whatever_order_its_modules_are_imported() -> None:
    code = (
        "import mtbsync_engine.media.probe, mtbsync_engine.media.frames\n"
        "from mtbsync_engine import media\n"
        "from mtbsync_engine.media.probe import probe\n"
        "assert media.probe is probe\n"
        "assert all(callable(getattr(media, name)) for name in media.__all__)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
