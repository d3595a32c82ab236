"""Moments timed by dense flow."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtbsync_engine.align.flow import FlowParams, refine_by_flow
from mtbsync_engine.errors import MediaError
from mtbsync_engine.media import pictures_between, probe, sample_frames
from mtbsync_engine.media.frames import plan_sampling
from mtbsync_engine.model import FloatArray, MatchedPairs
from support.program import mtbsync
from support.rides import DURATION_S, RATE, Rides, true_t_new, true_t_ref

FIRST_S = 0.5
LAST_S = true_t_new(DURATION_S) - 1.0


def _sightings(off_s: float, *, se_s: float = 0.1, n_inliers: int = 50) -> MatchedPairs:
    """The new run's pictures put `off_s` later in the reference than they belong."""
    t_new = np.arange(round(FIRST_S * RATE), LAST_S * RATE, 3) / RATE
    t_ref = np.array([true_t_ref(t) for t in t_new]) + off_s
    n = t_new.size
    return MatchedPairs(t_new, t_ref, np.full(n, se_s), np.full(n, 3.0), np.full(n, n_inliers))


def _off_s(pairs: MatchedPairs) -> FloatArray:
    return pairs.t_ref - np.array([true_t_ref(t) for t in pairs.t_new])


@pytest.mark.parametrize("off_s", [-0.1, 0.1])
def test_flow_times_one_moment_a_second_better_than_it_was(rides: Rides, off_s: float) -> None:
    before = _sightings(off_s)
    after = refine_by_flow(before, probe(rides.new), probe(rides.ref), FlowParams(every_s=1.0))
    timed = after.t_ref != before.t_ref
    assert np.unique(np.floor(after.t_new[timed])).size == timed.sum() >= 4
    assert np.median(np.abs(_off_s(after)[timed])) < 0.04
    assert (after.se_s[timed] < before.se_s[timed]).all()
    assert (after.se_s[~timed] == before.se_s[~timed]).all()
    for name in ("t_new", "score", "n_inliers"):
        assert (getattr(after, name) == getattr(before, name)).all()


@pytest.mark.parametrize(
    "pairs", [_sightings(0.1, n_inliers=0), _sightings(0.1, se_s=0.001)], ids=["not verified", "precise"]
)
def test_what_is_not_verified_or_is_precise_already_is_left_alone(rides: Rides, pairs: MatchedPairs) -> None:
    after = refine_by_flow(pairs, probe(rides.new), probe(rides.ref), FlowParams())
    assert (after.t_ref == pairs.t_ref).all()


def test_a_place_that_another_trail_shows_is_not_timed(rides: Rides) -> None:
    pairs = _sightings(0.0)
    pairs = replace(pairs, t_ref=np.clip(pairs.t_ref, 0.5, 4.5))
    after = refine_by_flow(pairs, probe(rides.new), probe(rides.other), FlowParams())
    assert (after.t_ref != pairs.t_ref).mean() < 0.1


def test_moments_are_told_as_they_are_timed(rides: Rides) -> None:
    told: list[float] = []
    pairs = _sightings(0.0)
    refine_by_flow(pairs, probe(rides.new), probe(rides.ref), FlowParams(every_s=2.0), on_moment=told.append)
    assert len(told) == np.unique(np.floor(pairs.t_new / 2.0)).size
    assert set(told) <= set(pairs.t_new)


@pytest.mark.parametrize(
    ("start_s", "end_s"), [(-1.0, 0.25), (2.0, 2.0), (3.14, 3.9), (7.55, 9.0), (9.0, 10.0)]
)
def test_pictures_between_two_moments_are_those_of_a_whole_decode(
    rides: Rides, start_s: float, end_s: float
) -> None:
    recording = probe(rides.ref)
    every = list(sample_frames(recording, plan_sampling(recording, fps=float(RATE)), max_side=160))
    found = pictures_between(recording, start_s, end_s, max_side=160)
    until = {p.t_s: p.gray for p in every if p.t_s < end_s + 1e-3}
    on_display = [t for t in until if t <= start_s + 1e-3][-1:]
    expected = [*on_display, *(t for t in until if t > start_s + 1e-3)] if start_s < DURATION_S else []
    assert [p.t_s for p in found] == pytest.approx(expected)
    assert all((p.gray == until[p.t_s]).all() for p in found)


def test_a_video_that_is_gone_is_a_clear_error(rides: Rides) -> None:
    recording = probe(rides.ref)
    (chapter,) = recording.chapters
    gone = replace(chapter, picture_path=chapter.path.with_name("gone.mp4"))
    with pytest.raises(MediaError, match="does not exist"):
        refine_by_flow(_sightings(0.0), replace(recording, chapters=(gone,)), recording, FlowParams())


def test_sync_refines_by_flow_when_asked_to(rides: Rides, synced: Path, tmp_path: Path) -> None:
    keys = set()
    for options, by_flow in (
        (("--refine", "points"), False),
        (("--refine", "flow"), True),
        (("--refine", "flow", "--no-refine"), False),
    ):
        out = tmp_path / "_".join(options)
        out.mkdir()
        for name in ("ref_index.npz", "new_index.npz"):
            shutil.copy(synced / name, out)
        outcome = mtbsync("sync", "-r", rides.ref, "-n", rides.new, "-o", out, *options)
        assert outcome.status == 0, outcome.err
        perf, warp = (json.loads((out / name).read_text("utf-8")) for name in ("perf.json", "timewarp.json"))
        assert ("flow" in perf["stages_sec"]) is by_flow
        keys.add(warp["key"])
    assert len(keys) == 3
