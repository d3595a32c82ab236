"""What is removed by itself, and what never is. P1: originals and exports stay."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtbsync_daemon.config import Keep
from mtbsync_daemon.places import Places
from mtbsync_daemon.prune import (
    Item,
    Standing,
    artifacts_to_go,
    beyond_newest,
    logs_to_go,
    prune,
    prune_perf,
)
from mtbsync_daemon.store import jobs, markers, recordings, syncs, trails
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.ids import now
from mtbsync_daemon.store.jobs import Kind, State
from mtbsync_daemon.store.markers import MarkerRow
from mtbsync_daemon.store.reader import reading
from mtbsync_daemon.store.recordings import RecordingRow
from support.program import mtbsync, state

HOUR_S, DAY_S, GB = 3600.0, 86400.0, 10**9
AT = 1_000_000_000.0
KEEP = Keep(artifacts_gb=10, days=90)


def item(name: str, days: float, gb: float = 1, standing: Standing = Standing.SPARE) -> Item:
    return Item(Path(name), int(gb * GB), AT - days * DAY_S, standing)


def names(items: list[Item]) -> list[str]:
    return [one.path.name for one in items]


# --- the rules -------------------------------------------------------------------------------------


def test_what_is_spare_for_longer_than_is_kept_goes() -> None:
    assert names(artifacts_to_go([item("old", 91), item("new", 89)], KEEP, AT)) == ["old"]


def test_what_is_left_over_goes_at_once_but_not_within_its_first_hour() -> None:
    left = item("left", 2 / 24, standing=Standing.LEFT_OVER)
    fresh = item("fresh", 0.5 / 24, standing=Standing.LEFT_OVER)
    assert names(artifacts_to_go([left, fresh], KEEP, AT)) == ["left"]


def test_the_oldest_go_until_the_rest_fits() -> None:
    items = [item("b", 2, 4), item("a", 3, 4), item("c", 1, 4), item("d", 0.5, 4)]
    assert names(artifacts_to_go(items, KEEP, AT)) == ["a", "b"]


def test_what_is_used_counts_but_never_goes() -> None:
    items = [item("used", 400, 9.5, Standing.USED), item("a", 3, 0.4), item("b", 2, 0.4)]
    assert names(artifacts_to_go(items, KEEP, AT)) == ["a"]


def test_what_was_just_written_stays_however_full_it_is() -> None:
    assert artifacts_to_go([item("a", 0.01, 50)], KEEP, AT) == []


def test_what_seems_to_be_from_the_future_stays() -> None:
    assert artifacts_to_go([item("a", -400, 50), item("b", -1, 1, Standing.LEFT_OVER)], KEEP, AT) == []


def test_logs_go_by_age_alone_and_never_while_their_job_runs() -> None:
    items = [item("old", 91, 50), item("new", 89, 50), item("busy", 400, 1, Standing.USED)]
    assert names(logs_to_go(items, KEEP, AT)) == ["old"]


@pytest.mark.parametrize(("n_kept", "gone"), [(0, ["c", "b", "a"]), (1, ["c", "b"]), (3, []), (9, [])])
def test_beyond_the_newest_the_oldest_come_first(n_kept: int, gone: list[str]) -> None:
    items = [item("a", 1), item("c", 3), item("b", 2), item("used", 9, 1, Standing.USED)]
    assert names(beyond_newest(items, n_kept)) == gone


# --- with a library ----------------------------------------------------------------------------------


class House:
    """A data folder with a library, and short ways to fill both."""

    def __init__(self, data: Path) -> None:
        self.places = Places(data)
        self.store = Store(self.places.database, self.places.backups)

    def recording(self, recording_id: str) -> RecordingRow:
        row = recordings.row_of(recording_id, f"{recording_id}.MP4", 8.0, {})
        self.store.write(recordings.add, row, Path(f"{recording_id}.MP4").absolute())
        return row

    def trail(self, recording_id: str) -> str:
        self.recording(recording_id)
        return self.store.write(trails.add, f"Trail of {recording_id}", recording_id).trail_id

    def sync(self, recording_id: str, trail_id: str, verdict: str, state: State = State.DONE) -> Path:
        """A sync that has ended, with its results' folder."""
        job_id, _ = self.store.write(
            jobs.enqueue, Kind.SYNC, {}, [recording_id, trail_id, verdict, now()], recording_id=recording_id
        )
        row = self.store.write(syncs.add, job_id, recording_id, None)
        artifact = f"syncs/{job_id}/{trail_id}"
        self.store.write(
            syncs.found,
            row,
            trail_id=None if verdict == "reject" else trail_id,
            verdict=verdict,
            reasons=[],
            candidates=[],
            artifact=artifact,
        )
        self.store.write(jobs.end, job_id, state)
        self.file(f"artifacts/{artifact}/perf.json")
        return self.file(f"artifacts/{artifact}/timewarp.json").parent

    def file(self, name: str, days: float = 200, n_bytes: int = 1000) -> Path:
        """A file that was written that long ago."""
        path = self.places.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * n_bytes)
        at = now() - days * DAY_S
        os.utime(path, (at, at))
        for folder in list(path.parents)[:3]:
            os.utime(folder, (at, at))
        return path

    def prune(self, keep: Keep = KEEP) -> None:
        done = prune(self.places, self.store, keep)
        assert done.stuck == ()
        assert not any(one.path.exists() for one in done.gone)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "data")
    yield house
    house.store.close()


@pytest.mark.parametrize("what", ["indexes", "looks"])
def test_the_newest_of_what_was_seen_of_a_trail_stays_for_good_and_older_ones_go(
    house: House, what: str
) -> None:
    house.trail("ref")
    older = house.file(f"artifacts/{what}/ref-11111111.npz", days=300)
    newest = house.file(f"artifacts/{what}/ref-22222222.npz", days=200)
    house.prune(Keep(artifacts_gb=1e-9, days=1))
    assert newest.exists()
    assert not older.exists()


@pytest.mark.parametrize("name", ["light/{}/0.mp4", "stills/{}.jpg", "zips/{}.zip"])
def test_what_the_page_shows_goes_with_its_recording_or_in_its_time(house: House, name: str) -> None:
    house.recording("run")
    house.recording("other")
    old = house.file(f"artifacts/{name.format('run')}", days=91)
    young = house.file(f"artifacts/{name.format('other')}", days=89)
    orphan = house.file(f"artifacts/{name.format('forgotten')}", days=1)
    house.prune()
    assert [path.exists() for path in (old, young, orphan)] == [False, True, False]


def test_what_was_dropped_onto_the_page_stays_for_good(house: House) -> None:
    only_copy = house.file("footage/1/ride.mp4", days=1000)
    house.prune(Keep(artifacts_gb=1e-9, days=1))
    assert only_copy.exists()


def test_a_run_s_index_is_kept_as_long_as_it_may_save_work(house: House) -> None:
    house.recording("run")
    old = house.file("artifacts/indexes/run-11111111.npz", days=91)
    house.recording("other")
    young = house.file("artifacts/indexes/other-11111111.npz", days=89)
    house.prune()
    assert not old.exists()
    assert young.exists()


def test_what_nobody_knows_any_more_goes_and_so_does_what_was_never_finished(house: House) -> None:
    house.trail("ref")
    house.recording("run")
    gone = [
        house.file("artifacts/indexes/.run-11111111.ab12.tmp.npz", days=1),
        house.file("artifacts/indexes/forgotten-11111111.npz", days=1),
        house.file("artifacts/indexes/.ref-11111111.ab12.tmp.npz", days=1),
        house.file("artifacts/syncs/0123456789abcdef/t/timewarp.json", days=1),
    ]
    stays = house.file("artifacts/indexes/ref-11111111.npz", days=1)
    house.prune()
    assert not any(path.exists() for path in gone)
    assert not (house.places.artifacts / "syncs" / "0123456789abcdef").exists()
    assert stays.exists()


def test_results_stay_while_a_run_has_its_markers_from_them(house: House) -> None:
    trail = house.trail("ref")
    house.recording("run")
    first = house.sync("run", trail, "accept")
    second = house.sync("run", trail, "review")
    rejected = house.recording("other") and house.sync("other", trail, "reject")
    placed = MarkerRow("run", "m1", first.parent.name, "Drop", "", "", 1.0, 1.1, 0.0, 0.9, 0.1, False, "")
    house.store.write(markers.place, "run", [placed])
    house.prune(Keep(artifacts_gb=1e-9, days=1))
    assert (first.exists(), second.exists(), rejected.exists()) == (True, True, False)
    house.store.write(markers.place, "run", [replace(placed, marker_id="m2", sync_id=second.parent.name)])
    house.prune(Keep(artifacts_gb=1e-9, days=1))
    assert (first.exists(), second.exists()) == (False, True)


def test_nothing_that_a_waiting_or_running_job_may_use_goes(house: House) -> None:
    trail = house.trail("ref")
    house.recording("run")
    results = house.sync("run", trail, "reject")
    tried = house.file(f"artifacts/syncs/{results.parent.name}/another/perf.json").parent
    index = house.file("artifacts/indexes/run-11111111.npz")
    log = house.file(f"logs/{results.parent.name}.log")
    half = house.file("artifacts/indexes/.run-11111111.ab12.tmp.npz")
    house.store.write(jobs.start_over, results.parent.name)

    def prune_hard() -> list[bool]:
        house.prune(Keep(artifacts_gb=1e-9, days=1))
        prune_perf(house.places, house.store, 0)
        return [path.exists() for path in (results, tried, index, log, half, results / "perf.json")]

    assert prune(house.places, house.store, Keep(artifacts_gb=1e-9, days=1), dry_run=True).gone == ()
    assert all(prune_hard())
    assert house.store.write(jobs.claim, "boot", tuple(Kind)) is not None
    assert all(prune_hard())
    house.store.write(jobs.end, results.parent.name, State.DONE)
    assert not any(prune_hard())


def test_what_a_job_comes_to_need_while_this_runs_stays(house: House) -> None:
    trail = house.trail("ref")
    house.recording("run")
    results = house.sync("run", trail, "reject")

    class Late:
        """The library; a job begins right after it was first asked what is in use."""

        n_asked = 0

        def read(self, query: Any, /, *args: Any, **kwargs: Any) -> Any:
            found = house.store.read(query, *args, **kwargs)
            self.n_asked += 1
            if self.n_asked == 1:
                house.store.write(jobs.start_over, results.parent.name)
            return found

    assert prune(house.places, Late(), Keep(artifacts_gb=1e-9, days=1)).gone == ()
    assert results.exists()


def test_old_logs_go_and_the_daemon_s_own_stays(house: House) -> None:
    old = house.file("logs/0123456789abcdef.log", days=91)
    young = house.file("logs/fedcba9876543210.log", days=89)
    own = house.file("logs/daemon.log", days=91)
    house.prune()
    assert (old.exists(), young.exists(), own.exists()) == (False, True, True)


def test_the_newest_copies_of_the_library_stay_by_what_their_names_say(house: House) -> None:
    copies = [house.file(f"backups/library-v1-{k}000000000.sqlite", days=k) for k in range(5)]
    own = house.file("backups/before-the-race.sqlite", days=400)
    house.prune()
    assert [copy.exists() for copy in copies] == [False, False, True, True, True]
    assert own.exists()


def test_p1_originals_exports_and_whatever_else_lies_there_are_never_touched(
    house: House, tmp_path: Path
) -> None:
    house.file("output/run_csv.csv", days=900)
    house.file("artifacts/gallery.npz", days=900)
    (tmp_path / "footage").mkdir()
    original = tmp_path / "footage" / "GX010034.MP4"
    original.write_bytes(b"film")
    link = house.places.artifacts / "indexes" / "gone-11111111.npz"
    link.parent.mkdir()
    try:
        link.symlink_to(original)
    except OSError:
        pytest.skip("no links here")
    os.utime(link, (1, 1), follow_symlinks=False)
    before = state(tmp_path / "footage")
    house.prune(Keep(artifacts_gb=1e-9, days=1e-9))
    assert not link.is_symlink()
    assert state(tmp_path / "footage") == before
    assert (house.places.output / "run_csv.csv").exists()
    assert (house.places.artifacts / "gallery.npz").exists()


def test_what_is_used_beyond_what_is_kept_is_told(house: House) -> None:
    house.trail("ref")
    house.file("artifacts/indexes/ref-11111111.npz", n_bytes=5000)
    assert prune(house.places, house.store, Keep(artifacts_gb=2e-6, days=1)).n_bytes_over == 3000
    assert prune(house.places, house.store, KEEP).n_bytes_over == 0


def test_a_data_folder_without_artifacts_is_fine(house: House) -> None:
    assert prune(house.places, house.store, KEEP).gone == ()


# --- the commands -----------------------------------------------------------------------------------


def test_the_command_says_first_and_removes_then(house: House, tmp_path: Path) -> None:
    left = house.file("artifacts/indexes/forgotten-11111111.npz", n_bytes=7000)
    options = ("--data", house.places.data, "--config", tmp_path / "none.toml")
    dry = mtbsync("prune", "--dry-run", *options)
    assert dry.status == 0, dry.err
    assert f"Would remove: {left}" in dry.out
    assert left.exists()
    done = mtbsync("prune", "--json", *options).document
    assert (done["removed"], done["freed_bytes"]) == ([str(left)], 7000)
    assert not left.exists()


def test_the_command_keeps_what_the_settings_say(house: House, tmp_path: Path) -> None:
    house.recording("run")
    index = house.file("artifacts/indexes/run-11111111.npz", days=2)
    settings = tmp_path / "m.toml"
    options = ("prune", "--data", house.places.data, "--config", settings)
    settings.write_text("[keep]\ndays = 3\n", encoding="utf-8")
    assert mtbsync(*options).status == 0
    assert index.exists()
    settings.write_text("[keep]\ndays = 1\n", encoding="utf-8")
    assert mtbsync(*options).status == 0
    assert not index.exists()


def test_prune_perf_keeps_the_newest_records_and_all_results(house: House) -> None:
    trail = house.trail("ref")
    house.recording("run")
    folders = [house.sync("run", trail, "accept") for _ in range(3)]
    for k, folder in enumerate(folders):
        house.file(str((folder / "perf.json").relative_to(house.places.data)), days=30 - k)
        house.file(f"logs/{folder.parent.name}.log", days=30 - k)
    done = mtbsync("prune-perf", "--keep", 1, "--data", house.places.data, "--json")
    assert done.status == 0, done.err
    assert len(done.document["removed"]) == 4
    assert [(folder / "perf.json").exists() for folder in folders] == [False, False, True]
    assert all((folder / "timewarp.json").exists() for folder in folders)


def test_without_a_library_nothing_is_removed_and_a_sentence_says_so(tmp_path: Path) -> None:
    index = tmp_path / "artifacts" / "indexes" / "a-11111111.npz"
    index.parent.mkdir(parents=True)
    index.write_bytes(b"x")
    os.utime(index, (1, 1))
    refused = mtbsync("prune", "--data", tmp_path)
    assert refused.status == 1
    assert "There is no library" in refused.err
    assert index.exists()


def test_a_reader_sees_what_a_daemon_has_just_written_and_changes_nothing(house: House) -> None:
    with reading(house.places.database) as library:
        house.trail("ref")
        assert [trail.recording_id for trail in library.read(trails.all_of)] == ["ref"]
        with pytest.raises(Exception, match="readonly"):
            library.read(lambda db: db.execute("DELETE FROM trails"))
