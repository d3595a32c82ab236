"""The best monotone path, on likeness matrices whose answer is known."""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtbsync_engine.align import search
from mtbsync_engine.align.likeness import Band
from mtbsync_engine.align.search import Path, Rivals
from mtbsync_engine.model import FloatArray

_SPACING_S = 1 / 3
_MAX_SLOPE = 4.5


def _clock(n: int) -> FloatArray:
    return np.arange(n) * _SPACING_S


def _whole(z: NDArray[np.float32]) -> Band:
    """All of a matrix as a band."""
    return Band(z, np.zeros(len(z), np.int64), z.shape[1])


def best_path(z: NDArray[np.float32], clock_new: FloatArray, clock_ref: FloatArray) -> Path:
    return search.best_path(_whole(z), clock_new, clock_ref)


def part_on_trail(path: Path, z: NDArray[np.float32]) -> Path:
    return search.part_on_trail(path, _whole(z), _whole(z))


def rivals(z: NDArray[np.float32], path: Path, clock_new: FloatArray, clock_ref: FloatArray) -> Rivals:
    score = part_on_trail(path, z).score
    return search.rivals(path, score, _whole(z), _whole(z), _whole(z), clock_new, clock_ref)


def _chance(n_new: int, n_ref: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((n_new, n_ref), dtype=np.float32)


def _showing(t_ref_s: FloatArray, clock_ref: FloatArray, seed: int = 0) -> NDArray[np.float32]:
    """Likeness of pictures that show the reference at `t_ref_s` (nan: another place), over chance: 4 at the
    same place, less beside it."""
    z = _chance(t_ref_s.size, clock_ref.size, seed)
    off = np.abs(clock_ref[None, :] - t_ref_s[:, None])
    return np.where(off < 0.5, 4 - 4 * off, z).astype(np.float32)


def _off_s(path: Path, t_ref_s: FloatArray, clock_ref: FloatArray) -> FloatArray:
    """How far each picture on the path is from what it shows."""
    return np.abs(clock_ref[path.ref] - t_ref_s[path.new])


def _margin(z: NDArray[np.float32], clock_new: FloatArray, clock_ref: FloatArray) -> float:
    path = best_path(z, clock_new, clock_ref)
    score = part_on_trail(path, z).score
    return 1 - rivals(z, path, clock_new, clock_ref).chance_score / score if score > 0 else 0.0


@pytest.mark.parametrize(
    "t_ref_s",
    [
        _clock(90),
        5.1 + _clock(60),
        8.0 + 0.4 * _clock(90),
        3.0 + 2.5 * _clock(30),
        np.interp(_clock(90), [0, 10, 16, 30], [4, 14, 14, 28]),
        np.interp(_clock(60), [0, 8, 9.5, 20], [4, 12, 17.5, 28]),
    ],
    ids=["identity", "offset", "slower", "faster", "a stop of six seconds", "a sprint"],
)
def test_it_follows_the_new_run(t_ref_s: FloatArray) -> None:
    clock_ref = _clock(100)
    path = best_path(_showing(t_ref_s, clock_ref), _clock(t_ref_s.size), clock_ref)
    assert path.new.tolist() == list(range(t_ref_s.size))
    assert _off_s(path, t_ref_s, clock_ref).max() <= _SPACING_S
    assert np.median(_off_s(path, t_ref_s, clock_ref)) <= 0.51 * _SPACING_S


@pytest.mark.parametrize(
    ("t_ref_s", "shows"),
    [
        (np.r_[np.full(30, np.nan), 10 + _clock(60)], range(30, 90)),
        (np.r_[2 + _clock(60), np.full(30, np.nan)], range(60)),
        (np.r_[2 + _clock(40), np.full(20, np.nan), 2 + 40 / 3 + _clock(40)], [*range(40), *range(60, 100)]),
        (np.r_[2 + _clock(40), np.full(20, np.nan), 22 + _clock(40)], [*range(40), *range(60, 100)]),
        (np.r_[2 + _clock(40), 25 + _clock(40)], range(80)),
    ],
    ids=["begins elsewhere", "ends elsewhere", "a detour and back", "another way round", "a short cut"],
)
def test_where_the_runs_part_is_no_part_of_the_path(t_ref_s: FloatArray, shows: range | list[int]) -> None:
    clock_ref = _clock(130)
    z = _showing(t_ref_s, clock_ref)
    path = part_on_trail(best_path(z, _clock(t_ref_s.size), clock_ref), z)
    right = np.isin(path.new, shows)
    assert right.sum() >= 0.97 * len(shows)
    assert _off_s(path, t_ref_s, clock_ref)[right].max() <= 1.01 * _SPACING_S
    # A look-alike or two beside the true stretch cannot be told from it.
    assert (~right).sum() <= 3


def test_what_chance_earned_does_not_count_where_the_runs_have_parted() -> None:
    clock_ref = _clock(130)
    z = _showing(np.r_[2 + _clock(40), np.full(60, np.nan)], clock_ref)
    whole = best_path(z, _clock(100), clock_ref)
    part = part_on_trail(whole, z)
    earned = np.minimum(z[part.new, part.ref], 6).astype(np.float64).sum() - part.new.size
    assert part.score < whole.score
    assert part.score == pytest.approx(earned, rel=0.05)


def test_pictures_that_show_nothing_do_not_break_the_path() -> None:
    t_ref_s = 3 + _clock(60)
    z = _showing(t_ref_s, _clock(80))
    z[25:28] = 0.0
    path = part_on_trail(best_path(z, _clock(60), _clock(80)), z)
    assert path.new.tolist() == list(range(60))


def test_nothing_is_left_of_a_path_of_chance() -> None:
    for seed in range(20):
        z = _chance(60, 80, seed)
        path = best_path(z, _clock(60), _clock(80))
        assert part_on_trail(path, z).score < 0.35 * path.score


def test_a_look_alike_elsewhere_is_harmless() -> None:
    t_ref_s = 2 + _clock(90)
    z = _showing(t_ref_s, _clock(110))
    rng = np.random.default_rng(3)
    for j in rng.choice(90, 30, replace=False):
        z[j, rng.integers(0, 110)] = 6.0
    path = best_path(z, _clock(90), _clock(110))
    assert path.new.size == 90
    assert np.percentile(_off_s(path, t_ref_s, _clock(110)), 95) <= 0.51 * _SPACING_S
    assert _margin(z, _clock(90), _clock(110)) > 0.7


def test_a_stretch_that_looks_like_another_is_harmless() -> None:
    t_ref_s = 2 + _clock(90)
    z = _showing(t_ref_s, _clock(110))
    z[20:35] = np.maximum(z[20:35], _showing(22 + _clock(15), _clock(110)))
    path = best_path(z, _clock(90), _clock(110))
    assert _off_s(path, t_ref_s, _clock(110)).max() <= 0.51 * _SPACING_S
    assert _margin(z, _clock(90), _clock(110)) > 0.5


_LAP_S = 22.0


@pytest.mark.parametrize("n_laps", [1, 2, 4, 6])
def test_each_lap_of_the_reference_is_a_place_that_a_run_of_one_lap_fits(n_laps: int) -> None:
    clock_new, clock_ref = _clock(60), _clock(420)
    begins_s = 2 + _LAP_S * np.arange(n_laps)
    z = np.maximum.reduce([_showing(begin + clock_new, clock_ref) for begin in begins_s])
    path = best_path(z, clock_new, clock_ref)
    found = rivals(z, path, clock_new, clock_ref).elsewhere
    at_s = sorted(float(clock_ref[way.ref[0]]) for way in (path, *found))
    np.testing.assert_allclose(at_s, begins_s, rtol=0, atol=2 * _SPACING_S)
    assert [way.score for way in found] == sorted((way.score for way in found), reverse=True)
    # That there are others is no reason to think that it is none.
    assert _margin(z, clock_new, clock_ref) > 0.7


def test_a_stretch_that_comes_again_is_no_place_that_the_whole_run_fits() -> None:
    clock_new, clock_ref = _clock(90), _clock(200)
    z = _showing(2 + clock_new, clock_ref)
    z[20:55] = np.maximum(z[20:55], _showing(40 + clock_new[:35], clock_ref))
    path = best_path(z, clock_new, clock_ref)
    found = rivals(z, path, clock_new, clock_ref)
    assert found.elsewhere == ()
    assert 0.25 * path.score < found.chance_score < 0.5 * path.score


def _price(path: Path, z: NDArray[np.float32], clock_new: FloatArray, clock_ref: FloatArray) -> float:
    """The score that the rules of the search give `path`, step by step."""
    score = float(np.clip(z[path.new, path.ref], -3, 6).astype(np.float64).sum()) - path.new.size
    # Times between new pictures count to a tenth of a millisecond.
    dt_new_s = np.round(np.diff(clock_new[path.new]), 4)
    for d_new, dt_new, dt_ref in zip(np.diff(path.new), dt_new_s, np.diff(clock_ref[path.ref]), strict=True):
        is_step = d_new == 1 and dt_ref <= _MAX_SLOPE * dt_new
        score -= 0.05 * abs(dt_ref / dt_new - 1) if is_step else 10 + 0.2 * (d_new - 1)
    return score


@pytest.mark.parametrize("seed", range(10))
def test_a_step_that_is_too_steep_or_leaves_pictures_out_is_paid_for_as_a_leap(seed: int) -> None:
    clocks = _clock(60), _clock(150)
    rng = np.random.default_rng(seed)
    z = _showing(np.sort(rng.uniform(0, 50, 60)), clocks[1], seed)
    path = best_path(z, *clocks)
    assert path.score == pytest.approx(_price(path, z, *clocks), abs=1e-6)
    assert (np.diff(path.new) > 0).all()
    assert (np.diff(path.ref) >= 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_pictures_that_a_leap_leaves_out_are_paid_for_each(seed: int) -> None:
    clocks = _clock(75), _clock(90)
    z = _showing(np.r_[2 + _clock(30), np.full(15, np.nan), 12.5 + _clock(30)], clocks[1], seed)
    z[30:45] = -3.0
    path = best_path(z, *clocks)
    assert np.diff(path.new).max() >= 14
    assert path.score == pytest.approx(_price(path, z, *clocks), abs=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_no_other_path_earns_more(seed: int) -> None:
    clocks = _clock(5), _clock(6)
    z = 3 * _chance(5, 6, seed)
    paths = (
        Path(np.array(new), np.array(ref), 0.0)
        for size in range(1, 6)
        for new in combinations(range(5), size)
        for ref in combinations_with_replacement(range(6), size)
    )
    allowed = [p for p in paths if not (np.diff(p.ref)[np.diff(p.new) > 1] == 0).any()]
    assert best_path(z, *clocks).score == pytest.approx(max(_price(p, z, *clocks) for p in allowed), abs=1e-6)


def test_pictures_at_odd_times_are_followed_by_their_times() -> None:
    rng = np.random.default_rng(7)
    clock_new = np.cumsum(rng.uniform(0.05, 0.8, 80))
    clock_ref = np.cumsum(rng.uniform(0.05, 0.8, 120))
    t_ref_s = 4 + 1.1 * clock_new
    off = np.abs(clock_ref[None, :] - t_ref_s[:, None])
    z = np.where(off < 0.9, 4 - 3 * off, 0.5 * _chance(80, 120)).astype(np.float32)
    path = best_path(z, clock_new, clock_ref)
    nearest_s = off.min(axis=1)[path.new]
    assert path.new.size >= 78
    assert (_off_s(path, t_ref_s, clock_ref) <= nearest_s + 0.4).all()


@pytest.mark.parametrize("shape", [(60, 60), (60, 200), (200, 60), (180, 200)], ids=str)
def test_chance_earns_little_and_has_rivals_as_good(shape: tuple[int, int]) -> None:
    clocks = _clock(shape[0]), _clock(shape[1])
    true = best_path(_showing(_clock(min(shape)), clocks[1]), _clock(min(shape)), clocks[1]).score
    for seed in range(12):
        z = _chance(*shape, seed=seed)
        assert best_path(z, *clocks).score < 0.25 * true
        assert _margin(z, *clocks) < 0.1
        path = best_path(z, *clocks)
        assert path.score > 0
        assert rivals(z, path, *clocks).chance_score > 0.7 * path.score


@pytest.mark.parametrize("shape", [(1, 1), (1, 20), (20, 1), (2, 2), (2, 20)], ids=str)
def test_the_smallest_matrices_have_a_path(shape: tuple[int, int]) -> None:
    z = _chance(*shape)
    z[-1, shape[1] // 2] = 5.0
    clocks = _clock(shape[0]), _clock(shape[1])
    path = best_path(z, *clocks)
    assert (path.new[-1], path.ref[-1]) == (shape[0] - 1, shape[1] // 2)
    assert path.score >= 4.0
    assert rivals(z, path, *clocks).chance_score >= 0.0
    part = part_on_trail(path, z)
    assert part.new[-1] == shape[0] - 1


def test_a_rest_of_the_new_run_alone_leaves_no_doubt_which_way_it_rode() -> None:
    t_ref_s = np.interp(_clock(90), [0, 8, 18, 30], [2, 10, 10, 22])
    assert _margin(_showing(t_ref_s, _clock(90)), _clock(90), _clock(90)) > 0.5


# --- in a band of the matrix --------------------------------------------------------------------------


def _band(z: NDArray[np.float32], first: NDArray[np.int64], width: int) -> Band:
    """`width` columns of `z` from `first` (N,) on."""
    return Band(np.take_along_axis(z, first[:, None] + np.arange(width), axis=1), first, z.shape[1])


def _outside_forbidden(z: NDArray[np.float32], band: Band) -> NDArray[np.float32]:
    masked = np.full_like(z, -np.inf)
    np.put_along_axis(masked, band.columns(), band.z, axis=1)
    return masked


def _is_within(path: Path, band: Band) -> bool:
    offset = path.ref - band.first[path.new]
    return bool(((offset >= 0) & (offset < band.z.shape[1])).all())


@st.composite
def _bands(draw: st.DrawFn) -> tuple[NDArray[np.float32], Band, FloatArray, FloatArray]:
    """A matrix with a true path or without, a band of it that stands still and jumps, irregular clocks."""
    n_new, n_ref = draw(st.integers(1, 14)), draw(st.integers(1, 20))
    width = draw(st.integers(1, n_ref))
    jumps = draw(st.lists(st.integers(0, 7), min_size=n_new, max_size=n_new))
    first = np.minimum(np.cumsum(jumps), n_ref - width)
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    z = draw(st.sampled_from([1.0, 2.0, 6.0])) * rng.standard_normal((n_new, n_ref), dtype=np.float32)
    if draw(st.booleans()):
        middle = np.minimum(first + width // 2, n_ref - 1)
        z[np.arange(n_new), middle] += 4
    # Times of the new run are written to a millisecond, so that they need no rounding.
    clock_new = np.cumsum(rng.integers(20, 900, n_new)) / 1000
    clock_ref = np.cumsum(rng.uniform(0.02, 0.9, n_ref))
    return z, _band(z, first, width), clock_new, clock_ref


def _highest_price(band: Band, clock_new: FloatArray, clock_ref: FloatArray) -> float:
    """What the best path through `band` earns, by looking back from every cell at all before it."""
    n_new, width = band.z.shape
    before: dict[tuple[int, int], float] = {}
    for j in range(n_new):
        row = {}
        for k in range(width):
            i = int(band.first[j]) + k
            ways = [0.0]
            for (j_before, i_before), so_far in before.items():
                slope = (clock_ref[i] - clock_ref[i_before]) / (clock_new[j] - clock_new[j_before])
                if j_before == j - 1 and 0 <= slope <= _MAX_SLOPE:
                    ways.append(so_far - 0.05 * abs(slope - 1))
                if i_before < i:
                    ways.append(so_far - 10 - 0.2 * (j - j_before - 1))
            row[j, i] = float(np.clip(band.z[j, k], -3, 6)) - 1 + max(ways)
        before |= row
    return max(before.values())


@given(_bands())
@settings(deadline=None)
def test_no_path_within_a_band_earns_more(
    made: tuple[NDArray[np.float32], Band, FloatArray, FloatArray],
) -> None:
    z, band, *clocks = made
    path = search.best_path(band, *clocks)
    assert _is_within(path, band)
    assert path.score == pytest.approx(_highest_price(band, *clocks), abs=1e-6)
    assert path.score == pytest.approx(_price(path, z, *clocks), abs=1e-6)


@given(_bands())
@settings(deadline=None)
def test_a_path_that_keeps_to_a_band_is_the_same_in_it(
    made: tuple[NDArray[np.float32], Band, FloatArray, FloatArray],
) -> None:
    z, band, *clocks = made
    in_band = search.best_path(band, *clocks)
    in_all = best_path(_outside_forbidden(z, band), *clocks)
    if _is_within(in_all, band):
        assert in_band.score == pytest.approx(in_all.score, abs=1e-9)
        assert in_band.new.tolist() == in_all.new.tolist()
        assert in_band.ref.tolist() == in_all.ref.tolist()
    else:
        # Even what is forbidden costs no more than so much, so a path may cut across it.
        assert in_band.score <= in_all.score + 1e-9


@pytest.mark.parametrize("reach", [1, 2, 5, 40])
@pytest.mark.parametrize(
    "t_ref_s",
    [
        5.1 + _clock(60),
        3.0 + 2.5 * _clock(30),
        np.interp(_clock(90), [0, 10, 16, 30], [4, 14, 14, 28]),
        np.r_[2 + _clock(40), 25 + _clock(40)],
    ],
    ids=["offset", "faster", "a stop", "a short cut"],
)
def test_a_path_is_found_wherever_in_the_band_it_lies(t_ref_s: FloatArray, reach: int) -> None:
    clocks = _clock(t_ref_s.size), _clock(130)
    z = _showing(t_ref_s, clocks[1])
    whole = best_path(z, *clocks)
    columns = np.interp(np.arange(t_ref_s.size), whole.new, whole.ref).astype(np.int64)
    width = 2 * reach + 1
    for shift in (-reach, 0, reach):
        band = _band(z, np.clip(columns - reach + shift, 0, 130 - width), width)
        path = search.best_path(band, *clocks)
        assert path.new.tolist() == whole.new.tolist()
        assert path.ref.tolist() == whole.ref.tolist()
        assert path.score == pytest.approx(whole.score, abs=1e-9)


def test_a_leap_may_cross_what_no_row_of_the_band_holds() -> None:
    t_ref_s = np.r_[_clock(20), 30 + _clock(20)]
    clocks = _clock(40), _clock(130)
    z = _showing(t_ref_s, clocks[1])
    band = _band(z, np.repeat([0, 88], 20), 22)
    path = search.best_path(band, *clocks)
    assert path.new.tolist() == list(range(40))
    assert _off_s(path, t_ref_s, clocks[1]).max() <= 0.01
    assert path.score == pytest.approx(_price(path, z, *clocks), abs=1e-6)


def test_a_leap_starts_from_the_best_that_the_band_has_left_behind() -> None:
    """The band leaves the first part's columns in three jumps, over rows that show nothing."""
    t_ref_s = np.r_[_clock(20), np.full(9, np.nan), 20 + _clock(20)]
    clocks = _clock(49), _clock(130)
    z = np.where(np.isnan(t_ref_s)[:, None], np.float32(-3), _showing(t_ref_s, clocks[1]))
    band = _band(z, np.repeat([0, 8, 30, 50, 59], [20, 3, 3, 3, 20]), 21)
    path = search.best_path(band, *clocks)
    assert path.new.tolist() == [*range(20), *range(29, 49)]
    assert _off_s(path, t_ref_s, clocks[1]).max() <= 0.01
    assert path.score == pytest.approx(_price(path, z, *clocks), abs=1e-6)


def test_what_a_band_keeps_of_the_trail_is_what_the_whole_matrix_keeps() -> None:
    t_ref_s = np.r_[2 + _clock(60), np.full(30, np.nan)]
    clocks = _clock(90), _clock(130)
    z = _showing(t_ref_s, clocks[1])
    band = _band(z, np.arange(90), 30)
    path = search.best_path(band, *clocks)
    in_band = search.part_on_trail(path, band, band)
    in_all = part_on_trail(path, z)
    assert in_band.new.tolist() == in_all.new.tolist()
    assert in_band.ref.tolist() == in_all.ref.tolist()
    assert in_band.score == pytest.approx(in_all.score)
    assert abs(in_band.new.size - 60) <= 2
