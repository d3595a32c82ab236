"""Cells of the grid, the cells of a track, and what sharing them says of trails."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mtbsync_engine.identify.gallery import Candidate
from mtbsync_engine.identify.grid import around, cell_at, neighbours
from mtbsync_engine.identify.shortlist import shortlist
from mtbsync_engine.identify.where import cells_of, share_of_way
from mtbsync_engine.model import Track

_M_PER_DEG = 111_195.0
_LAT = st.floats(-90, 90)
_LON = st.floats(-180, 180)


def _track(
    lat_deg: float = 46.0,
    lon_deg: float = 7.0,
    *,
    length_m: float = 2000.0,
    side_m: float = 0.0,
    accuracy_m: float = 3.0,
) -> Track:
    """Straight east from a place, `side_m` north of it."""
    n = round(length_m / 2) + 1
    return Track(
        t_s=np.arange(n) * 0.4,
        east_m=np.arange(n) * 2.0,
        north_m=np.full(n, side_m),
        ele_m=np.full(n, np.nan),
        accuracy_m=np.full(n, accuracy_m),
        origin_lat_deg=lat_deg,
        origin_lon_deg=lon_deg,
    )


# --- the grid -------------------------------------------------------------------------------------------


@given(_LAT, _LON)
def test_every_place_on_earth_has_a_cell_among_its_neighbours(lat_deg: float, lon_deg: float) -> None:
    cell = cell_at(lat_deg, lon_deg)
    assert cell in neighbours(cell)
    assert cell == cell_at(lat_deg, lon_deg + 360) or abs(lon_deg) > 179.99 or _on_an_edge(lat_deg, lon_deg)


def _on_an_edge(lat_deg: float, lon_deg: float) -> bool:
    """Whether adding 360 degrees may round a place into the next cell."""
    return cell_at(lat_deg, lon_deg - 1e-9) != cell_at(lat_deg, lon_deg + 1e-9)


@given(_LAT, _LON)
def test_neighbours_are_mutual(lat_deg: float, lon_deg: float) -> None:
    cell = cell_at(lat_deg, lon_deg)
    for beside in neighbours(cell):
        assert cell in neighbours(beside)


@example(-50.999783054863876, -170.0, 5.25, 44.0)  # a corner where two rows' columns nearly meet
@given(st.floats(-89.9, 89.9), _LON, st.floats(0, 2 * math.pi), st.floats(0, 100))
def test_who_is_less_than_a_hundred_metres_away_is_in_the_cell_or_beside_it(
    lat_deg: float, lon_deg: float, direction: float, distance_m: float
) -> None:
    lat_there = lat_deg + distance_m * math.cos(direction) / _M_PER_DEG
    east_deg = distance_m * math.sin(direction) / _M_PER_DEG / math.cos(math.radians(lat_deg))
    assert cell_at(lat_there, lon_deg + east_deg) in neighbours(cell_at(lat_deg, lon_deg))


@given(st.floats(-80, 80), _LON)
def test_who_is_half_a_kilometre_away_is_not_beside(lat_deg: float, lon_deg: float) -> None:
    beside = neighbours(cell_at(lat_deg, lon_deg))
    assert cell_at(lat_deg + 500 / _M_PER_DEG, lon_deg) not in beside
    east_deg = 500 / _M_PER_DEG / math.cos(math.radians(lat_deg))
    assert cell_at(lat_deg, lon_deg + east_deg) not in beside
    assert len(beside) <= 13


@pytest.mark.parametrize("lat_deg", [-90.0, 90.0])
def test_all_meet_at_a_pole(lat_deg: float) -> None:
    for lon_deg in range(-180, 181, 20):
        assert cell_at(lat_deg, lon_deg) in neighbours(cell_at(lat_deg, 0))


@pytest.mark.parametrize("lat_deg", [-66.0, -16.8, 0.0, 52.0])
def test_the_date_line_is_no_edge(lat_deg: float) -> None:
    assert cell_at(lat_deg, 180.0) == cell_at(lat_deg, -180.0)
    assert cell_at(lat_deg, 179.9999) in neighbours(cell_at(lat_deg, -179.9999))
    assert cell_at(lat_deg, 180.0001) == cell_at(lat_deg, -179.9999)


def test_cells_of_a_saved_library_keep_their_names() -> None:
    assert cell_at(46.0, 7.0) == "100816.96296"
    assert cell_at(-90.0, -180.0) == "0.0"


# --- a track --------------------------------------------------------------------------------------------


def test_a_track_has_a_cell_for_each_hundred_metres_or_two() -> None:
    cells = cells_of(_track(length_m=3000))
    assert 15 <= len(cells) <= 25
    assert cell_at(46.0, 7.0) in cells


def test_vague_positions_have_no_cells() -> None:
    assert cells_of(_track(accuracy_m=31.0)) == frozenset()
    known = _track()
    accuracy_m = np.where(np.arange(known.t_s.size) < 500, 3.0, 100.0)
    half = Track(known.t_s, known.east_m, known.north_m, known.ele_m, accuracy_m, 46.0, 7.0)
    assert 0.4 < len(cells_of(half)) / len(cells_of(known)) < 0.6


@given(_LAT, _LON, st.floats(-20_000, 20_000))
def test_no_track_anywhere_is_too_odd_for_cells(lat_deg: float, lon_deg: float, side_m: float) -> None:
    cells = cells_of(_track(lat_deg, lon_deg, length_m=1000, side_m=side_m))
    assert cells
    assert cells <= around(cells)


def test_two_rides_of_one_trail_share_all_of_their_way() -> None:
    one, other = (cells_of(_track(side_m=side_m)) for side_m in (0.0, 25.0))
    assert share_of_way(one, other) == 1
    assert share_of_way(other, one) == 1


def test_a_part_of_a_trail_lies_within_it() -> None:
    assert share_of_way(cells_of(_track(length_m=500)), cells_of(_track(length_m=4000))) == 1


def test_who_turns_off_shares_what_came_before() -> None:
    north = _track()
    turned = Track(
        north.t_s,
        np.minimum(north.east_m, 1000.0),
        np.maximum(north.east_m - 1000.0, 0.0),
        north.ele_m,
        north.accuracy_m,
        46.0,
        7.0,
    )
    share = share_of_way(cells_of(north), cells_of(turned))
    assert share is not None
    assert 0.45 < share < 0.75


def test_another_valley_shares_nothing_and_no_gps_says_nothing() -> None:
    here, there = cells_of(_track()), cells_of(_track(lat_deg=46.1))
    assert share_of_way(here, there) == 0
    assert share_of_way(here, frozenset()) is None
    assert share_of_way(frozenset(), there) is None


# --- the shortlist --------------------------------------------------------------------------------------

_HERE, _BESIDE, _AWAY = (
    cells_of(_track()),
    cells_of(_track(side_m=60.0)),
    cells_of(_track(lat_deg=46.1)),
)


def _ids(candidates: list[Candidate]) -> list[str]:
    return [candidate.trail_id for candidate in candidates]


def test_looks_alone_rank_where_there_is_no_gps() -> None:
    by_looks = [Candidate("a", 3.0), Candidate("b", 9.0), Candidate("c", 0.2), Candidate("d", 0.5)]
    assert _ids(shortlist(by_looks, frozenset(), {})) == ["b", "a", "d"]
    assert _ids(shortlist(by_looks, frozenset(), {"b": _HERE}, n_most=1)) == ["b"]
    assert shortlist([], frozenset(), {"b": _HERE}) == []


def test_a_trail_that_is_elsewhere_is_left_out_whatever_it_looks_like() -> None:
    by_looks = [Candidate("away", 9.0), Candidate("unknown", 1.0)]
    assert _ids(shortlist(by_looks, _HERE, {"away": _AWAY})) == ["unknown"]


def test_a_trail_that_passes_here_comes_before_look_alikes_and_after_what_surely_looks_so() -> None:
    by_looks = [Candidate("sure", 8.0), Candidate("alike", 1.2)]
    found = shortlist(by_looks, _HERE, {"here": _BESIDE})
    assert _ids(found) == ["sure", "here", "alike"]
    assert [candidate.share for candidate in found] == [None, 1.0, None]


def test_on_one_hill_looks_tell_trails_apart() -> None:
    by_looks = [Candidate("b", 6.0), Candidate("a", 0.4)]
    assert _ids(shortlist(by_looks, _HERE, {"a": _HERE, "b": _BESIDE, "c": _HERE})) == ["b", "a", "c"]
