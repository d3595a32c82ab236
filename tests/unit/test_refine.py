"""From matching pictures to the same moment, on rides along a rendered trail whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mtbsync_engine.align.likeness import Resemblance
from mtbsync_engine.align.refine import RefineParams, refine
from mtbsync_engine.align.search import Path as PathOfPictures
from mtbsync_engine.model import FloatArray, Index, MatchedPairs, Matcher
from support.scene import View
from support.trails import MATCHERS, Filmed, described_by, film

_TRAIL = 31
_MPS = 5.0
_SPACING_S = 1 / 3


def _new_m(t_s: float) -> float:
    """From 3.1 m on at nine tenths of the reference's pace, so that pictures seldom coincide."""
    return 3.1 + 0.9 * _MPS * t_s


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("refine")


@pytest.fixture(scope="module", params=MATCHERS, ids=str)
def matcher(request: pytest.FixtureRequest) -> Matcher:
    return Matcher(request.param)


@pytest.fixture(scope="module")
def ref_film(folder: Path) -> Filmed:
    return film(folder / "ref.mp4", lambda t: _MPS * t, 12, _TRAIL)


@pytest.fixture(scope="module")
def new_film(folder: Path) -> Filmed:
    view = View(seed=2, lateral_m=0.1, shake_px=2.0, gain=0.85, noise=3.0)
    return film(folder / "new.mp4", _new_m, 10, _TRAIL, view=view)


@pytest.fixture(scope="module")
def elsewhere_film(folder: Path) -> Filmed:
    return film(folder / "elsewhere.mp4", lambda t: _MPS * t, 10, _TRAIL + 1)


@pytest.fixture(scope="module")
def ref(ref_film: Filmed, matcher: Matcher) -> Filmed:
    return described_by(matcher, ref_film)


@pytest.fixture(scope="module")
def new(new_film: Filmed, matcher: Matcher) -> Filmed:
    return described_by(matcher, new_film)


@pytest.fixture(scope="module")
def elsewhere(elsewhere_film: Filmed, matcher: Matcher) -> Filmed:
    return described_by(matcher, elsewhere_film)


def _true_t_ref(t_new: FloatArray) -> FloatArray:
    return (3.1 + 0.9 * _MPS * t_new) / _MPS


def _path(new: Filmed, ref: Filmed, off: int = 0) -> PathOfPictures:
    """Each new picture beside the reference's nearest one, `off` pictures further on."""
    nearest = np.rint(_true_t_ref(new.index.t_s) / _SPACING_S).astype(np.int64) + off
    known = (nearest >= 0) & (nearest < ref.index.t_s.size)
    return PathOfPictures(np.flatnonzero(known), nearest[known], 0.0)


def _refined(
    new: Filmed,
    ref: Filmed,
    path: PathOfPictures,
    params: RefineParams | None = RefineParams(),  # noqa: B008 (immutable)
    n_threads: int | None = None,
) -> MatchedPairs:
    seen = Resemblance(new.index, ref.index).whole()
    return refine(path, seen, new.index, ref.index, params, n_threads=n_threads)


def _inside(pairs: MatchedPairs, ref: Filmed) -> NDArray[np.bool_]:
    """Pictures that the reference has pictures on both sides of."""
    true_s = _true_t_ref(pairs.t_new)
    return (true_s > _SPACING_S) & (true_s < ref.index.t_s[-1] - _SPACING_S)


def test_sightings_are_within_their_stated_errors_and_unbiased(new: Filmed, ref: Filmed) -> None:
    pairs = _refined(new, ref, _path(new, ref))
    inside = _inside(pairs, ref)
    verified = inside & (pairs.n_inliers >= RefineParams().min_inliers)
    assert verified.sum() > 0.9 * inside.sum()
    off_s = (pairs.t_ref - _true_t_ref(pairs.t_new))[verified]
    assert np.median(np.abs(off_s)) < 0.025
    assert np.percentile(np.abs(off_s), 90) < 0.08
    assert abs(off_s.mean()) < 3 * off_s.std() / off_s.size**0.5 + 0.01
    assert (np.abs(off_s) <= 1.645 * pairs.se_s[verified]).mean() >= 0.85
    # Nor is the error overstated without end: a picture's distance would not be news.
    assert np.median(pairs.se_s[verified]) < 0.15 * _SPACING_S


def test_key_points_tell_more_than_looks(new: Filmed, ref: Filmed) -> None:
    path = _path(new, ref)
    off_s = {}
    for name, params in (("key points", RefineParams()), ("looks", None)):
        pairs = _refined(new, ref, path, params)
        off_s[name] = np.abs(pairs.t_ref - _true_t_ref(pairs.t_new))[_inside(pairs, ref)]
    assert np.sqrt(np.mean(off_s["key points"] ** 2)) < 0.7 * np.sqrt(np.mean(off_s["looks"] ** 2))


def _share_right(pairs: MatchedPairs, ref: Filmed) -> float:
    """How many pictures are timed to half the time between pictures."""
    off_s = np.abs(pairs.t_ref - _true_t_ref(pairs.t_new))[_inside(pairs, ref)]
    return float((off_s < 0.5 * _SPACING_S).mean())


@pytest.mark.parametrize("off", [-1, 1])
def test_from_beside_the_right_picture_it_climbs_to_it(new: Filmed, ref: Filmed, off: int) -> None:
    assert _share_right(_refined(new, ref, _path(new, ref, off)), ref) > 0.95


@pytest.mark.parametrize("off", [-2, 2])
def test_from_two_pictures_off_it_climbs_to_the_right_one(
    new_film: Filmed, ref_film: Filmed, off: int
) -> None:
    """As XFeat does; what ORB sees from that far is less than it takes to be sure."""
    assert _share_right(_refined(new_film, ref_film, _path(new_film, ref_film, off)), ref_film) > 0.9


@pytest.mark.parametrize("off", [-3, 3])
def test_a_wider_window_finds_its_way_from_further_off(new_film: Filmed, ref_film: Filmed, off: int) -> None:
    path = _path(new_film, ref_film, off)
    narrow, wide = (
        _share_right(_refined(new_film, ref_film, path, RefineParams(window_s=window_s)), ref_film)
        for window_s in (_SPACING_S, 4 * _SPACING_S)
    )
    assert narrow < 0.05
    assert wide > narrow + 0.3


def test_nothing_outside_the_window_is_looked_at(new: Filmed, ref: Filmed) -> None:
    whole_path = _path(new, ref, 2)
    for k in range(3, 27, 6):
        path = PathOfPictures(whole_path.new[k : k + 1], whole_path.ref[k : k + 1], 0.0)
        visible = np.arange(ref.index.t_s.size)[path.ref[0] - 1 : path.ref[0] + 2]
        narrowed = replace(ref, index=_only(ref.index, visible))
        params = RefineParams(window_s=_SPACING_S)
        first, second = (_refined(new, run, path, params) for run in (ref, narrowed))
        assert first.t_ref[0] == second.t_ref[0]
        assert first.se_s[0] == second.se_s[0]
        assert first.n_inliers[0] == second.n_inliers[0]


def _only(index: Index, pictures: NDArray[np.int64]) -> Index:
    """`index` with key points in `pictures` alone, blank in all others."""
    kept = np.zeros(len(index.points), np.bool_)
    for k in pictures:
        kept[index.first_point[k] : index.first_point[k + 1]] = True
    return replace(index, descriptors=np.where(kept[:, None], index.descriptors, 0))


def test_what_cannot_be_verified_is_timed_as_a_whole(elsewhere: Filmed, ref: Filmed) -> None:
    path = _path(elsewhere, ref)
    by_looks = _refined(elsewhere, ref, path, None)
    pairs = _refined(elsewhere, ref, path)
    unverified = pairs.n_inliers == 0
    # By chance a few look enough like something on the other trail.
    assert unverified.mean() > 0.8
    np.testing.assert_array_equal(pairs.t_ref[unverified], by_looks.t_ref[unverified])
    np.testing.assert_array_equal(pairs.se_s[unverified], by_looks.se_s[unverified])
    # A look alone is worth about a third of the time between pictures.
    assert (pairs.se_s[unverified] > 0.2 * _SPACING_S).all()


def test_without_key_points_nothing_is_verified(new: Filmed, ref: Filmed) -> None:
    index = new.index
    bare = replace(
        index,
        points=index.points[:0],
        descriptors=index.descriptors[:0],
        first_point=np.zeros_like(index.first_point),
    )
    path = _path(new, ref)
    by_looks = _refined(new, ref, path, None)
    pairs = _refined(replace(new, index=bare), ref, path)
    assert (pairs.n_inliers == 0).all()
    np.testing.assert_array_equal(pairs.t_ref, by_looks.t_ref)
    np.testing.assert_array_equal(pairs.se_s, by_looks.se_s)


def test_looks_alone_time_a_picture_to_a_part_of_the_time_between_two(new: Filmed, ref: Filmed) -> None:
    pairs = _refined(new, ref, _path(new, ref), None)
    inside = _inside(pairs, ref)
    off_s = (pairs.t_ref - _true_t_ref(pairs.t_new))[inside]
    assert (pairs.n_inliers == 0).all()
    assert np.median(np.abs(off_s)) < 0.2 * _SPACING_S
    assert (np.abs(off_s) <= 1.645 * pairs.se_s[inside]).mean() >= 0.85


def test_more_is_asked_of_a_sighting_where_more_key_points_must_agree(new: Filmed, ref: Filmed) -> None:
    path = _path(new, ref)
    n_inliers = _refined(new, ref, path, RefineParams(min_inliers=60)).n_inliers
    assert ((n_inliers == 0) | (n_inliers >= 60)).all()
    assert (n_inliers > 0).any()
    assert (_refined(new, ref, path, RefineParams(min_inliers=500)).n_inliers == 0).all()


def test_the_result_is_the_same_however_many_threads_work_on_it(new: Filmed, ref: Filmed) -> None:
    path = _path(new, ref)
    first, second = (_refined(new, ref, path, n_threads=n) for n in (1, 3))
    for name in ("t_new", "t_ref", "se_s", "score", "n_inliers"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_progress_ends_with_the_last_picture(new: Filmed, ref: Filmed) -> None:
    path = _path(new, ref)
    done: list[float] = []
    seen = Resemblance(new.index, ref.index).whole()
    refine(path, seen, new.index, ref.index, RefineParams(), on_picture=done.append)
    assert done == sorted(done)
    assert done[-1] == new.index.t_s[path.new[-1]]
