"""Which fixes count, and how those that do lie on a recording's clock."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbsync_engine.errors import TelemetryError
from mtbsync_engine.telemetry.gpx import gpx_text, read_fixes
from mtbsync_engine.telemetry.read import read_track
from mtbsync_engine.telemetry.track import (
    Dropped,
    Fixes,
    accuracy_from_dop,
    cell_means,
    place_by_date,
    thinned,
    track_from_fixes,
    usable,
)

NORTH_M_PER_DEG = 111_131.7
START = datetime(2026, 6, 8, 19, 0, 0, tzinfo=UTC)


def ride(n: int = 100, rate_hz: float = 1.0, speed_mps: float = 5.0) -> Fixes:
    """Straight north, by a receiver that is good to 3 m."""
    t_s = np.arange(n) / rate_hz
    lat_deg = 45 + speed_mps * t_s / NORTH_M_PER_DEG
    return Fixes(
        t_s,
        lat_deg,
        np.full(n, 7.0),
        np.full(n, 300.0),
        np.full(n, 3.0),
        np.full(n, speed_mps),
    )


def changed(fixes: Fixes, rows: slice, **values: float) -> Fixes:
    """The same fixes with other values in some rows."""
    columns = {name: getattr(fixes, name).copy() for name in Fixes.__dataclass_fields__}
    for name, value in values.items():
        columns[name][rows] = value
    return Fixes(**columns)


def test_a_good_ride_is_left_as_it_is() -> None:
    kept, dropped = usable(ride())
    np.testing.assert_array_equal(kept.lat_deg, ride().lat_deg)
    assert dropped == Dropped()
    assert dropped.total == 0


def test_fixes_before_the_lock_are_left_aside() -> None:
    kept, dropped = usable(changed(ride(), slice(0, 10), accuracy_m=np.inf))
    assert kept.t_s[0] == 10
    assert dropped == Dropped(no_lock=10)


@pytest.mark.parametrize("place", [{"lat_deg": 0.0, "lon_deg": 0.0}, {"lat_deg": np.nan}, {"lon_deg": 200.0}])
def test_what_is_no_place_on_earth_or_none_at_all_is_left_aside(place: dict[str, float]) -> None:
    kept, dropped = usable(changed(ride(), slice(3, 5), **place))
    assert len(kept) == 98
    assert dropped == Dropped(no_lock=2)


def test_fixes_that_are_too_vague_are_left_aside() -> None:
    dop = accuracy_from_dop(np.array([1.0, 10.0, 10.1, 99.99, np.nan, 0.0]))
    np.testing.assert_allclose(dop, [3, 30, 30.3, 299.97, 3, 3])
    fixes = ride(6)
    kept, dropped = usable(Fixes(fixes.t_s, fixes.lat_deg, fixes.lon_deg, fixes.ele_m, dop, fixes.speed_mps))
    assert kept.t_s.tolist() == [0, 1, 4, 5]
    assert dropped == Dropped(vague=2)


def test_an_old_position_at_speed_is_stale_but_a_rider_may_stand_still() -> None:
    frozen = changed(ride(), slice(20, 30), lat_deg=float(ride().lat_deg[20]))
    kept, dropped = usable(frozen)
    assert dropped == Dropped(stale=9)
    assert np.setdiff1d(ride().t_s, kept.t_s).tolist() == list(range(21, 30))
    standing = changed(frozen, slice(20, 30), speed_mps=0.2)
    assert usable(standing)[1] == Dropped()
    assert usable(changed(frozen, slice(None), speed_mps=np.nan))[1] == Dropped()


@pytest.mark.parametrize("rows", [slice(0, 1), slice(0, 30), slice(40, 41), slice(40, 60), slice(90, 100)])
def test_a_place_nobody_gets_to_that_fast_is_left_aside(rows: slice) -> None:
    elsewhere = ride()
    elsewhere.lat_deg[rows] += 0.2
    kept, dropped = usable(elsewhere)
    n = len(range(*rows.indices(100)))
    assert dropped == Dropped(jumps=n)
    np.testing.assert_array_equal(kept.lat_deg, np.delete(ride().lat_deg, np.arange(100)[rows]))


def test_a_receiver_that_jumps_all_the_time_costs_little_time_and_leaves_what_agrees() -> None:
    n = 20_000
    wild = ride(n, rate_hz=10)
    lat_deg = wild.lat_deg.copy()
    lat_deg[1::2] = 45 + np.random.default_rng(1).uniform(0.5, 1, n // 2)
    wild = Fixes(wild.t_s, lat_deg, wild.lon_deg, wild.ele_m, wild.accuracy_m, wild.speed_mps)
    kept, _ = usable(wild)
    assert len(kept) >= n // 2
    assert np.abs(kept.lat_deg - 45).max() < 0.2


def test_nothing_left_is_no_track() -> None:
    lost = changed(ride(), slice(0, 99), accuracy_m=np.inf)
    assert len(usable(lost)[0]) == 1
    assert place_by_date(lost, None, 0.0) is None
    none_at_all = usable(changed(ride(), slice(None), accuracy_m=np.inf))[0]
    assert len(none_at_all) == len(thinned(none_at_all)) == 0


@given(
    st.lists(
        st.tuples(
            st.floats(-100, 100),
            st.floats(-200, 200),
            st.sampled_from([1.0, 3.0, 29.0, 31.0, np.inf]),
            st.sampled_from([0.0, 2.0, np.nan]),
        ),
        max_size=40,
    )
)
def test_what_is_kept_can_have_been_ridden(rows: list[tuple[float, float, float, float]]) -> None:
    table = np.array(rows).reshape(-1, 4)
    n = len(table)
    fixes = Fixes(np.arange(n) * 1.0, table[:, 0], table[:, 1], np.zeros(n), table[:, 2], table[:, 3])
    kept, dropped = usable(fixes)
    assert len(kept) + dropped.total == n
    assert (kept.accuracy_m <= 30).all()
    if len(kept) > 1:
        track = track_from_fixes(kept, 0.0)
        assert np.isfinite([track.east_m, track.north_m]).all()


# --- more than five fixes a second ------------------------------------------------------------------


def test_fixes_that_come_close_together_become_their_means() -> None:
    dense = ride(180, rate_hz=18)
    thin = thinned(dense)
    assert len(thin) == 50
    np.testing.assert_allclose(np.diff(thin.t_s), 0.2, atol=0.06)
    np.testing.assert_allclose((thin.lat_deg - 45) * NORTH_M_PER_DEG, 5 * thin.t_s, atol=1e-3)


def test_rounding_of_positions_does_not_reach_the_speed() -> None:
    dense = ride(1800, rate_hz=18, speed_mps=1.5)
    rounded = Fixes(
        dense.t_s,
        np.round(dense.lat_deg, 7),
        dense.lon_deg,
        dense.ele_m,
        dense.accuracy_m,
        dense.speed_mps,
    )
    assert track_from_fixes(thinned(rounded), 0.0).speed_mps.std() < 0.03


def test_one_fix_a_second_is_left_as_it_is() -> None:
    assert thinned(ride()).lat_deg.tolist() == ride().lat_deg.tolist()


def test_means_go_across_the_date_line_the_short_way() -> None:
    fixes = Fixes(
        np.array([0.0, 0.05, 1.0]),
        np.zeros(3),
        np.array([179.9999, -179.9999, -179.99]),
        np.zeros(3),
        np.full(3, 3.0),
        np.full(3, np.nan),
    )
    lon_deg = thinned(fixes).lon_deg
    assert np.abs(np.abs(lon_deg[0]) - 180) < 1e-9
    assert lon_deg[1] == pytest.approx(-179.99)


def test_cells_without_a_time_are_left_out() -> None:
    t_s = np.array([0.0, 0.1, 5.0])
    mean = cell_means(t_s, 1.0)
    assert mean(np.array([1.0, 3.0, 7.0])).tolist() == [2.0, 7.0]


# --- files ------------------------------------------------------------------------------------------


def test_fixes_written_as_gpx_are_read_back(tmp_path: Path) -> None:
    fixes = changed(ride(20, rate_hz=4).later(START.timestamp()), slice(3, 4), ele_m=np.nan)
    path = tmp_path / "ride.gpx"
    path.write_text(gpx_text(fixes, "Zürich <1>"), encoding="utf-8")
    again = read_fixes(path)
    np.testing.assert_allclose(again.t_s, fixes.t_s, atol=1e-3)
    np.testing.assert_allclose(again.lat_deg, fixes.lat_deg, atol=1e-8)
    np.testing.assert_allclose(again.ele_m, fixes.ele_m, atol=0.01)


def test_a_gpx_is_known_by_its_content_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "export.txt"
    path.write_text(gpx_text(ride().later(START.timestamp()), "ride"), encoding="utf-8")
    track = read_track(path, START, 2.0)
    assert (track.t_s[0], track.t_s[-1]) == (2, 101)


@pytest.mark.parametrize("content", [b"", b"lat,lon\n45,7\n", b"\0\0\0\x20ftypmp42"])
def test_a_file_of_another_kind_gets_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ride.csv"
    path.write_bytes(content)
    with pytest.raises(TelemetryError, match="is neither a GPX nor a FIT file"):
        read_track(path)


def test_a_missing_file_or_a_folder_of_another_kind_gets_one_sentence(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone.csv"):
        with pytest.raises(TelemetryError, match="cannot be read as a track"):
            read_track(path)


def test_a_file_that_cannot_be_believed_gets_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "ride.gpx"
    nowhere = changed(ride(), slice(None), lat_deg=0.0, lon_deg=0.0)
    path.write_text(gpx_text(nowhere.later(START.timestamp()), "ride"), encoding="utf-8")
    with pytest.raises(TelemetryError, match="no two positions that can be believed"):
        read_track(path)
