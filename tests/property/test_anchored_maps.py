"""Whatever a person marks as the same, if it can be true the map passes there and rises."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbsync_engine.align.fit import FitParams, fit
from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.judge import Gates
from mtbsync_engine.model import ANCHOR_SE_S, Anchor, GpsUse, MatchedPairs, Matching, Model
from mtbsync_engine.pipeline import fit_and_judge

_DURATION_S = 60.0


@st.composite
def matchings(draw: st.DrawFn) -> Matching:
    """Up to 60 s of sightings with errors, some of them gross, in one stretch or two; or none at all."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    t_new = np.sort(rng.uniform(0, _DURATION_S, draw(st.integers(0, 60))))
    pace, offset_s = draw(st.floats(0.5, 2)), draw(st.floats(0, 100))
    se_s = draw(st.floats(0.02, 0.3))
    t_ref = offset_s + pace * t_new + se_s * rng.standard_normal(t_new.size)
    t_ref += np.where(rng.random(t_new.size) < 0.1, rng.uniform(-20, 20, t_new.size), 0.0)
    parts = np.split(t_new, [draw(st.integers(0, t_new.size))])
    n = t_new.size
    n_inliers = np.full(n, draw(st.sampled_from([0, 20])))
    return Matching(
        pairs=MatchedPairs(t_new, t_ref, np.full(n, se_s), np.full(n, 4.0), n_inliers),
        stretches=tuple((float(part[0]), float(part[-1])) for part in parts if part.size),
        reach_s=0.2,
        duration_new_s=_DURATION_S,
        margin=0.9,
        gps=GpsUse.NONE,
        gps_separation_m=math.nan,
    )


@st.composite
def anchor_lists(draw: st.DrawFn, at_least: int = 1) -> tuple[Anchor, ...]:
    """Anchors that rise strictly in both runs, a millisecond apart at least, wherever the sightings are."""
    n = draw(st.integers(at_least, 6))
    steps = st.lists(st.integers(1, 9_000), min_size=n, max_size=n)
    t_new = np.cumsum(draw(steps)) / 1000
    t_ref = np.cumsum(draw(steps)) / 1000 + draw(st.integers(0, 150))
    return tuple(Anchor(float(a), float(b)) for a, b in zip(t_new, t_ref, strict=True))


@settings(deadline=None, max_examples=80)
@given(matchings(), anchor_lists(at_least=2))
def test_the_map_rises_and_passes_every_anchor(matching: Matching, anchors: tuple[Anchor, ...]) -> None:
    judged = fit_and_judge(replace(matching, anchors=anchors), FitParams(), Gates())
    time_map = judged.alignment.time_map
    t_new = np.array([anchor.t_new_s for anchor in anchors])
    t_ref = np.array([anchor.t_ref_s for anchor in anchors])
    assert (np.diff(time_map.t_new) > 0).all()
    assert (np.diff(time_map.t_ref) > 0).all()
    assert time_map.supports(t_new).all()
    np.testing.assert_allclose(time_map.to_ref(t_new), t_ref, rtol=0, atol=ANCHOR_SE_S / 100)
    np.testing.assert_allclose(time_map.to_new(t_ref), t_new, rtol=0, atol=ANCHOR_SE_S / 100)
    # Nothing is said beyond what was seen or marked.
    edges = [edge for stretch in matching.stretches for edge in stretch]
    assert time_map.support[0][0] >= min([*(edge - matching.reach_s for edge in edges), t_new[0]]) - 1e-6
    assert time_map.support[-1][1] <= max([*(edge + matching.reach_s for edge in edges), t_new[-1]]) + 1e-6


@settings(deadline=None, max_examples=40)
@given(matchings(), anchor_lists(), st.sampled_from(Model))
def test_with_any_anchors_there_is_a_map_or_one_sentence(
    matching: Matching, anchors: tuple[Anchor, ...], model: Model
) -> None:
    try:
        alignment = fit(replace(matching, anchors=anchors), FitParams(model=model))
    except AlignmentError:
        assert len(anchors) < 2
        return
    assert np.isfinite(alignment.residual_s).all()
    assert 0 <= alignment.coverage <= 1


@settings(deadline=None, max_examples=40)
@given(matchings(), anchor_lists(at_least=2), st.data())
def test_anchors_in_any_order_make_the_same_map(
    matching: Matching, anchors: tuple[Anchor, ...], data: st.DataObject
) -> None:
    shuffled = tuple(data.draw(st.permutations(anchors)))
    one, other = (fit(replace(matching, anchors=a), FitParams()).time_map for a in (anchors, shuffled))
    np.testing.assert_array_equal(one.t_ref, other.t_ref)
    assert one.support == other.support
