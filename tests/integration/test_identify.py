"""From videos to the trail that a run belongs to: two rides of one trail, and one of another."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest

from mtbsync_engine.align.fit import FitParams
from mtbsync_engine.align.match import match
from mtbsync_engine.align.refine import RefineParams
from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.identify.decide import Identified, Tried, decide
from mtbsync_engine.identify.gallery import Gallery
from mtbsync_engine.identify.looks import looks_of
from mtbsync_engine.identify.shortlist import shortlist
from mtbsync_engine.identify.where import cells_of
from mtbsync_engine.index.build import build_index
from mtbsync_engine.judge import Gates
from mtbsync_engine.media import probe
from mtbsync_engine.model import Index, IndexParams
from mtbsync_engine.pipeline import fit_and_judge
from mtbsync_engine.telemetry.read import read_track
from support.rides import Rides


@cache
def _index(rides: Rides, name: str) -> Index:
    return build_index(probe(getattr(rides, name)), IndexParams())


def _cells(rides: Rides, name: str) -> frozenset[str]:
    track = read_track(
        getattr(rides, f"{name}_gpx"), recording_start_utc=datetime(2024, 5, 1, 10, tzinfo=UTC)
    )
    assert track is not None
    return cells_of(track)


def _gallery(rides: Rides, *trails: str) -> Gallery:
    gallery = Gallery(IndexParams())
    for trail in trails:
        gallery.add(trail, "", looks_of(_index(rides, trail)))
    return gallery


def _identified(rides: Rides, new: str, *trails: str) -> Identified:
    likely = shortlist(_gallery(rides, *trails).rank(looks_of(_index(rides, new))), frozenset(), {})
    return decide([_tried(rides, new, candidate.trail_id) for candidate in likely])


def _tried(rides: Rides, new: str, trail: str) -> Tried:
    try:
        matching, _ = match(_index(rides, new), _index(rides, trail), RefineParams())
        return Tried.of(trail, trail, fit_and_judge(matching, FitParams(), Gates()))
    except AlignmentError as error:
        return Tried.failed(trail, trail, error)


def test_a_run_finds_its_trail(rides: Rides) -> None:
    (first, *others) = _gallery(rides, "ref", "other").rank(looks_of(_index(rides, "new")))
    assert first.trail_id == "ref"
    assert all(first.score > 3 * other.score for other in others)
    found = _identified(rides, "new", "ref", "other")
    assert found.trail_id == "ref"
    assert found.tried[0].n_verified > 0


@pytest.mark.parametrize("trails", [("ref",), ("ref", "new")])
def test_p5_a_run_of_no_known_trail_waits_for_a_person(rides: Rides, trails: tuple[str, ...]) -> None:
    found = _identified(rides, "other", *trails)
    assert found.trail_id is None
    assert found.reasons


def test_p5_a_trail_registered_twice_waits_for_a_person(rides: Rides) -> None:
    new = looks_of(_index(rides, "new"))
    gallery = _gallery(rides, "ref", "other")
    gallery.add("again", "", looks_of(_index(rides, "ref")))
    assert {candidate.trail_id for candidate in shortlist(gallery.rank(new), frozenset(), {})[:2]} == {
        "ref",
        "again",
    }
    one = _tried(rides, "new", "ref")
    found = decide([one, Tried(**{**vars(one), "trail_id": "again", "name": "again"})])
    assert found.trail_id is None
    assert found.reasons == ("Two trails fit about as well: again and ref; say which it is.",)


def test_gps_of_two_rides_of_one_trail_brings_them_together(rides: Rides) -> None:
    found = shortlist([], _cells(rides, "new"), {"ref": _cells(rides, "ref")})
    assert [(candidate.trail_id, candidate.share) for candidate in found] == [("ref", 1.0)]
