"""What follows what in the library.

P2: a recording is imported once; P3: no job is lost; P5: weak alignments wait for a person.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtbsync_daemon.config import Config, Folder
from mtbsync_daemon.jobs.executor import Outcome
from mtbsync_daemon.rules import StateError
from mtbsync_daemon.store import exports, jobs, markers, recordings, syncs, trails
from mtbsync_daemon.store.jobs import Kind, State
from mtbsync_daemon.store.markers import MarkerState
from mtbsync_daemon.store.trails import TakenError, TrailMarker
from support.house import House, carried, lined_up, probed

DROP, JUMP = TrailMarker("m1", "drop", 2.0), TrailMarker("m2", "jump", 5.0, colour="red")


@pytest.fixture
def rides(tmp_path: Path) -> Path:
    folder = tmp_path / "rides"
    folder.mkdir()
    return folder


@pytest.fixture
def house(tmp_path: Path, rides: Path) -> Iterator[House]:
    house = House(tmp_path, Config(folder=(Folder(path=rides, formats=("csv",)),)))
    yield house
    house.store.close()


@pytest.fixture
def home(house: House, rides: Path) -> House:
    """A library with one trail of two markers, made of ref.mp4."""
    house.lands(rides / "ref.mp4", "the reference", folder=rides)
    house.work()
    house.trail(house.recording("ref.mp4"), "Home", DROP, JUMP)
    house.work()
    return house


def test_footage_lands_and_markers_come_out(home: House, rides: Path) -> None:
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    run = home.recording("new.mp4")
    placed = home.store.read(markers.of_recording, run.recording_id)
    assert [(m.name, m.t_ref_s, m.t_s) for m in placed] == [("drop", 2.0, 3.0), ("jump", 5.0, 6.0)]
    (written,) = home.store.read(exports.of_recording, run.recording_id)
    assert written.path == home.places.output / "new_csv.txt"
    assert {job.state for job in home.store.read(jobs.page, 100)} == {State.DONE}


def test_p2_copies_events_and_rescans_make_no_second_job(home: House, rides: Path) -> None:
    for _ in range(3):
        home.lands(rides / "new.mp4", "a new run", folder=rides)
        home.work()
    home.lands(rides / "copy.mp4", "a new run", folder=rides)
    home.work()
    home.lands(rides / "copy.mp4", "a new run", folder=None)
    home.work()
    assert len(home.jobs("sync")) == 1
    assert home.answers.count("sync") == 1
    assert home.store.read(recordings.count) == 2
    run = home.recording("new.mp4")
    files = home.store.read(recordings.files_of, run.recording_id)
    assert {f.path.name for f in files} == {"new.mp4", "copy.mp4"}


def test_before_there_is_a_trail_runs_wait_and_are_synced_once_there_is(house: House, rides: Path) -> None:
    for name in ("a", "b", "ref"):
        house.lands(rides / f"{name}.mp4", name, folder=rides)
    house.work()
    assert house.jobs("sync") == []
    house.trail(house.recording("ref.mp4"), "Home", DROP)
    house.work()
    assert {job.state for job in house.jobs("sync")} == {State.DONE}
    assert len(house.jobs("sync")) == 2


def test_a_folder_for_a_trail_that_is_not_there_yet_waits_for_that_one(house: House, rides: Path) -> None:
    house.config = Config(folder=(Folder(path=rides, trail="Enduro", formats=("csv",)),))
    for name in ("a", "home", "enduro"):
        house.lands(rides / f"{name}.mp4", name, folder=rides)
    house.work()
    house.trail(house.recording("home.mp4"), "Home", DROP)
    house.work()
    assert house.jobs("sync") == []
    enduro = house.trail(house.recording("enduro.mp4"), "Enduro", DROP)
    house.work()
    (sync,) = house.store.read(syncs.page, 10)
    assert sync.wanted_trail_id == sync.trail_id == enduro.trail_id


def test_p5_a_run_that_fits_no_trail_waits_and_is_tried_with_the_next(home: House, rides: Path) -> None:
    home.answers.answers["sync"] = lambda params: lined_up(params, "reject")
    home.lands(rides / "new.mp4", "elsewhere", folder=rides)
    home.work()
    run = home.recording("new.mp4")
    assert [job.state for job in home.jobs("sync")] == [State.NEEDS_REVIEW]
    assert home.store.read(markers.of_recording, run.recording_id) == []
    home.answers.answers["sync"] = lambda params: lined_up(params, "accept", which=-1)
    home.lands(rides / "other.mp4", "another trail", folder=rides)
    home.work()
    other = home.trail(home.recording("other.mp4"), "Other", DROP)
    home.work()
    latest = home.store.read(syncs.current, run.recording_id)
    assert latest is not None
    assert latest.trail_id == other.trail_id
    assert len(home.store.read(markers.of_recording, run.recording_id)) == 1


def test_p5_a_weak_alignment_is_not_delivered_before_a_person_accepts_it(home: House, rides: Path) -> None:
    home.answers.answers["sync"] = lambda params: lined_up(params, "review")
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    run = home.recording("new.mp4")
    assert [job.state for job in home.jobs("sync")] == [State.NEEDS_REVIEW]
    assert all(m.needs_review for m in home.store.read(markers.of_recording, run.recording_id))
    assert home.store.read(exports.of_recording, run.recording_id) == []
    sync = home.store.read(syncs.current, run.recording_id)
    assert sync is not None
    home.store.write(home.library.accept_sync, sync)
    home.work()
    assert [job.state for job in home.jobs("sync")] == [State.DONE]
    assert not any(m.needs_review for m in home.store.read(markers.of_recording, run.recording_id))
    assert len(home.store.read(exports.of_recording, run.recording_id)) == 1


def test_a_rejected_sync_cannot_be_accepted(home: House, rides: Path) -> None:
    home.answers.answers["sync"] = lambda params: lined_up(params, "reject")
    home.lands(rides / "new.mp4", "elsewhere", folder=rides)
    home.work()
    sync = home.store.read(syncs.current, home.recording("new.mp4").recording_id)
    assert sync is not None
    with pytest.raises(StateError):
        home.store.write(home.library.accept_sync, sync)


def test_a_trails_new_markers_reach_the_runs_it_has_already(home: House, rides: Path) -> None:
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    run = home.recording("new.mp4")
    trail = home.store.read(trails.named, "home")
    assert trail is not None
    for marked in ([DROP], [DROP, JUMP, TrailMarker("m3", "gap", 7.0)], [DROP]):
        home.store.write(home.library.mark_trail, home.trail_now(trail), marked=marked)
        home.work()
        placed = home.store.read(markers.of_recording, run.recording_id)
        assert [m.name for m in placed] == [m.name for m in marked]
    assert home.answers.count("sync") == 1


def test_p6_what_a_person_decided_stays_when_the_run_is_synced_again(home: House, rides: Path) -> None:
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    run = home.recording("new.mp4").recording_id
    drop = home.store.read(markers.get, run, "m1")
    assert drop is not None
    home.store.write(markers.put, replace(drop, state=MarkerState.CORRECTED, t_s=3.5, name="the drop"))
    sync = home.store.read(syncs.current, run)
    assert sync is not None
    home.store.write(home.library.sync_again, sync)
    home.work()
    assert [(m.name, m.t_s, m.state) for m in home.store.read(markers.of_recording, run)] == [
        ("the drop", 3.5, MarkerState.CORRECTED),
        ("jump", 6.0, MarkerState.FOUND),
    ]
    trail = home.store.read(trails.named, "Home")
    assert trail is not None
    home.store.write(home.library.mark_trail, trail, marked=[JUMP])
    home.work()
    assert [m.name for m in home.store.read(markers.of_recording, run)] == ["the drop", "jump"]


def test_an_edit_is_written_again_after_a_pause_and_only_once(home: House, rides: Path) -> None:
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    run = home.recording("new.mp4").recording_id
    for t_s in (3.1, 3.2, 3.3):
        drop = home.store.read(markers.get, run, "m1")
        assert drop is not None
        home.store.write(markers.put, replace(drop, state=MarkerState.CORRECTED, t_s=t_s))
        home.store.write(home.library.edited, run)
    home.store.write(lambda db: db.execute("UPDATE jobs SET not_before = 0"))
    home.work()
    assert home.answers.count("deliver") == 2
    (_, last) = [params for kind, params in home.answers.asked if kind == "deliver"]
    assert [m["t_s"] for m in last["markers"]] == [3.3, 6.0]


def test_a_rejected_marker_is_not_delivered(home: House, rides: Path) -> None:
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    run = home.recording("new.mp4").recording_id
    drop = home.store.read(markers.get, run, "m1")
    assert drop is not None
    home.store.write(markers.put, replace(drop, state=MarkerState.REJECTED))
    home.store.write(home.library.want_delivery, run, ["edl"])
    home.work()
    last = home.answers.asked[-1][1]
    assert (last["formats"], [m["name"] for m in last["markers"]]) == (["edl"], ["jump"])


def test_a_broken_file_fails_at_once_and_is_looked_at_again_when_it_changes(home: House, rides: Path) -> None:
    home.lands(rides / "new.mp4", "damaged", folder=rides)
    home.work()
    assert home.answers.count("probe") == 2
    (broken,) = home.store.read(recordings.refused, 10)
    assert broken.refused == "new.mp4 is damaged."
    home.lands(rides / "new.mp4", "whole at last", folder=rides)
    home.work()
    assert home.store.read(recordings.refused, 10) == []
    assert len(home.jobs("sync")) == 1


def test_what_can_pass_is_tried_three_times_and_then_said(home: House, rides: Path) -> None:
    home.lands(rides / "new.mp4", "busy", folder=rides)
    for _ in range(4):
        home.work()
        home.store.write(lambda db: db.execute("UPDATE jobs SET not_before = 0 WHERE state = 'queued'"))
    assert home.answers.count("probe") == 1 + 3
    job = home.jobs("probe")[0]
    assert (job.state, job.error) == (State.FAILED, "new.mp4 is busy.")


def test_p3_while_there_is_nobody_to_do_it_a_job_waits_for_as_long_as_it_takes(
    home: House, rides: Path
) -> None:
    away = Outcome(None, "The cluster is away.", may_pass=True, counts=False)
    home.answers.answers["sync"] = lambda params: away
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    for _ in range(5):
        home.work()
        home.store.write(jobs.forget_waits)
    (job,) = home.jobs("sync")
    assert (job.state, job.attempts, job.error) == (State.QUEUED, 0, "The cluster is away.")
    home.answers.answers["sync"] = lambda params: lined_up(params, "accept")
    home.work()
    assert home.jobs("sync")[0].state is State.DONE


def test_p3_a_job_that_was_interrupted_runs_again_and_fails_after_three(home: House, rides: Path) -> None:
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    for k in range(3):
        job = home.store.write(jobs.claim, f"boot {k}", tuple(Kind))
        assert job is not None
        assert job.attempts == k + 1
        if k < 2:
            home.store.write(lambda db, job_id=job.job_id: jobs.requeue(db, job_id))
    home.work()
    failed = home.store.read(jobs.get, job.job_id)
    assert failed is not None
    assert failed.state is State.FAILED
    assert "interrupted 3 times" in (failed.error or "")
    home.lands(rides / "new.mp4", "a new run", folder=None)
    home.work()
    assert len(home.jobs("sync")) == 1


def test_a_late_chapter_makes_it_the_recording_that_it_is(home: House, rides: Path) -> None:
    home.lands(rides / "new.mp4", "first chapter", folder=rides)
    home.work()
    home.lands(rides / "new.mp4", "both chapters", folder=rides)
    home.work()
    names = sorted(r.name for r in home.store.read(recordings.page, 10))
    assert names == ["new.mp4", "ref.mp4"]
    assert len(home.jobs("sync")) == 2
    assert len(home.store.read(syncs.page, 10)) == 1


def test_chapters_that_do_not_belong_together_are_two_recordings(home: House, rides: Path) -> None:
    second = rides / "GX020001.MP4"
    second.write_text("something else")
    home.lands(rides / "GX010001.MP4", "one ride", folder=rides)
    first = rides / "GX010001.MP4"
    files = [
        recordings.StoredFile(p, first, True, p.stat().st_size, p.stat().st_mtime_ns) for p in (first, second)
    ]
    home.store.write(home.library.take, rides, files)
    home.work()
    assert {r.name for r in home.store.read(recordings.page, 10)} == {
        "ref.mp4",
        "GX010001.MP4",
        "GX020001.MP4",
    }


def test_two_rides_of_the_same_name_keep_their_files_apart(home: House, rides: Path, tmp_path: Path) -> None:
    other = tmp_path / "rides" / "card 2"
    other.mkdir()
    home.lands(rides / "GX010001.MP4", "one ride", folder=rides)
    home.work()
    home.lands(other / "GX010001.MP4", "another ride", folder=rides)
    home.work()
    paths = [
        export.path.name
        for r in home.store.read(recordings.page, 10)
        for export in home.store.read(exports.of_recording, r.recording_id)
    ]
    assert len(set(paths)) == 2
    assert "GX010001_csv.txt" in paths


def test_a_reference_is_no_run_and_a_trail_has_one_name(home: House, rides: Path) -> None:
    ref = home.recording("ref.mp4")
    with pytest.raises(TakenError):
        home.trail(ref, "Second", DROP)
    with pytest.raises(StateError):
        home.store.write(home.library.want_sync, ref, None)
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    with pytest.raises(TakenError):
        home.trail(home.recording("new.mp4"), "HOME", DROP)


def test_a_removed_trail_leaves_its_runs_their_markers(home: House, rides: Path) -> None:
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    trail = home.store.read(trails.named, "Home")
    assert trail is not None
    home.store.write(trails.remove, trail)
    home.work()
    run = home.recording("new.mp4").recording_id
    assert len(home.store.read(markers.of_recording, run)) == 2
    again = home.trail(home.recording("ref.mp4"), "Home", JUMP)
    home.work()
    sync = home.store.write(home.library.want_sync, home.recording("new.mp4"), None, is_asked_for=True)
    home.work()
    latest = home.store.read(syncs.current, run)
    assert latest is not None
    assert (latest.sync_id, latest.trail_id) == (sync.sync_id, again.trail_id)


def test_a_sync_that_failed_can_be_asked_for_again(home: House, rides: Path) -> None:
    home.answers.answers["sync"] = lambda params: Outcome(None, "No luck.")
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    assert home.jobs("sync")[0].state is State.FAILED
    home.answers.answers["sync"] = lambda params: lined_up(params, "accept")
    home.store.write(home.library.want_sync, home.recording("new.mp4"), None, is_asked_for=True)
    home.work()
    assert [job.state for job in home.jobs("sync")] == [State.DONE]


# --- what came before and comes back ---------------------------------------------------------------


def placed(house: House, name: str) -> list[str]:
    """The names of a run's markers."""
    return [m.name for m in house.store.read(markers.of_recording, house.recording(name).recording_id)]


def written(house: House, name: str) -> list[str]:
    """The names of a run's files for editors."""
    run = house.recording(name).recording_id
    return [e.path.name for e in house.store.read(exports.of_recording, run)]


def ask(house: House, name: str, trail: str | None) -> None:
    """A person has a run lined up with a trail, or with whichever fits."""
    wanted = None if trail is None else house.store.read(trails.named, trail)
    house.store.write(house.library.want_sync, house.recording(name), wanted, is_asked_for=True)
    house.work()


@pytest.fixture
def two(home: House, rides: Path) -> House:
    """A library with two trails, Home and Other, and a run that is on Home."""
    home.lands(rides / "other.mp4", "another trail", folder=rides)
    home.work()
    home.trail(home.recording("other.mp4"), "Other", TrailMarker("o1", "rock", 1.0))
    home.work()
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    return home


def test_p3_footage_that_was_replaced_and_comes_back_is_a_ride_again(home: House, rides: Path) -> None:
    for text in ("a new run", "another run", "a new run"):
        home.lands(rides / "new.mp4", text, folder=rides)
        home.work()
        assert placed(home, "new.mp4") == ["drop", "jump"]
        assert written(home, "new.mp4") == ["new_csv.txt"]
    assert {job.state for job in home.jobs("sync")} == {State.DONE}
    assert home.store.read(recordings.count) == 2


def test_the_same_size_and_time_may_hold_something_else_meanwhile(home: House, rides: Path) -> None:
    path = rides / "new.mp4"
    home.lands(path, "run one", folder=rides)
    home.work()
    stamp = path.stat()
    home.lands(path, "run number two", folder=rides)
    home.work()
    path.write_text("run one")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    again = recordings.StoredFile(path, path, True, stamp.st_size, stamp.st_mtime_ns)
    home.store.write(home.library.take, rides, [again])
    home.work()
    assert home.recording("new.mp4").recording_id == home.answers.fingerprint("run one")


def test_a_person_can_go_back_to_a_sync_that_was_done_before(two: House) -> None:
    assert placed(two, "new.mp4") == ["drop", "jump"]
    two.answers.answers["sync"] = lambda params: lined_up(params, "accept")
    for trail, names in (("Other", ["rock"]), ("Home", ["drop", "jump"]), ("Other", ["rock"])):
        ask(two, "new.mp4", trail)
        assert placed(two, "new.mp4") == names
    last = [params for kind, params in two.answers.asked if kind == "deliver"][-1]
    assert [m["name"] for m in last["markers"]] == ["rock"]


def test_accepting_an_older_sync_makes_it_the_one_that_counts(two: House) -> None:
    two.answers.answers["sync"] = lambda params: lined_up(params, "review")
    ask(two, "new.mp4", "Other")
    run = two.recording("new.mp4").recording_id
    review = two.store.read(syncs.current, run)
    assert review is not None
    ask(two, "new.mp4", "Home")
    two.store.write(two.library.accept_sync, review)
    two.work()
    assert placed(two, "new.mp4") == ["rock"]
    assert not any(m.needs_review for m in two.store.read(markers.of_recording, run))


def test_what_a_person_trusted_stays_trusted_when_it_comes_out_the_same_again(
    home: House, rides: Path
) -> None:
    home.answers.answers["sync"] = lambda params: lined_up(params, "review")
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    run = home.recording("new.mp4").recording_id
    sync = home.store.read(syncs.current, run)
    assert sync is not None
    sync = home.store.write(home.library.accept_sync, sync)
    home.work()
    home.store.write(home.library.sync_again, sync)
    home.work()
    assert home.store.read(syncs.current, run).is_accepted  # type: ignore[union-attr]
    assert not any(m.needs_review for m in home.store.read(markers.of_recording, run))


def test_what_became_a_reference_or_was_lined_up_since_waits_no_more(home: House, rides: Path) -> None:
    home.answers.answers["sync"] = lambda params: lined_up(params, "reject")
    home.lands(rides / "a.mp4", "one that fits nothing", folder=rides)
    home.lands(rides / "b.mp4", "another", folder=rides)
    home.work()
    assert [j.state for j in home.jobs("sync")] == [State.NEEDS_REVIEW] * 2
    home.answers.answers["sync"] = lambda params: lined_up(params, "accept", which=-1)
    home.trail(home.recording("a.mp4"), "New", DROP)
    home.work()
    states = {(j.recording_id, j.state) for j in home.jobs("sync")}
    a, b = home.recording("a.mp4").recording_id, home.recording("b.mp4").recording_id
    assert states == {(a, State.CANCELLED), (b, State.CANCELLED), (b, State.DONE)}


def test_a_dismissed_run_waits_no_more_not_even_for_new_trails(home: House, rides: Path) -> None:
    home.answers.answers["sync"] = lambda params: lined_up(params, "reject")
    home.lands(rides / "new.mp4", "the family", folder=rides)
    home.work()
    sync = home.store.read(syncs.current, home.recording("new.mp4").recording_id)
    assert sync is not None
    home.store.write(home.library.dismiss, sync)
    home.lands(rides / "other.mp4", "another trail", folder=rides)
    home.work()
    home.trail(home.recording("other.mp4"), "Other")
    home.work()
    assert [j.state for j in home.jobs("sync") if j.job_id == sync.job_id] == [State.CANCELLED]
    with pytest.raises(StateError):
        home.store.write(home.library.dismiss, sync)


# --- things that happen at once ---------------------------------------------------------------------


def test_of_one_recording_only_one_thing_is_done_at_a_time(home: House, rides: Path) -> None:
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    run = home.recording("new.mp4").recording_id
    home.store.write(home.library.want_delivery, run, ["edl"])
    trail = home.store.read(trails.named, "Home")
    assert trail is not None
    home.store.write(home.library.mark_trail, trail, marked=[JUMP])
    first = home.store.write(jobs.claim, "boot", tuple(Kind))
    assert first is not None
    assert first.recording_id == run
    assert home.store.write(jobs.claim, "boot", tuple(Kind)) is None


def test_markers_that_changed_while_they_were_carried_are_carried_again(home: House, rides: Path) -> None:
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    trail = home.store.read(trails.named, "Home")
    assert trail is not None

    def meanwhile(params: Mapping[str, Any]) -> Outcome:
        if home.answers.count("transfer") == 1:
            home.store.write(home.library.mark_trail, home.trail_now(trail), marked=[JUMP])
        return carried(params)

    home.answers.answers["transfer"] = meanwhile
    home.work()
    assert placed(home, "new.mp4") == ["jump"]
    assert home.answers.count("deliver") == 1


def test_a_trail_that_is_removed_while_a_run_is_lined_up_leaves_it_waiting(home: House, rides: Path) -> None:
    trail = home.store.read(trails.named, "Home")
    assert trail is not None

    def removed(params: Mapping[str, Any]) -> Outcome:
        home.store.write(home.library.remove_trail, trail)
        return lined_up(params, "accept")

    home.answers.answers["sync"] = removed
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    sync = home.store.read(syncs.current, home.recording("new.mp4").recording_id)
    assert sync is not None
    assert (sync.verdict, sync.trail_id, sync.is_accepted) == ("reject", None, False)
    assert home.jobs("sync")[0].state is State.NEEDS_REVIEW
    home.answers.answers["sync"] = lambda params: lined_up(params, "accept")
    home.trail(home.recording("ref.mp4"), "Home again", DROP)
    home.work()
    assert placed(home, "new.mp4") == ["drop"]


def test_a_sync_that_failed_is_tried_again_with_a_new_trail(home: House, rides: Path) -> None:
    home.answers.answers["sync"] = lambda params: Outcome(None, "No luck.")
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.lands(rides / "other.mp4", "another trail", folder=None)
    home.work()
    home.answers.answers["sync"] = lambda params: lined_up(params, "accept")
    home.trail(home.recording("other.mp4"), "Other")
    home.work()
    assert placed(home, "new.mp4") == ["drop", "jump"]


def test_a_trail_that_could_not_be_indexed_at_first_is_compared_with_later(house: House, rides: Path) -> None:
    house.answers.answers["index"] = lambda params: Outcome(None, "The drive hums.")
    house.answers.answers["sync"] = lambda params: Outcome(None, "Nothing to compare with.")
    house.lands(rides / "ref.mp4", "the reference", folder=rides)
    house.work()
    trail = house.trail(house.recording("ref.mp4"), "Home", DROP)
    house.lands(rides / "new.mp4", "a new run", folder=rides)
    house.work()
    house.answers.answers["index"] = lambda params: Outcome({"cells": []})
    house.answers.answers["sync"] = lambda params: lined_up(params, "accept")
    house.store.write(jobs.start_over, house.jobs("index")[0].job_id)
    house.work()
    assert house.trail_now(trail).is_ready
    assert placed(house, "new.mp4") == ["drop"]


def test_a_sync_that_was_overtaken_by_another_asks_nobody(two: House, rides: Path) -> None:
    other = two.store.read(trails.named, "Other")

    def meanwhile(params: Mapping[str, Any]) -> Outcome:
        if len(two.jobs("sync")) == 3:
            run = two.recording("second.mp4")
            two.store.write(two.library.want_sync, run, other, is_asked_for=True)
            return lined_up(params, "review")
        return lined_up(params, "accept")

    two.answers.answers["sync"] = meanwhile
    two.lands(rides / "second.mp4", "a second run", folder=rides)
    two.work()
    assert placed(two, "second.mp4") == ["rock"]
    assert {job.state for job in two.jobs("sync")} == {State.DONE}


# --- folders and their settings ---------------------------------------------------------------------


def test_a_trails_name_put_right_in_the_settings_or_at_the_trail_counts_at_once(
    home: House, rides: Path
) -> None:
    home.config = Config(folder=(Folder(path=rides, trail="Hoem", formats=("csv",)),))
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    assert home.jobs("sync") == []
    trail = home.store.read(trails.named, "Home")
    assert trail is not None
    home.store.write(home.library.mark_trail, trail, name="Hoem")
    home.work()
    assert len(home.jobs("sync")) == 1
    home.config = Config(folder=(Folder(path=rides, trail="Elsewhere", formats=("csv",)),))
    home.lands(rides / "second.mp4", "a second run", folder=rides)
    home.work()
    home.config = Config(folder=(Folder(path=rides, trail="hoem", formats=("csv",)),))
    home.store.write(home.library.follow_rules)
    home.work()
    assert len(home.jobs("sync")) == 2


def test_what_was_known_before_its_folder_was_watched_is_synced(home: House, tmp_path: Path) -> None:
    later = tmp_path / "later"
    later.mkdir()
    home.lands(later / "new.mp4", "a new run", folder=None)
    home.work()
    assert home.jobs("sync") == []
    home.config = Config(folder=(*home.config.folder, Folder(path=later, beside_footage=True)))
    home.lands(later / "new.mp4", "a new run", folder=later)
    home.work()
    assert [job.state for job in home.jobs("sync")] == [State.DONE]
    run = home.recording("new.mp4").recording_id
    assert {e.path.parent for e in home.store.read(exports.of_recording, run)} == {later}


def test_a_track_that_comes_late_is_counted_in_unless_a_person_has_decided(home: House, rides: Path) -> None:
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    (rides / "new.gpx").write_text("where I was")
    home.lands(rides / "new.mp4", "a new run", rides / "new.gpx", folder=rides)
    home.work()
    assert home.answers.count("sync") == 2
    run = home.recording("new.mp4").recording_id
    drop = home.store.read(markers.get, run, "m1")
    assert drop is not None
    home.store.write(markers.put, replace(drop, state=MarkerState.CORRECTED, t_s=3.5))
    (rides / "new.gpx").write_text("where I really was")
    home.lands(rides / "new.mp4", "a new run", rides / "new.gpx", folder=rides)
    home.work()
    assert home.answers.count("sync") == 2


def test_files_keep_their_names_whatever_other_runs_are_called(home: House, rides: Path) -> None:
    home.lands(rides / "ride.mp4", "one", folder=rides)
    home.lands(rides / "ride_2.mp4", "two", folder=rides)
    home.work()
    home.store.write(home.library.want_delivery, home.recording("ride.mp4").recording_id, ["csv"])
    home.work()
    assert written(home, "ride.mp4") == ["ride_csv.txt"]
    assert written(home, "ride_2.mp4") == ["ride_2_csv.txt"]


def test_p3_what_is_away_is_waited_for_and_goes_on_by_itself(home: House, rides: Path) -> None:
    away = Outcome(None, "new.mp4 is not there.", error_kind="AwayError")
    home.answers.answers["sync"] = lambda params: away
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    for _ in range(5):
        home.work()
        home.store.write(jobs.forget_waits)
    assert [(j.state, j.error) for j in home.jobs("sync")] == [(State.QUEUED, "new.mp4 is not there.")]
    home.answers.answers["sync"] = lambda params: lined_up(params, "accept")
    home.work()
    assert placed(home, "new.mp4") == ["drop", "jump"]


def test_a_file_that_is_gone_before_it_was_looked_at_is_found_anew(home: House, rides: Path) -> None:
    away = Outcome(None, "new.mp4 is not there any more.", error_kind="AwayError")
    home.answers.answers["probe"] = lambda params: away
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    assert str(rides / "new.mp4") not in home.store.read(recordings.stamps, rides)
    home.answers.answers["probe"] = probed
    home.lands(rides / "new.mp4", "a new run", folder=rides)
    home.work()
    assert placed(home, "new.mp4") == ["drop", "jump"]
