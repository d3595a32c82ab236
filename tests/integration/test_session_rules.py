"""What follows what in a session: files become cameras, cameras are lined up, a person has the last word."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mtbsync_daemon import sessions as rules
from mtbsync_daemon.config import Config, Folder
from mtbsync_daemon.http import models
from mtbsync_daemon.http.routes.sessions import _change, _one
from mtbsync_daemon.http.routing import Call
from mtbsync_daemon.jobs.executor import Outcome
from mtbsync_daemon.rules import StateError
from mtbsync_daemon.store import jobs, recordings, sessions
from mtbsync_daemon.store.jobs import Kind, State
from mtbsync_daemon.store.sessions import (
    CameraRow,
    CameraState,
    Decided,
    Derivative,
    LineUpRow,
    PlacementRow,
    SessionRow,
    SessionState,
)
from mtbsync_daemon.store.trails import TrailMarker
from support.house import House, ingested, placed, where


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, Config())
    yield made
    made.store.close()


@pytest.fixture
def session(house: House) -> SessionRow:
    return house.store.write(rules.create, "Race day", project="Alps", date="2026-07-04")


@pytest.fixture
def lined_up(house: House, session: SessionRow) -> SessionRow:
    """A session of the cameras A, B and C, of which B lies a second and C two behind A."""
    for name in ("a", "b", "c"):
        add(house, session, house.root / f"{name}.mp4", name)
    house.work()
    return session


def add(house: House, session: SessionRow, path: Path, text: str, label: str | None = None) -> None:
    house.store.write(rules.add_camera, session, path, label)
    house.lands(path, text)


def camera(house: House, session: SessionRow, label: str) -> CameraRow:
    found = house.store.read(sessions.camera, session.session_id, label)
    assert found is not None
    return found


def placement(house: House, session: SessionRow, label: str) -> PlacementRow:
    found = house.store.read(sessions.placement, session.session_id, label)
    assert found is not None
    return found


def state(house: House, session: SessionRow) -> SessionState:
    return house.store.read(sessions.state_of, session.session_id)


def history(house: House, session: SessionRow, label: str) -> list[str]:
    rows = house.store.read(sessions.history, session.session_id, 100)
    return [row.what for row in reversed(rows) if row.label == label]


def test_from_files_to_ready(house: House, session: SessionRow) -> None:
    assert state(house, session) is SessionState.DRAFT
    add(house, session, house.root / "a.mp4", "one view")
    assert state(house, session) is SessionState.INGESTING
    add(house, session, house.root / "b.mp4", "another view")
    house.work()
    assert [c.state for c in house.store.read(sessions.cameras, session.session_id)] == [
        CameraState.READY
    ] * 2
    assert state(house, session) is SessionState.NEEDS_REVIEW
    assert placement(house, session, "B").counts_ms == 1000.0
    house.store.write(rules.approve, placement(house, session, "B"))
    assert state(house, session) is SessionState.READY
    assert history(house, session, "B") == ["found", "approved"]


def test_what_is_on_its_way_is_waited_for(house: House, session: SessionRow) -> None:
    add(house, session, house.root / "a.mp4", "one view")
    add(house, session, house.root / "b.mp4", "another view")
    house.store.write(rules.add_camera, session, house.root / "c.mp4")
    house.work()
    assert camera(house, session, "C").state is CameraState.UPLOADING
    assert state(house, session) is SessionState.INGESTING
    assert house.answers.count("line_up") == 0
    house.lands(house.root / "c.mp4", "a third view")
    house.work()
    assert state(house, session) is SessionState.NEEDS_REVIEW
    assert house.answers.count("line_up") == 1


def test_a_camera_alone_is_lined_up_with_nothing(house: House, session: SessionRow) -> None:
    add(house, session, house.root / "a.mp4", "one view")
    house.work()
    assert state(house, session) is SessionState.DRAFT
    with pytest.raises(StateError, match="takes two cameras"):
        house.store.write(rules.want_line_up, session)


def test_known_footage_becomes_a_camera_at_once(house: House, session: SessionRow) -> None:
    house.lands(house.root / "a.mp4", "one view")
    house.work()
    house.store.write(rules.add_camera, session, house.root / "a.mp4", "helmet")
    house.work()
    assert camera(house, session, "helmet").state is CameraState.READY
    assert house.answers.count("probe") == 1


def test_one_recording_is_one_camera_of_a_session_and_may_be_one_of_another(
    house: House, lined_up: SessionRow
) -> None:
    with pytest.raises(StateError, match=r"a\.mp4 is in this session already, as camera A"):
        house.store.write(rules.add_camera, lined_up, house.root / "a.mp4")
    add(house, lined_up, house.root / "copy of a.mp4", "a")
    house.work()
    with pytest.raises(StateError, match="is in this session already, as camera A"):
        house.store.write(rules.add_camera, lined_up, house.root / "copy of a.mp4")
    assert len(house.store.read(sessions.cameras, lined_up.session_id)) == 3
    other = house.store.write(rules.create, "The same day again")
    house.store.write(rules.add_camera, other, house.root / "a.mp4")
    house.work()
    assert camera(house, other, "A").state is CameraState.READY


def test_labels_are_the_next_letters_or_those_of_a_person(house: House, session: SessionRow) -> None:
    for number in range(28):
        house.store.write(rules.add_camera, session, house.root / f"{number}.mp4")
    labels = [c.label for c in house.store.read(sessions.cameras, session.session_id)]
    assert labels[:3] + labels[24:] == ["A", "B", "C", "Y", "Z", "AA", "AB"]
    with pytest.raises(StateError, match="camera AA already"):
        house.store.write(rules.add_camera, session, house.root / "x.mp4", "AA")


def test_what_is_made_of_a_camera_again_takes_the_place_of_what_was_there(
    house: House, lined_up: SessionRow
) -> None:
    before = house.store.read(sessions.derived, lined_up.session_id)
    assert sorted({d.kind for d in before}) == ["audio-wav", "proxy", "thumbnail"]
    assert before[0].key == f"{lined_up.prefix}/audio-wavs/angle-001_v001"
    house.store.write(rules.want_ingest, camera(house, lined_up, "A"))
    house.work()
    assert house.store.read(sessions.derived, lined_up.session_id) == before


def test_a_file_that_was_replaced_is_another_take(house: House, lined_up: SessionRow) -> None:
    house.lands(house.root / "a.mp4", "a better view")
    house.work()
    found = camera(house, lined_up, "A")
    assert (found.take, found.state) == (2, CameraState.READY)
    assert found.recording_id == house.answers.fingerprint("a better view")
    assert house.store.read(recordings.get, house.answers.fingerprint("a")) is None
    keys = [d.key for d in house.store.read(sessions.derived, lined_up.session_id, "A")]
    assert all(key.endswith("angle-001_v002") for key in keys)


def test_other_footage_has_nothing_of_what_was_made_found_or_decided_before(
    house: House, lined_up: SessionRow
) -> None:
    house.store.write(rules.correct, placement(house, lined_up, "B"), 1234.0)
    well = house.answers.answers["ingest"]
    house.answers.answers["ingest"] = lambda params: (
        Outcome({"derived": [], "has_variable_rate": False}) if params["take"] == 2 else well(params)
    )
    house.lands(house.root / "b.mp4", "another view, without sound")
    house.work()
    kinds = {d.kind for d in house.store.read(sessions.derived, lined_up.session_id, "B")}
    assert kinds == {Derivative.PROXY}
    again = placement(house, lined_up, "B")
    assert (again.counts_ms, again.status) == (1000.0, Decided.PENDING)
    assert history(house, lined_up, "B") == ["found", "corrected", "replaced", "found"]


def test_who_turns_out_to_be_another_camera_s_recording_holds_nobody_up(
    house: House, session: SessionRow
) -> None:
    add(house, session, house.root / "a.mp4", "one view")
    add(house, session, house.root / "b.mp4", "another view")
    house.store.write(rules.add_camera, session, house.root / "copy of a.mp4")
    house.work()
    assert state(house, session) is SessionState.INGESTING
    house.lands(house.root / "copy of a.mp4", "one view")
    house.work()
    assert [c.label for c in house.store.read(sessions.cameras, session.session_id)] == ["A", "B"]
    assert placement(house, session, "B").counts_ms == 1000.0


def test_p3_while_the_storage_is_away_a_camera_says_so_and_waits(house: House, session: SessionRow) -> None:
    house.answers.answers["ingest"] = lambda params: Outcome(None, "It is away.", "StorageAwayError")
    add(house, session, house.root / "a.mp4", "one view")
    for _ in range(4):
        house.work()
        house.store.write(jobs.forget_waits)
    waits = camera(house, session, "A")
    assert (waits.state, waits.problem) == (CameraState.INGESTING, "It is away.")
    house.answers.answers["ingest"] = ingested
    house.work()
    assert camera(house, session, "A").state is CameraState.READY


def test_whoever_held_the_others_up_and_goes_lets_them_be_lined_up(house: House, session: SessionRow) -> None:
    for name in ("a", "b"):
        add(house, session, house.root / f"{name}.mp4", name)
    house.store.write(rules.add_camera, session, house.root / "never.mp4")
    house.work()
    assert house.answers.count("line_up") == 0
    house.store.write(rules.remove_camera, camera(house, session, "C"))
    house.work()
    assert house.answers.count("line_up") == 1


@pytest.mark.parametrize("content", ["damaged", "busy"])
def test_what_cannot_be_read_last_holds_nobody_up(house: House, session: SessionRow, content: str) -> None:
    for name in ("a", "b"):
        add(house, session, house.root / f"{name}.mp4", name)
    house.store.write(rules.add_camera, session, house.root / "c.mp4")
    house.work()
    house.lands(house.root / "c.mp4", content)
    if content == "busy":
        (job,) = [job for job in house.jobs("probe") if job.params["first"].endswith("c.mp4")]
        house.store.write(house.library.cancelled, job)
    house.work()
    assert camera(house, session, "C").state is CameraState.FAILED
    assert house.answers.count("line_up") == 1
    (house.root / "c.mp4").write_text("whole by now")
    house.store.write(rules.add_camera, session, house.root / "c.mp4")
    house.lands(house.root / "c.mp4", "whole by now")
    house.work()
    assert camera(house, session, "C").state is CameraState.READY
    assert house.answers.count("line_up") == 2


def test_an_ingest_that_is_cancelled_holds_nobody_up(house: House, session: SessionRow) -> None:
    well = house.answers.answers["ingest"]
    house.answers.answers["ingest"] = lambda params: (
        Outcome(None, "The drive is away.", may_pass=True) if params["angle"] == 3 else well(params)
    )
    for name in ("a", "b", "c"):
        add(house, session, house.root / f"{name}.mp4", name)
    house.work()
    waits = camera(house, session, "C")
    assert (waits.state, waits.problem) == (CameraState.INGESTING, "The drive is away.")
    (job,) = [job for job in house.jobs("ingest") if job.state is State.QUEUED]
    house.store.write(house.library.cancelled, job)
    house.work()
    assert house.answers.count("line_up") == 1


def test_a_camera_may_be_named_by_a_later_chapter(house: House, session: SessionRow) -> None:
    first, later = house.root / "GX010001.MP4", house.root / "GX020001.MP4"
    later.write_text("the second part")
    house.store.write(rules.add_camera, session, later)
    house.lands(first, "the first part", later)
    house.work()
    assert camera(house, session, "A").state is CameraState.READY


def test_one_camera_that_is_left_is_a_draft(house: House, session: SessionRow) -> None:
    for name in ("a", "b"):
        add(house, session, house.root / f"{name}.mp4", name)
    house.work()
    house.store.write(rules.remove_camera, camera(house, session, "B"))
    house.work()
    assert state(house, session) is SessionState.DRAFT


def test_copies_of_what_has_not_come_are_refused(house: House, session: SessionRow) -> None:
    coming = house.store.write(rules.add_camera, session, house.root / "a.mp4")
    with pytest.raises(StateError, match="has not come yet"):
        house.store.write(rules.want_copies, coming, (Derivative.PROXY,))


def test_of_one_session_one_lining_up_at_a_time_is_done(house: House, lined_up: SessionRow) -> None:
    house.store.write(rules.want_line_up, lined_up)
    changed = house.store.write(sessions.change, lined_up, {"wanted_master": "B"})
    house.store.write(rules.want_line_up, changed)
    assert house.store.write(jobs.claim, "boot", [Kind.LINE_UP]) is not None
    assert house.store.write(jobs.claim, "boot", [Kind.LINE_UP]) is None


def test_a_variable_rate_is_made_constant(house: House, session: SessionRow) -> None:
    house.answers.answers["ingest"] = lambda params: Outcome(
        {**(ingested(params).result or {}), "has_variable_rate": True}
    )
    add(house, session, house.root / "a.mp4", "one view")
    house.work()
    kinds = {d.kind for d in house.store.read(sessions.derived, session.session_id)}
    assert {"proxy", "mezzanine"} <= kinds


def test_a_camera_that_fails_keeps_nobody_from_being_lined_up_and_can_be_tried_again(
    house: House, session: SessionRow
) -> None:
    well = house.answers.answers["ingest"]
    house.answers.answers["ingest"] = lambda params: (
        Outcome(None, "Its sound cannot be read.") if params["angle"] == 3 else well(params)
    )
    for name in ("a", "b", "c"):
        add(house, session, house.root / f"{name}.mp4", name)
    house.work()
    failed = camera(house, session, "C")
    assert (failed.state, failed.problem) == (CameraState.FAILED, "Its sound cannot be read.")
    assert state(house, session) is SessionState.NEEDS_REVIEW
    assert [p.label for p in house.store.read(sessions.placements, session.session_id)] == ["B"]
    house.answers.answers["ingest"] = well
    house.store.write(rules.want_ingest, failed)
    house.work()
    assert [p.label for p in house.store.read(sessions.placements, session.session_id)] == ["B", "C"]


def test_what_is_no_video_says_so(house: House, session: SessionRow) -> None:
    add(house, session, house.root / "a.mp4", "damaged")
    house.work()
    found = camera(house, session, "A")
    assert (found.state, found.problem) == (CameraState.FAILED, "a.mp4 is damaged.")
    with pytest.raises(StateError, match="has not come yet"):
        house.store.write(rules.want_ingest, found)


def test_a_lining_up_that_fails_waits_for_a_person(house: House, session: SessionRow) -> None:
    house.answers.answers["line_up"] = lambda params: Outcome(None, "The storage is away.")
    add(house, session, house.root / "a.mp4", "one view")
    add(house, session, house.root / "b.mp4", "another view")
    house.work()
    assert state(house, session) is SessionState.NEEDS_REVIEW
    house.answers.answers["line_up"] = placed
    house.store.write(rules.want_line_up, session)
    assert state(house, session) is SessionState.SYNCING
    house.work()
    assert placement(house, session, "B").offset_ms == 1000.0


def test_a_correction_counts_stays_and_can_be_taken_back(house: House, lined_up: SessionRow) -> None:
    house.store.write(rules.correct, placement(house, lined_up, "B"), 1012.5)
    house.store.write(rules.approve, placement(house, lined_up, "C"))
    assert state(house, lined_up) is SessionState.READY
    house.store.write(rules.want_line_up, lined_up)
    house.work()
    corrected = placement(house, lined_up, "B")
    assert (corrected.status, corrected.counts_ms, corrected.offset_ms) == (Decided.CORRECTED, 1012.5, 1000.0)
    assert placement(house, lined_up, "C").status is Decided.APPROVED
    house.store.write(rules.take_back, corrected)
    assert placement(house, lined_up, "B").counts_ms == 1000.0
    assert state(house, lined_up) is SessionState.NEEDS_REVIEW
    assert history(house, lined_up, "B") == ["found", "corrected", "taken back"]


def test_what_was_approved_and_is_found_elsewhere_waits_again(house: House, lined_up: SessionRow) -> None:
    house.store.write(rules.approve, placement(house, lined_up, "B"))
    house.answers.answers["line_up"] = lambda params: Outcome(
        {"master": 1, "qualities": {}, "placements": [where(2, 990.0), where(3, None, 0.0)]}
    )
    house.store.write(rules.want_line_up, lined_up)
    house.work()
    assert placement(house, lined_up, "B").status is Decided.PENDING
    nowhere = placement(house, lined_up, "C")
    assert nowhere.counts_ms is None
    with pytest.raises(StateError, match="Nothing tells where camera C lies"):
        house.store.write(rules.approve, nowhere)
    house.store.write(rules.correct, nowhere, -250.0, 40.0)
    assert (placement(house, lined_up, "C").counts_ms, placement(house, lined_up, "C").counts_ppm) == (
        -250,
        40,
    )


def test_a_sound_that_was_cleared_away_is_taken_out_again_first(house: House, session: SessionRow) -> None:
    probed = house.answers.answers["probe"]
    house.answers.answers["probe"] = lambda params: Outcome(
        {**(probed(params).result or {}), "has_audio": True}
    )
    for name in ("a", "b"):
        add(house, session, house.root / f"{name}.mp4", name)
    house.work()
    (sound,) = [
        d for d in house.store.read(sessions.derived, session.session_id, "B") if d.kind is Derivative.WAV
    ]
    house.store.write(sessions.forget_derived, sound)
    house.store.write(rules.want_line_up, session)
    house.work()
    assert (house.answers.count("ingest"), house.answers.count("line_up")) == (3, 2)
    (again,) = [params for kind, params in house.answers.asked if kind == "line_up"][1:]
    assert [camera["sound"] for camera in again["cameras"]][1] == sound.key


def test_a_camera_that_comes_finds_the_others_as_they_were_though_their_sound_was_cleared(
    house: House, lined_up: SessionRow
) -> None:
    for sound in house.store.read(sessions.derived, lined_up.session_id):
        if sound.kind is Derivative.WAV:
            house.store.write(sessions.forget_derived, sound)
    add(house, lined_up, house.root / "d.mp4", "d")
    house.work()
    (_, again) = [params for kind, params in house.answers.asked if kind == "line_up"]
    assert all(camera["sound"] for camera in again["cameras"])
    assert house.answers.count("ingest") == 7


def test_what_is_gone_from_the_storage_is_made_again(house: House, lined_up: SessionRow) -> None:
    told = iter([Outcome({"gone": [2]})])
    house.answers.answers["line_up"] = lambda params: next(told, None) or placed(params)
    house.store.write(rules.want_line_up, lined_up)
    house.work()
    assert [params["angle"] for kind, params in house.answers.asked if kind == "ingest"] == [1, 2, 3, 2]
    assert house.answers.count("line_up") == 3
    assert state(house, lined_up) is SessionState.NEEDS_REVIEW


def test_who_has_no_sound_is_not_asked_for_it_again_and_again(house: House, session: SessionRow) -> None:
    house.answers.answers["ingest"] = lambda params: Outcome({"derived": [], "has_variable_rate": False})
    for name in ("a", "b"):
        add(house, session, house.root / f"{name}.mp4", name)
    house.work()
    house.store.write(rules.want_line_up, session)
    house.work()
    assert (house.answers.count("ingest"), house.answers.count("line_up")) == (2, 2)


def test_no_clock_drifts_without_end(house: House, lined_up: SessionRow) -> None:
    with pytest.raises(StateError, match="1000 ppm"):
        house.store.write(rules.correct, placement(house, lined_up, "B"), 0.0, -2000.0)


def test_on_another_master_corrections_stay_where_they_were(house: House, lined_up: SessionRow) -> None:
    house.store.write(rules.correct, placement(house, lined_up, "B"), 1012.5, 100.0)
    house.store.write(rules.approve, placement(house, lined_up, "C"))
    versions = {placement(house, lined_up, label).version for label in "BC"}
    changed = house.store.write(sessions.change, lined_up, {"wanted_master": "C"})
    house.store.write(rules.want_line_up, changed)
    house.work()
    found = {p.label: p for p in house.store.read(sessions.placements, lined_up.session_id)}
    assert {label: (p.counts_ms, p.counts_ppm, p.status) for label, p in found.items()} == {
        "A": (-2000.0, 0.0, Decided.PENDING),
        "B": (-987.5, pytest.approx(100.0), Decided.CORRECTED),
    }
    assert not versions & {p.version for p in found.values()}
    back = house.store.write(sessions.change, changed, {"wanted_master": "B"})
    house.store.write(rules.want_line_up, back)
    house.work()
    from_b = placement(house, lined_up, "C")
    assert (from_b.counts_ms, from_b.status) == (pytest.approx(987.5, abs=0.1), Decided.CORRECTED)


def test_corrections_are_not_laid_on_a_master_that_nobody_is_sure_of(
    house: House, lined_up: SessionRow
) -> None:
    house.answers.answers["line_up"] = lambda params: Outcome(
        {
            "master": params["wanted_master"] or 1,
            "qualities": {},
            "placements": [where(2, 1.0), where(3, 2.0, 4.0)],
        }
    )
    house.store.write(rules.want_line_up, lined_up)
    house.work()
    house.store.write(rules.correct, placement(house, lined_up, "B"), 1012.5)
    changed = house.store.write(sessions.change, lined_up, {"wanted_master": "C"})
    house.store.write(rules.want_line_up, changed)
    house.work()
    assert placement(house, lined_up, "B").status is Decided.PENDING


def test_the_master_stays_as_long_as_anything_is_decided(house: House, lined_up: SessionRow) -> None:
    asked = house.answers.asked
    add(house, lined_up, house.root / "d.mp4", "d")
    house.work()
    house.store.write(rules.approve, placement(house, lined_up, "B"))
    add(house, lined_up, house.root / "e.mp4", "e")
    house.work()
    assert [params["wanted_master"] for kind, params in asked if kind == "line_up"] == [None, None, 1]
    assert placement(house, lined_up, "B").status is Decided.APPROVED


def test_a_camera_is_called_something_else_wherever_it_stands(house: House, lined_up: SessionRow) -> None:
    house.store.write(rules.relabel, camera(house, lined_up, "B"), "helmet")
    house.store.write(rules.relabel, camera(house, lined_up, "A"), "trail")
    known = house.store.read(sessions.line_up, lined_up.session_id)
    assert known is not None
    assert (known.master, sorted(known.qualities)) == ("trail", ["C", "helmet", "trail"])
    assert placement(house, lined_up, "helmet").counts_ms == 1000.0
    assert {d.label for d in house.store.read(sessions.derived, lined_up.session_id)} == {
        "C",
        "helmet",
        "trail",
    }
    with pytest.raises(StateError, match="camera C already"):
        house.store.write(rules.relabel, camera(house, lined_up, "helmet"), "C")


def test_without_its_master_a_session_is_lined_up_anew(house: House, lined_up: SessionRow) -> None:
    house.store.write(rules.remove_camera, camera(house, lined_up, "A"))
    house.work()
    known = house.store.read(sessions.line_up, lined_up.session_id)
    assert known is not None
    assert known.master == "B"
    assert [p.label for p in house.store.read(sessions.placements, lined_up.session_id)] == ["C"]
    assert house.recording("a.mp4").recording_id == house.answers.fingerprint("a")


def test_p5_what_was_corrected_outlives_the_master_that_it_was_laid_on(
    house: House, lined_up: SessionRow
) -> None:
    """C began 2 s after A, and a person put B 1012.5 ms after A."""
    house.store.write(rules.correct, placement(house, lined_up, "B"), 1012.5, 100.0)
    house.store.write(rules.remove_camera, camera(house, lined_up, "A"))
    house.work()
    known = house.store.read(sessions.line_up, lined_up.session_id)
    assert known is not None
    assert known.master == "C"
    (lies,) = house.store.read(sessions.placements, lined_up.session_id)
    assert (lies.label, lies.counts_ms, lies.status) == ("B", -987.5, Decided.CORRECTED)
    assert lies.counts_ppm == pytest.approx(100.0)
    assert lies.offset_ms is not None
    assert state(house, lined_up) is SessionState.READY


def test_a_session_that_is_removed_leaves_its_footage_and_no_work(house: House, session: SessionRow) -> None:
    add(house, session, house.root / "a.mp4", "one view")
    house.store.write(rules.remove, session.session_id)
    house.work()
    assert house.store.read(sessions.get, session.session_id) is None
    assert house.recording("a.mp4").name == "a.mp4"
    assert house.answers.count("ingest") == 0


def test_what_belongs_to_a_session_is_no_run_of_a_trail(house: House, session: SessionRow) -> None:
    rides = house.root / "rides"
    rides.mkdir()
    house.config = Config(folder=(Folder(path=rides),))
    house.lands(house.root / "ref.mp4", "the reference")
    house.work()
    house.trail(house.recording("ref.mp4"), "Home", TrailMarker("m1", "Drop", 3.0))
    house.store.write(rules.add_camera, session, rides / "a.mp4")
    house.lands(rides / "a.mp4", "one view", folder=rides)
    house.work()
    assert camera(house, session, "A").state is CameraState.READY
    assert house.jobs("sync") == []
    listed = [row.name for row in house.store.read(recordings.page, 10)]
    assert listed == ["ref.mp4"]


def test_a_watched_folder_fills_its_session(house: House) -> None:
    rides = house.root / "rides"
    rides.mkdir()
    house.config = Config(folder=(Folder(path=rides, session="Race day"),))
    house.lands(rides / "a.mp4", "one view", folder=rides)
    house.lands(rides / "b.mp4", "another view", folder=rides)
    house.work()
    found = house.store.read(sessions.titled, "RACE DAY")
    assert found is not None
    assert state(house, found) is SessionState.NEEDS_REVIEW
    other = house.store.write(rules.create, "Elsewhere")
    add(house, other, house.root / "c.mp4", "a third view")
    house.work()
    house.lands(rides / "c.mp4", "a third view", folder=rides)
    house.work()
    assert [p.label for p in house.store.read(sessions.placements, found.session_id)] == ["B", "C"]


def test_the_timeline_holds_who_lies_somewhere_and_names_the_others(
    house: House, lined_up: SessionRow
) -> None:
    house.answers.answers["line_up"] = lambda params: Outcome(
        {"master": 1, "qualities": {}, "placements": [where(2, 990.0), where(3, None, 0.0)]}
    )
    house.store.write(rules.want_line_up, lined_up)
    house.work()
    house.store.write(rules.approve, placement(house, lined_up, "B"))
    params = house.store.read(rules.timeline_params, lined_up)
    assert [(c["label"], c["offset_s"], c["is_open"]) for c in params["cameras"]] == [
        ("A", 0.0, False),
        ("B", 0.99, False),
    ]
    assert params["missing"] == ["C"]


def test_the_file_that_was_added_goes_before_its_copies(house: House, lined_up: SessionRow) -> None:
    house.lands(house.root / "A copy of b.mp4", house.root.joinpath("b.mp4").read_text())
    house.work()
    params = house.store.read(rules.timeline_params, lined_up)
    (copies,) = [c["copies"] for c in params["cameras"] if c["label"] == "B"]
    assert [Path(path).name for (path,) in copies] == ["b.mp4", "A copy of b.mp4"]


def test_two_cameras_of_one_day_and_project_never_share_a_key(house: House, session: SessionRow) -> None:
    other = house.store.write(rules.create, "The second heat", project="alps!", date="2026-07-04")
    add(house, session, house.root / "a.mp4", "one view")
    add(house, other, house.root / "b.mp4", "another view")
    house.work()
    keys = [d.key for s in (session, other) for d in house.store.read(sessions.derived, s.session_id)]
    assert len(set(keys)) == len(keys) == 6


def test_a_job_of_a_camera_that_has_gone_ends_without_a_word(house: House, lined_up: SessionRow) -> None:
    job_id = house.store.write(rules.want_ingest, camera(house, lined_up, "B"))
    house.store.write(rules.remove_camera, camera(house, lined_up, "B"))
    house.work()
    ended = house.store.read(jobs.get, job_id)
    assert ended is not None
    assert ended.state is State.CANCELLED


@contextmanager
def fails(house: House, angle: int) -> Iterator[None]:
    """While this lasts, one camera's footage cannot be taken in."""
    house.answers.answers["ingest"] = lambda params: (
        Outcome(None, "It cannot be read.") if params["angle"] == angle else ingested(params)
    )
    yield
    house.answers.answers["ingest"] = ingested


def meanwhile(house: House, change: Callable[[], None], better: int | None = None) -> None:
    """Have a person do something while cameras are lined up the next time, on the `better` one if free."""

    def told(params: Mapping[str, Any]) -> Outcome:
        house.answers.answers["line_up"] = placed
        change()
        return placed({**params, "wanted_master": params["wanted_master"] or better})

    house.answers.answers["line_up"] = told


def line_up_of(house: House, session: SessionRow) -> LineUpRow:
    found = house.store.read(sessions.line_up, session.session_id)
    assert found is not None
    return found


def document(house: House, session: SessionRow) -> models.Session:
    return house.store.read(_one, session.session_id)


def change_master(house: House, session: SessionRow, label: str) -> None:
    call = SimpleNamespace(check_match=lambda row: None)
    house.store.write(_change, cast("Call", call), session.session_id, models.SessionChange(master=label))


def test_p5_a_decision_outlasts_a_camera_that_fails_once(house: House, lined_up: SessionRow) -> None:
    house.store.write(rules.correct, placement(house, lined_up, "C"), 5000.0, 12.0)
    house.store.write(rules.approve, placement(house, lined_up, "B"))
    for angle in (3, 2):
        with fails(house, angle):
            house.store.write(rules.want_ingest, camera(house, lined_up, "ABC"[angle - 1]))
            house.work()
    assert {c.state for c in house.store.read(sessions.cameras, lined_up.session_id)[1:]} == {
        CameraState.FAILED
    }
    params = house.store.read(rules.timeline_params, lined_up)
    assert [(c["label"], c["offset_s"]) for c in params["cameras"]] == [("A", 0.0), ("B", 1.0), ("C", 5.0)]
    assert params["missing"] == []
    for label in "BC":
        house.store.write(rules.want_ingest, camera(house, lined_up, label))
    house.work()
    assert placement(house, lined_up, "B").status is Decided.APPROVED
    corrected = placement(house, lined_up, "C")
    assert (corrected.status, corrected.counts_ms, corrected.offset_ms) == (Decided.CORRECTED, 5000.0, 2000.0)


def test_p5_a_correction_outlasts_an_ingest_that_is_cancelled(house: House, lined_up: SessionRow) -> None:
    house.store.write(rules.correct, placement(house, lined_up, "C"), 5000.0)
    job = house.store.read(jobs.get, house.store.write(rules.want_ingest, camera(house, lined_up, "C")))
    assert job is not None
    house.store.write(house.library.cancelled, job)
    house.work()
    assert house.answers.count("line_up") == 2
    assert placement(house, lined_up, "C").counts_ms == 5000.0


@pytest.mark.parametrize("wanted", [None, "A"])
def test_p5_while_the_master_fails_the_others_wait_for_it(
    house: House, lined_up: SessionRow, wanted: str | None
) -> None:
    house.store.write(sessions.change, lined_up, {"wanted_master": wanted})
    house.store.write(rules.correct, placement(house, lined_up, "C"), 5000.0)
    with fails(house, 1):
        house.store.write(rules.want_ingest, camera(house, lined_up, "A"))
        house.work()
    assert line_up_of(house, lined_up).master == "A"
    assert document(house, lined_up).problem.startswith("Camera A, on which the others lie, is not ready")
    house.store.write(rules.want_ingest, camera(house, lined_up, "A"))
    house.work()
    assert document(house, lined_up).problem == ""
    assert placement(house, lined_up, "C").counts_ms == 5000.0


def test_where_nobody_decided_anything_the_others_are_laid_on_another_than_a_master_that_fails(
    house: House, lined_up: SessionRow
) -> None:
    with fails(house, 1):
        house.store.write(rules.want_ingest, camera(house, lined_up, "A"))
        house.work()
    assert line_up_of(house, lined_up).master == "B"


def test_p5_what_cannot_be_listened_to_is_carried_to_the_master_that_a_person_chooses(
    house: House, lined_up: SessionRow
) -> None:
    house.store.write(rules.correct, placement(house, lined_up, "C"), 5000.0)
    with fails(house, 3):
        house.store.write(rules.want_ingest, camera(house, lined_up, "C"))
        change_master(house, lined_up, "B")
        house.work()
    carried = placement(house, lined_up, "C")
    assert (carried.status, carried.counts_ms, carried.offset_ms) == (Decided.CORRECTED, 4000.0, None)
    assert carried.reason == "It could not be listened to since the others were laid on another camera."


def test_who_chooses_another_master_than_one_that_fails_at_first_gets_it(
    house: House, session: SessionRow
) -> None:
    change = {"wanted_master": "A"}
    for name in ("a", "b", "c"):
        add(house, session, house.root / f"{name}.mp4", name)
    house.store.write(sessions.change, session, change)
    with fails(house, 1):
        house.work()
    assert house.answers.count("line_up") == 0
    change_master(house, session, "B")
    house.work()
    assert line_up_of(house, session).master == "B"


def test_a_master_that_is_chosen_while_cameras_are_lined_up_first_is_the_master(
    house: House, session: SessionRow
) -> None:
    meanwhile(house, lambda: house.store.write(sessions.change, session, {"wanted_master": "B"}) and None)
    for name in ("a", "b"):
        add(house, session, house.root / f"{name}.mp4", name)
    house.work()
    assert line_up_of(house, session).master == "B"


def test_p5_a_correction_that_is_made_while_another_master_is_found_stays(
    house: House, lined_up: SessionRow
) -> None:
    meanwhile(
        house, lambda: house.store.write(rules.correct, placement(house, lined_up, "C"), 5000.0), better=2
    )
    add(house, lined_up, house.root / "d.mp4", "d")
    house.work()
    assert line_up_of(house, lined_up).master == "A"
    assert placement(house, lined_up, "C").counts_ms == 5000.0
    assert placement(house, lined_up, "D").counts_ms == 3000.0


def test_what_was_heard_of_footage_that_was_replaced_meanwhile_is_not_taken_up(
    house: House, lined_up: SessionRow
) -> None:
    def replaced() -> None:
        coming = camera(house, lined_up, "B")
        recording = recordings.row_of("another", "b.mp4", 10.0, {"has_audio": False})
        house.store.write(recordings.add, recording, coming.path)
        house.store.write(rules.take_in, "another", coming.path, None)

    with fails(house, 2):
        meanwhile(house, replaced)
        house.store.write(rules.want_line_up, lined_up)
        house.work()
    assert house.store.read(rules.timeline_params, lined_up)["missing"] == ["B"]


def test_a_camera_that_was_taken_out_stays_out_though_its_file_is_touched(house: House) -> None:
    rides = house.root / "rides"
    rides.mkdir()
    house.config = Config(folder=(Folder(path=rides, session="Race day"),))
    for name in ("a", "b"):
        house.lands(rides / f"{name}.mp4", name, folder=rides)
    house.work()
    found = house.store.read(sessions.titled, "Race day")
    assert found is not None
    house.store.write(rules.remove_camera, camera(house, found, "B"))
    (rides / "b.mp4").unlink()
    house.lands(rides / "b.mp4", "b", folder=rides)
    house.work()
    assert house.answers.count("probe") == 3
    assert [c.label for c in house.store.read(sessions.cameras, found.session_id)] == ["A"]


def test_a_copy_that_cannot_be_made_is_named_where_there_is_none(house: House, lined_up: SessionRow) -> None:
    other = house.store.write(rules.create, "Elsewhere")
    house.answers.answers["transcode"] = lambda params: Outcome(None, "The disk is odd.")
    house.store.write(rules.want_copies, camera(house, lined_up, "B"), (Derivative.MEZZANINE,))
    house.store.write(rules.want_copies, camera(house, lined_up, "C"), (Derivative.PROXY,))
    there = house.store.write(rules.add_camera, other, house.root / "a.mp4")
    house.store.write(rules.want_copies, there, (Derivative.PROXY, Derivative.MEZZANINE))
    house.work()
    assert [c.problem for c in document(house, lined_up).cameras] == [
        "",
        "It has no mezzanine. The disk is odd.",
        "",
    ]
    (elsewhere,) = document(house, other).cameras
    assert {"It has no proxy. The disk is odd.", "It has no mezzanine. The disk is odd."} == {
        f"It {said}".strip() for said in elsewhere.problem.split("It ")[1:]
    }


def test_a_lining_up_that_is_cancelled_says_so_until_all_are_lined_up(
    house: House, session: SessionRow
) -> None:
    meanwhile(house, lambda: house.store.write(house.library.cancelled, house.jobs("line_up")[0]))
    for name in ("a", "b"):
        add(house, session, house.root / f"{name}.mp4", name)
    house.work()
    assert (state(house, session), document(house, session).problem) == (
        SessionState.NEEDS_REVIEW,
        "Lining up was cancelled.",
    )
    house.store.write(rules.want_line_up, session)
    house.work()
    assert document(house, session).problem == ""


def test_what_a_lining_up_waits_for_is_told_while_it_tries(house: House, session: SessionRow) -> None:
    told = []
    house.answers.answers["line_up"] = lambda params: (
        told.append(document(house, session).problem) or Outcome(None, "It is away.", "StorageAwayError")
    )
    for name in ("a", "b"):
        add(house, session, house.root / f"{name}.mp4", name)
    for _ in range(2):
        house.work()
        house.store.write(jobs.forget_waits)
    assert (told, document(house, session).problem) == (["", "It is away."], "It is away.")


def test_a_camera_begins_without_the_history_of_the_one_that_was_called_like_it(
    house: House, lined_up: SessionRow
) -> None:
    house.store.write(rules.correct, placement(house, lined_up, "C"), 5000.0)
    house.store.write(rules.remove_camera, camera(house, lined_up, "C"))
    add(house, lined_up, house.root / "z.mp4", "z")
    house.work()
    assert history(house, lined_up, "C") == ["found"]


@pytest.mark.parametrize(
    ("offset_ms", "drift_ppm", "status"),
    [(1000.05, 1.0, Decided.APPROVED), (1000.0, 11.0, Decided.PENDING), (1000.11, 0.0, Decided.PENDING)],
)
def test_what_was_approved_holds_where_it_is_found_to_a_tenth_of_a_millisecond(
    house: House, lined_up: SessionRow, offset_ms: float, drift_ppm: float, status: Decided
) -> None:
    house.store.write(rules.approve, placement(house, lined_up, "B"))
    house.answers.answers["line_up"] = lambda params: Outcome(
        {"master": 1, "qualities": {}, "placements": [where(2, offset_ms) | {"drift_ppm": drift_ppm}]}
    )
    house.store.write(rules.want_line_up, lined_up)
    house.work()
    assert placement(house, lined_up, "B").status is status
