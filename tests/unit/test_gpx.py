"""GPX files become tracks on a recording's clock, or a sentence that says what is wrong with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbsync_engine.errors import TelemetryError
from mtbsync_engine.telemetry.gpx import read_fixes
from mtbsync_engine.telemetry.read import read_track
from mtbsync_engine.telemetry.track import Fixes, from_plane, to_plane, track_from_fixes

SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "new.gpx"
START = datetime(2026, 6, 8, 19, 0, 0, tzinfo=UTC)
HEAD = '<?xml version="1.0"?><gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><trk>'
TAIL = "</trk></gpx>"
# Of WGS 84 at 45 degrees north.
NORTH_M_PER_DEG, EAST_M_PER_DEG = 111_131.7, 78_846.8


def point(at_s: float, lat: float = 45.0, lon: float = 7.0, extra: str = "") -> str:
    time = (START + timedelta(seconds=at_s)).isoformat().replace("+00:00", "Z")
    return f'<trkpt lat="{lat}" lon="{lon}">{extra}<time>{time}</time></trkpt>'


def segment(*points: str) -> str:
    return f"<trkseg>{''.join(points)}</trkseg>"


def gpx(path: Path, *segments: str, head: str = HEAD) -> Path:
    path.write_text(head + "".join(segments) + TAIL, encoding="utf-8")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ride.gpx"


# --- what is read ---------------------------------------------------------------------------------


def test_the_sample_becomes_a_track_at_10_hz_that_begins_with_the_first_picture() -> None:
    track = read_track(SAMPLE)
    np.testing.assert_allclose(track.t_s, np.arange(331) / 10, atol=1e-6)
    assert (track.origin_lat_deg, track.origin_lon_deg) == (46.5004366, 7.9006551)
    assert (track.east_m[0], track.north_m[0]) == (0.0, 0.0)
    assert (track.accuracy_m == 3.0).all()
    assert track.ele_m[0] == pytest.approx(31.15)
    # The file's own second point: 658e-7 degrees further east at 76.77 km a degree, 109e-7 further north.
    assert track.east_m[10] == pytest.approx(5.05, abs=0.01)
    assert track.north_m[10] == pytest.approx(1.21, abs=0.01)


def test_the_track_passes_through_every_fix(file: Path) -> None:
    lats = 45 + np.cumsum([0.0, 3e-5, 5e-5, 2e-5, 0.0, 0.0, 4e-5])
    track = read_track(gpx(file, segment(*(point(k, lat) for k, lat in enumerate(lats)))))
    np.testing.assert_allclose(track.north_m[::10], (lats - 45) * NORTH_M_PER_DEG, atol=1e-3)


def test_speed_between_fixes_is_no_staircase(file: Path) -> None:
    speed_mps = 3.0 + 0.5 * np.arange(20)
    lats = 45 + np.cumsum(speed_mps) / NORTH_M_PER_DEG
    track = read_track(gpx(file, segment(*(point(k, lat) for k, lat in enumerate(lats)))))
    inside = track.speed_mps[20:-20]
    assert np.diff(inside).max() < 0.1  # drawn as straight lines, it would step by 0.5 once a second
    assert (np.diff(inside) > 0).all()


def test_a_rider_who_stands_still_does_not_sway(file: Path) -> None:
    lats = 45 + np.array([0, 1, 2, 3, 3, 3, 3, 4, 5]) * 5 / NORTH_M_PER_DEG
    track = read_track(gpx(file, segment(*(point(k, lat) for k, lat in enumerate(lats)))))
    np.testing.assert_allclose(track.north_m[30:61], 15.0, atol=1e-3)


def test_segments_and_tracks_are_read_in_order_of_time(file: Path) -> None:
    late, early = segment(point(5, 45.0005), point(6, 45.0006)), segment(point(0, 45.0), point(1, 45.0001))
    fixes = read_fixes(gpx(file, late, "</trk><trk>", early))
    np.testing.assert_allclose(fixes.lat_deg, [45.0, 45.0001, 45.0005, 45.0006])
    np.testing.assert_allclose(fixes.t_s - START.timestamp(), [0, 1, 5, 6])


def test_of_points_with_one_time_the_first_counts(file: Path) -> None:
    fixes = read_fixes(gpx(file, segment(point(0), point(1, 45.1), point(1, 45.2), point(2, 45.3))))
    np.testing.assert_allclose(fixes.lat_deg, [45.0, 45.1, 45.3])


def test_points_without_a_time_of_their_own_are_passed_over(file: Path) -> None:
    untimed = '<trkpt lat="46" lon="7"></trkpt>'
    assert read_fixes(gpx(file, segment(point(0), untimed, point(1)))).lat_deg.tolist() == [45.0, 45.0]


def test_accuracy_follows_the_dilution_of_precision(file: Path) -> None:
    hdops = ["<hdop>0.8</hdop>", "", "<hdop>4</hdop>", "<hdop>0</hdop>", "<hdop>nan</hdop>"]
    fixes = read_fixes(gpx(file, segment(*(point(k, extra=hdop) for k, hdop in enumerate(hdops)))))
    np.testing.assert_allclose(fixes.accuracy_m, [2.4, 3.0, 12.0, 3.0, 3.0])


def test_unknown_elevation_stays_unknown(file: Path) -> None:
    eles = ["<ele>100</ele>", "<ele>110</ele>", "", "<ele>inf</ele>", "<ele>120</ele>"]
    track = read_track(gpx(file, segment(*(point(k, extra=ele) for k, ele in enumerate(eles)))))
    assert track.ele_m[5] == pytest.approx(105)
    assert np.isnan(track.ele_m[15:31]).all()
    assert track.ele_m[-1] == pytest.approx(120)


def test_accuracy_is_lost_in_a_long_gap_and_found_again_after_it(file: Path) -> None:
    times = [0, 1, 2, 3, 43, 44, 54, 55]
    track = read_track(gpx(file, segment(*(point(t, 45 + 1e-5 * t) for t in times))))
    at = dict(zip(np.round(track.t_s, 1), track.accuracy_m, strict=True))
    assert at[3.0] == at[43.0] == at[44.0] == pytest.approx(3.0)
    assert at[13.0] == at[33.0] == pytest.approx(np.hypot(3, 2 * 10))
    assert at[23.0] == pytest.approx(np.hypot(3, 2 * 20))
    assert at[49.0] == pytest.approx(3.0)  # ten seconds are no long gap


def test_a_name_in_another_encoding_and_a_byte_order_mark_do_no_harm(file: Path) -> None:
    named = HEAD.replace("<trk>", "<trk><name>Z\xfcrich</name>")
    text = named.replace('"1.0"?', '"1.0" encoding="ISO-8859-1"?') + segment(point(0), point(1)) + TAIL
    file.write_bytes(text.encode("latin-1"))
    assert read_fixes(file).t_s.size == 2
    file.write_text(HEAD + segment(point(0), point(1)) + TAIL, encoding="utf-8-sig")
    assert read_fixes(file).t_s.size == 2


# --- the recording's clock --------------------------------------------------------------------------


def test_a_video_that_starts_during_the_track_places_it(file: Path) -> None:
    path = gpx(file, segment(*(point(k) for k in range(61))))
    video_start = START + timedelta(seconds=20.5)
    assert read_fixes(path).covers(video_start)
    track = read_track(path, recording_start_utc=video_start)
    assert (track.t_s[0], track.t_s[-1]) == (-20.5, 39.5)


@pytest.mark.parametrize("off_s", [-3600.0, -0.5, 60.5])
def test_a_video_that_starts_outside_the_track_begins_with_its_first_point(file: Path, off_s: float) -> None:
    path = gpx(file, segment(*(point(k) for k in range(61))))
    video_start = START + timedelta(seconds=off_s)
    assert not read_fixes(path).covers(video_start)
    assert read_track(path, recording_start_utc=video_start).t_s[0] == 0


def test_the_offset_is_added_to_every_time(file: Path) -> None:
    path = gpx(file, segment(*(point(k) for k in range(61))))
    assert read_track(path, offset_s=2.25).t_s[0] == 2.25
    assert read_track(path, recording_start_utc=START + timedelta(seconds=10), offset_s=-1.5).t_s[0] == -11.5


def test_times_without_a_zone_are_utc(file: Path) -> None:
    path = gpx(file, segment(point(0).replace("Z", ""), point(60).replace("Z", "")))
    naive_start = (START + timedelta(seconds=30)).replace(tzinfo=None)
    assert read_track(path, recording_start_utc=naive_start).t_s[0] == -30
    assert read_track(path, recording_start_utc=naive_start.replace(tzinfo=UTC)).t_s[0] == -30


# --- what is refused ---------------------------------------------------------------------------------

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE gpx [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + ']><gpx version="1.1"><trk><name>&i;</name></trk></gpx>'
)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "not a GPX file"),
        ("lat,lon\n45,7\n", "not a GPX file"),
        (HEAD, "not a GPX file"),
        ("\x00\x01GoPro\xff", "not a GPX file"),
        ("<html><body>Please log in.</body></html>", "has no track points"),
        ('<gpx version="1.1"><rte><rtept lat="45" lon="7"/></rte></gpx>', "has no track points"),
        (HEAD + segment('<trkpt lat="45" lon="7"/>', '<trkpt lat="46" lon="7"/>') + TAIL, "have no times"),
        (HEAD + segment(point(0)) + TAIL, "the same time"),
        (HEAD + segment(point(0), point(0, 46)) + TAIL, "the same time"),
        (HEAD + segment(point(0), point(200_000)) + TAIL, "more than two days"),
        (HEAD + segment(point(0), point(1).replace("Z", "+99:00")) + TAIL, "a zone that does not exist"),
        (HEAD + segment(point(0), point(1, lat=90.01)) + TAIL, "not on Earth"),
        (HEAD + segment(point(0), point(1, lon=-180.5)) + TAIL, "not on Earth"),
        (HEAD + segment(point(0), point(1, lat=float("nan"))) + TAIL, "not on Earth"),
        (HEAD + segment(point(0), point(1, lon=float("inf"))) + TAIL, "not on Earth"),
        (HEAD + segment(point(0), point(1).replace('lat="45.0"', 'lat="north"')) + TAIL, "not a GPX file"),
        (HEAD + segment(point(0), point(1).replace('lat="45.0"', "")) + TAIL, "not a GPX file"),
        (BOMB, "entities"),
        (HEAD.replace("<trk>", " xmlns" * 50_000), "namespaces"),
    ],
)
def test_an_unusable_file_gets_one_sentence(file: Path, content: str, sentence: str) -> None:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(TelemetryError, match=sentence) as caught:
        read_track(file)
    assert "'ride.gpx'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TelemetryError, match=r"There is no GPX file '.*gone\.gpx'"):
        read_track(tmp_path / "gone.gpx")


def test_a_folder_is_no_gpx_file(file: Path) -> None:
    file.mkdir()
    with pytest.raises(TelemetryError, match="cannot be read as a GPX file"):
        read_track(file)


def test_a_huge_file_is_refused_unread(file: Path) -> None:
    with file.open("wb") as stream:
        stream.truncate(33 * 1024 * 1024)
    with pytest.raises(TelemetryError, match="larger than 32 MB"):
        read_track(file)


# --- the plane ---------------------------------------------------------------------------------------


def test_metres_are_those_of_the_ellipsoid() -> None:
    east_m, north_m = to_plane(np.array([45.01]), np.array([7.01]), 45.0, 7.0)
    assert east_m[0] == pytest.approx(0.01 * EAST_M_PER_DEG, abs=0.01)
    assert north_m[0] == pytest.approx(0.01 * NORTH_M_PER_DEG, abs=0.2)


def test_the_date_line_is_no_obstacle() -> None:
    east_m, _ = to_plane(np.array([0.0, 0.0]), np.array([179.999, -179.999]), 0.0, 179.999)
    assert east_m[0] == pytest.approx(0)
    assert east_m[1] == pytest.approx(0.002 * 111_319.5, rel=1e-5)


@given(
    lat=st.floats(-80, 80), lon=st.floats(-179, 179), east=st.floats(-4e4, 4e4), north=st.floats(-4e4, 4e4)
)
def test_the_plane_can_be_left_the_way_it_was_entered(
    lat: float, lon: float, east: float, north: float
) -> None:
    degrees = from_plane(np.array([east]), np.array([north]), lat, lon)
    east_m, north_m = to_plane(*degrees, lat, lon)
    assert east_m[0] == pytest.approx(east, abs=1e-3)
    assert north_m[0] == pytest.approx(north, abs=1e-3)


@given(
    st.lists(
        st.tuples(st.floats(1e-3, 400), st.floats(-1e-3, 1e-3), st.floats(-1e-3, 1e-3)),
        min_size=2,
        max_size=30,
    )
)
def test_any_fixes_give_a_track_that_is_finite_and_in_order(steps: list[tuple[float, float, float]]) -> None:
    after_s, north_deg, east_deg = np.cumsum(steps, axis=0).T
    fixes = Fixes(
        after_s,
        45 + north_deg,
        7 + east_deg,
        np.full(len(steps), np.nan),
        np.full(len(steps), 3.0),
        np.full(len(steps), np.nan),
    )
    track = track_from_fixes(fixes, video_start_s=0.0)
    assert (np.diff(track.t_s) > 0).all()
    assert (track.t_s[0], track.t_s[-1]) == (after_s[0], after_s[-1])
    assert np.isfinite([track.east_m, track.north_m, track.accuracy_m]).all()
    assert (track.accuracy_m >= 3.0).all()
    # Between two fixes a track never leaves the rectangle they span.
    assert track.north_m.max() <= (north_deg.max() - north_deg[0]) * 112_000 + 1e-6
    assert track.north_m.min() >= (north_deg.min() - north_deg[0]) * 112_000 - 1e-6
