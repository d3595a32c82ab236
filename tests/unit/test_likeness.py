"""How alike moments of two runs are, on looks whose likeness is known."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtbsync_engine.align.likeness import Band, Resemblance, likeness_image, resting
from mtbsync_engine.align.match import match
from mtbsync_engine.model import FloatArray, Index, IndexParams

_SPACING_S = 1 / 3
_COLUMNS, _CHANNELS = 8, 6


def _index(looks: NDArray[np.float64], spacing_s: float = _SPACING_S) -> Index:
    """A run whose pictures have these `looks` (N, C, D), and no key points."""
    n = len(looks)
    return Index(
        params=IndexParams(),
        fingerprint="made",
        duration_s=n * spacing_s,
        t_s=np.arange(n) * spacing_s,
        appearance=looks.astype(np.float16),
        points=np.zeros((0, 2), np.float32),
        descriptors=np.zeros((0, 64), np.int8),
        first_point=np.zeros(n + 1, np.int64),
    )


def _looks(n: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal((n, _COLUMNS, _CHANNELS))


def _rough(looks: NDArray[np.float64], noise: float, seed: int = 1) -> NDArray[np.float64]:
    return looks + noise * np.random.default_rng(seed).standard_normal(looks.shape)


def _whole(new: NDArray[np.float64], ref: NDArray[np.float64]) -> NDArray[np.float32]:
    return Resemblance(_index(new), _index(ref)).whole().z


# --- one against the other ----------------------------------------------------------------------------


def test_the_same_place_is_what_a_picture_resembles_most() -> None:
    ref = _looks(60)
    z = _whole(_rough(ref[10:50], 0.5), ref)
    assert z.argmax(axis=1).tolist() == list(range(10, 50))
    assert z[np.arange(40), np.arange(10, 50)].min() > 3


def test_likeness_is_counted_in_deviations_from_chance() -> None:
    z = _whole(_looks(80, 1), _looks(90, 2))
    assert z.mean() == pytest.approx(0, abs=0.01)
    assert z.std() == pytest.approx(1, abs=0.05)


def test_what_all_pictures_share_says_nothing() -> None:
    """A handlebar in one run, another in the other."""
    new, ref = _looks(40, 1), _looks(50, 2)
    bars = 3 * _looks(2, 3)
    plain, barred = _whole(new, ref), _whole(new + bars[0], ref + bars[1])
    np.testing.assert_allclose(barred, plain, rtol=0, atol=0.05)


@pytest.mark.parametrize("turn", [-1, 1])
def test_a_camera_turned_a_little_sees_the_same_place(turn: int) -> None:
    ref = _looks(60)
    turned = _looks(60, 9)
    kept = slice(max(0, -turn), _COLUMNS - max(0, turn))
    seen = slice(max(0, turn), _COLUMNS - max(0, -turn))
    turned[:, kept] = ref[:, seen]
    z = _whole(turned, ref)
    assert z.argmax(axis=1).tolist() == list(range(60))


def test_a_picture_that_resembles_everything_resembles_nothing_in_particular() -> None:
    """One of the reference's pictures is the mean of half of them, nearer to each than another is."""
    ref = _rough(np.repeat(_looks(1, 4), 60, axis=0), 1.0)
    common = np.zeros_like(ref)
    common[30:] = 2 * _looks(1, 5)
    ref = ref + common
    ref[30] = ref[31:].mean(axis=0)
    z = _whole(_rough(ref, 0.3, 6), ref)
    others = np.delete(np.arange(60), 30)
    assert (z[others].argmax(axis=1) == others).all()


@pytest.mark.parametrize("blank", ["new", "ref"])
def test_blank_pictures_are_like_nothing(blank: str) -> None:
    runs = {"new": _looks(20, 1), "ref": _looks(30, 2)}
    runs[blank] = np.zeros_like(runs[blank])
    z = _whole(runs["new"], runs["ref"])
    assert np.isfinite(z).all()
    assert (z == 0).all()


# --- in a band ------------------------------------------------------------------------------------------


def test_a_band_knows_its_cells() -> None:
    z = np.arange(12, dtype=np.float32).reshape(3, 4)
    band = Band(z, np.array([0, 2, 5]), 9)
    assert band.columns().tolist() == [[0, 1, 2, 3], [2, 3, 4, 5], [5, 6, 7, 8]]
    assert band.at(np.array([0, 1, 1, 2]), np.array([3, 2, 5, 8])).tolist() == [3, 4, 7, 11]
    np.testing.assert_array_equal(band.at(np.arange(3)[:, None], band.columns()), z)


@given(st.integers(4, 100), st.integers(4, 60), st.integers(0, 70), st.data())
@settings(deadline=None, max_examples=50)
def test_near_a_path_likeness_is_that_of_the_whole_matrix(
    n_new: int, n_ref: int, reach: int, data: st.DataObject
) -> None:
    """Wherever the path leads, back, out of the reference, or nowhere near its end."""
    edges = data.draw(st.lists(st.floats(-20, 80), min_size=2, max_size=5))
    centre = np.interp(np.linspace(0, 1, n_new), np.linspace(0, 1, len(edges)), edges)
    resemblance = Resemblance(_index(_looks(n_new, 1)), _index(_looks(n_ref, 2)))
    whole, near = resemblance.whole(), resemblance.near(centre, reach)
    assert resemblance.stride == 1
    assert (whole.first == 0).all()
    assert (near.n_columns, near.z.shape) == (n_ref, (n_new, min(2 * reach + 1, n_ref)))
    assert (np.diff(near.first) >= 0).all()
    assert near.first[0] >= 0
    assert near.first[-1] + near.z.shape[1] <= n_ref
    rows = np.arange(n_new)[:, None]
    np.testing.assert_allclose(near.z, whole.at(rows, near.columns()), rtol=0, atol=2e-5)
    furthest = np.clip(np.rint(np.maximum.accumulate(centre)), 0, n_ref - 1)
    off = np.abs(near.columns() - furthest[:, None])
    assert (off.min(axis=1) == 0).all()


def test_chance_is_told_from_some_of_many_pictures_as_well_as_from_all() -> None:
    z = Resemblance(_index(_looks(1500, 1)), _index(_looks(1100, 2))).near(np.zeros(1500), 1100).z
    assert z.shape == (1500, 1100)
    assert z.mean() == pytest.approx(0, abs=0.02)
    assert z.std() == pytest.approx(1, abs=0.05)
    for axis in (0, 1):
        assert np.abs(z.mean(axis=axis)).mean() < 0.1
        assert z.std(axis=axis).mean() == pytest.approx(1, abs=0.05)


# --- long runs ------------------------------------------------------------------------------------------


def _planted(n: int) -> tuple[Index, Index, FloatArray]:
    """Two runs of `n` pictures, and the picture of the reference that each of the new run shows: it begins
    further on, is slower, then faster, and leaves a twentieth out."""
    t = np.arange(n) / n
    shown = np.rint(n * np.interp(t, [0, 0.4, 0.4 + 1e-9, 0.8], [0.1, 0.42, 0.47, 1.0])).clip(0, n - 1)
    ref = _looks(n)
    new = _looks(n, 5)
    on_trail = t < 0.8
    new[on_trail] = _rough(ref[shown[on_trail].astype(int)], 0.6)
    return _index(new), _index(ref), np.where(on_trail, shown * _SPACING_S, np.nan)


def test_a_matrix_of_a_minute_has_every_picture() -> None:
    assert Resemblance(_index(_looks(180)), _index(_looks(180))).stride == 1


@pytest.mark.parametrize(("n_new", "n_ref"), [(3000, 3000), (10_000, 10_000), (1000, 40_000), (40_000, 1000)])
def test_a_matrix_of_long_runs_has_every_few_pictures_as_few_as_need_be(n_new: int, n_ref: int) -> None:
    resemblance = Resemblance(_index(np.zeros((n_new, 1, 1))), _index(np.zeros((n_ref, 1, 1))))
    stride = resemblance.stride
    shape = -(-n_new // stride), -(-n_ref // stride)
    assert stride > 1
    assert resemblance.whole().z.shape == shape
    # Enough to see a path in, and no more than some megabytes.
    assert 50_000 < shape[0] * shape[1] < 4_000_000


def test_of_pictures_that_share_a_column_the_most_alike_speaks() -> None:
    new, ref, shown_s = _planted(3000)
    resemblance = Resemblance(new, ref)
    band = resemblance.whole()
    stride = resemblance.stride
    assert stride > 1
    shown = np.rint(shown_s[::stride] / _SPACING_S)
    known = np.isfinite(shown)
    assert (band.z.argmax(axis=1)[known] == shown[known] // stride).mean() > 0.99


def test_a_planted_path_is_found_through_long_runs() -> None:
    new, ref, shown_s = _planted(3000)
    tracemalloc.start()
    matching, image = match(new, ref, None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
    off_s = np.abs(matching.pairs.t_ref - np.interp(matching.pairs.t_new, new.t_s, shown_s))
    known = np.isfinite(off_s)
    assert known.sum() >= 0.99 * np.isfinite(shown_s).sum()
    assert (~known).sum() <= 3
    assert np.percentile(off_s[known], 99) <= _SPACING_S
    assert matching.margin > 0.8
    assert len(matching.stretches) == 2
    assert max(image.z.shape) <= 500


def test_memory_grows_with_the_length_and_not_with_its_square() -> None:
    peaks = []
    for n in (2025, 8100):
        new, ref, _ = _planted(n)
        tracemalloc.start()
        resemblance = Resemblance(new, ref)
        resemblance.whole()
        resemblance.near(np.arange(n, dtype=np.float64), 4 * resemblance.stride)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 11 * peaks[0]
    # Much less than all of the matrix of these runs would take in single precision.
    assert peaks[1] < 0.4 * 8100**2 * 4


# --- drawing --------------------------------------------------------------------------------------------


def test_a_small_image_keeps_the_highest_of_each_block() -> None:
    z = np.zeros((1200, 700), np.float32)
    z[777, 333] = 5.0
    t_new, t_ref = np.arange(1200) * 0.5, np.arange(700) * 0.25
    image = likeness_image(Band(z, np.zeros(1200, np.int64), 700), t_new, t_ref)
    assert image.z.shape == (400, 350)
    assert np.argwhere(image.z == 5.0).tolist() == [[777 // 3, 333 // 2]]
    np.testing.assert_array_equal(image.t_new, t_new[::3])
    np.testing.assert_array_equal(image.t_ref, t_ref[::2])


# --- rest -----------------------------------------------------------------------------------------------


def test_a_rider_rests_while_pictures_stay_the_same_for_a_second() -> None:
    looks = _looks(40)
    looks[10:20] = looks[10]
    rests = resting(_index(_rough(looks, 0.3)))
    assert rests.shape == (39,)
    assert np.flatnonzero(rests).tolist() == list(range(10, 19))


def test_pictures_that_are_alike_for_less_than_a_second_are_no_rest() -> None:
    looks = _looks(40)
    looks[10:13] = looks[10]
    assert not resting(_index(_rough(looks, 0.3))).any()
