"""The best monotone path, on likeness matrices whose answer is known."""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement

import numpy as np
import pytest
from numpy.typing import NDArray

from mtbsync_engine.align.search import Path, best_path, part_on_trail, rival_score
from mtbsync_engine.model import FloatArray

_SPACING_S = 1 / 3
_MAX_SLOPE = 4.5


def _clock(n: int) -> FloatArray:
    return np.arange(n) * _SPACING_S


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
    score = part_on_trail(path, z, z).score
    return 1 - rival_score(z, z, path, clock_new, clock_ref) / score if score > 0 else 0.0


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
    path = part_on_trail(best_path(z, _clock(t_ref_s.size), clock_ref), z, z)
    right = np.isin(path.new, shows)
    assert right.sum() >= 0.97 * len(shows)
    assert _off_s(path, t_ref_s, clock_ref)[right].max() <= 1.01 * _SPACING_S
    # A look-alike or two beside the true stretch cannot be told from it.
    assert (~right).sum() <= 3


def test_what_chance_earned_does_not_count_where_the_runs_have_parted() -> None:
    clock_ref = _clock(130)
    z = _showing(np.r_[2 + _clock(40), np.full(60, np.nan)], clock_ref)
    whole = best_path(z, _clock(100), clock_ref)
    part = part_on_trail(whole, z, z)
    earned = np.minimum(z[part.new, part.ref], 6).astype(np.float64).sum() - part.new.size
    assert part.score < whole.score
    assert part.score == pytest.approx(earned, rel=0.05)


def test_pictures_that_show_nothing_do_not_break_the_path() -> None:
    t_ref_s = 3 + _clock(60)
    z = _showing(t_ref_s, _clock(80))
    z[25:28] = 0.0
    path = part_on_trail(best_path(z, _clock(60), _clock(80)), z, z)
    assert path.new.tolist() == list(range(60))


def test_nothing_is_left_of_a_path_of_chance() -> None:
    for seed in range(20):
        z = _chance(60, 80, seed)
        path = best_path(z, _clock(60), _clock(80))
        assert part_on_trail(path, z, z).score < 0.35 * path.score


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


def test_a_trail_ridden_twice_in_the_reference_has_a_close_rival() -> None:
    t_ref_s = 2 + _clock(60)
    z = np.maximum(_showing(t_ref_s, _clock(200)), _showing(t_ref_s + 33.4, _clock(200)))
    assert _margin(z, _clock(60), _clock(200)) < 0.1


def _price(path: Path, z: NDArray[np.float32], clock_new: FloatArray, clock_ref: FloatArray) -> float:
    """The score that the rules of the search give `path`, step by step."""
    score = float(np.clip(z[path.new, path.ref], -3, 6).astype(np.float64).sum()) - path.new.size
    for d_new, dt_new, dt_ref in zip(
        np.diff(path.new), np.diff(clock_new[path.new]), np.diff(clock_ref[path.ref]), strict=True
    ):
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


@pytest.mark.parametrize("shape", [(1, 1), (1, 20), (20, 1), (2, 2), (2, 20)], ids=str)
def test_the_smallest_matrices_have_a_path(shape: tuple[int, int]) -> None:
    z = _chance(*shape)
    z[-1, shape[1] // 2] = 5.0
    clocks = _clock(shape[0]), _clock(shape[1])
    path = best_path(z, *clocks)
    assert (path.new[-1], path.ref[-1]) == (shape[0] - 1, shape[1] // 2)
    assert path.score >= 4.0
    assert rival_score(z, z, path, *clocks) >= 0.0
    part = part_on_trail(path, z, z)
    assert part.new[-1] == shape[0] - 1


def test_a_rest_of_the_new_run_alone_leaves_no_doubt_which_way_it_rode() -> None:
    t_ref_s = np.interp(_clock(90), [0, 8, 18, 30], [2, 10, 10, 22])
    assert _margin(_showing(t_ref_s, _clock(90)), _clock(90), _clock(90)) > 0.5
