"""GPMF, byte by byte: what is read, what is refused, and what a GoPro's streams mean."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbsync_engine.errors import TelemetryError
from mtbsync_engine.media.data import DataPacket
from mtbsync_engine.model import FloatArray, Motion
from mtbsync_engine.telemetry.gopro import ChapterNotes, read_chapter
from mtbsync_engine.telemetry.gpmf import Stream, fourcc, read_streams
from support.gpmf import gps5, gps9, klv, nest, number, numbers, payload, sensor, stream, text

WANTED = frozenset({"DATA", "ACCL", "GYRO", "GRAV", "GPS5", "GPS9", "SHUT", "HLMT"})
START = datetime(2026, 6, 8, 19, 0, 0, tzinfo=UTC).timestamp()


def one(*items: bytes) -> Stream:
    (found,) = read_streams(payload(stream(*items)), WANTED)
    return found


# --- the format -------------------------------------------------------------------------------------


def test_samples_are_divided_by_their_scale() -> None:
    found = one(number("SCAL", "s", 100), numbers("DATA", "s", [(150, -200), (3, 4)]))
    np.testing.assert_array_equal(found.values, [[1.5, -2.0], [0.03, 0.04]])


def test_each_value_of_a_sample_may_have_a_scale_of_its_own() -> None:
    found = one(numbers("SCAL", "l", [[10], [1000]]), numbers("DATA", "l", [(15, 2500)]))
    np.testing.assert_array_equal(found.values, [[1.5, 2.5]])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("b", -100),
        ("B", 200),
        ("s", -30_000),
        ("S", 60_000),
        ("l", -(2**30)),
        ("L", 2**32 - 1),
        ("j", -(2**50)),
        ("J", 2**53),
        ("f", 0.25),
        ("d", 1 / 3),
    ],
)
def test_every_type_of_number_is_read(kind: str, value: float) -> None:
    assert one(number("DATA", kind, value)).values.tolist() == [[value]]


def test_fixed_point_numbers_have_16_and_32_binary_places() -> None:
    assert one(klv("DATA", "q", 4, 1, struct.pack(">i", -(3 << 15)))).values.tolist() == [[-1.5]]
    assert one(klv("DATA", "Q", 8, 1, struct.pack(">q", 5 << 30))).values.tolist() == [[1.25]]


def test_a_compound_sample_has_the_types_that_were_named_before_it() -> None:
    data = struct.pack(">BhhfI", 7, -1, 2, 0.5, int.from_bytes(b"MANL", "big"))
    found = one(text("TYPE", "Bs[2]fF"), klv("DATA", "?", 13, 1, data))
    assert found.values.tolist() == [[7, -1, 2, 0.5, fourcc("MANL")]]


def test_what_was_said_before_a_stream_goes_with_it() -> None:
    found = one(text("ORIN", "XzY"), klv("GPSU", "U", 16, 1, b"191118234514.250"), number("DATA", "b", 1))
    assert found.text("ORIN") == "XzY"
    assert found.utc("GPSU") == datetime(2019, 11, 18, 23, 45, 14, 250_000, tzinfo=UTC)
    assert (found.text("STNM"), found.number("GPSF"), found.utc("ORIN")) == (None, None, None)


@pytest.mark.parametrize("date", [b"999999999999.999", b"not a date at al", b"\xff" * 16])
def test_a_date_that_does_not_exist_is_not_known(date: bytes) -> None:
    assert one(klv("GPSU", "U", 16, 1, date), number("DATA", "b", 1)).utc("GPSU") is None


def test_zeros_after_the_last_item_are_padding() -> None:
    for n_bytes in (1, 4, 9, 64):
        assert len(read_streams(payload(stream(number("DATA", "b", 1))) + b"\0" * n_bytes, WANTED)) == 1


def test_streams_that_are_not_wanted_may_hold_anything() -> None:
    odd = stream(klv("FACE", "x", 3, 1, b"abc"))
    assert len(read_streams(payload(odd, stream(number("DATA", "b", 1))), WANTED)) == 1


def test_a_stream_without_samples_is_empty() -> None:
    assert one(klv("DATA", "s", 6, 0, b"")).values.shape == (0, 3)


def deep(levels: int) -> bytes:
    data = number("DATA", "b", 1)
    for _ in range(levels):
        data = nest("STRM", data)
    return data


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"DEVC\0", "breaks off"),
        (payload(number("DATA", "b", 1))[:-1], "longer than it is"),
        (klv("DEVC", "\0", 1, 60_000, b""), "longer than it is"),
        (klv("\x01EVC", "\0", 1, 0, b""), "a key that is no text"),
        (klv("DATA", "x", 1, 1, b"a"), "of a type that holds no numbers"),
        (klv("DATA", "l", 5, 1, b"abcde"), "a size that does not go with its type"),
        (klv("DATA", "?", 4, 1, b"abcd"), "a size that does not go with its type"),
        (text("TYPE", "B[999]") + klv("DATA", "?", 4, 1, b"abcd"), "a size that does not go with its type"),
        (text("TYPE", "Bw") + klv("DATA", "?", 4, 1, b"abcd"), "a type that is not known"),
        (numbers("SCAL", "s", [[1], [2]]) + numbers("DATA", "s", [(1, 2, 3)]), "another number of values"),
        (deep(200), "nested deeper"),
    ],
)
def test_what_is_damaged_is_refused_in_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(TelemetryError, match=sentence):
        read_streams(data, WANTED)


WHOLE = payload(
    stream(number("STMP", "J", 5), number("SHUT", "f", 0.5)),
    gps5([(45.0, 7.0, 300.0, 2.0)] * 2),
    gps9([(45.0, 7.0, 300.0, 2.0, START, 1.5, 3)] * 2),
    sensor("ACCL", np.ones((3, 3)), 100, axes="XzY"),
    sensor("GYRO", np.ones((3, 3)), 100, axes="XzY"),
    stream(text("TYPE", "LF"), klv("HLMT", "?", 8, 1, b"\0\0\0\1MANL")),
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=400),
        st.builds(
            lambda changes, end: bytes(dict(changes).get(k, b) for k, b in enumerate(WHOLE[:end])),
            st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=8),
            st.integers(0, len(WHOLE)),
        ),
    )
)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        streams = read_streams(data, WANTED)
    except TelemetryError:
        streams = []
    assert all(found.values.ndim == 2 for found in streams)
    notes = read_chapter([DataPacket(0.0, 1.0, data), DataPacket(1.0, 1.0, data)])
    assert notes is not None
    assert (np.diff(notes.fixes.t_s) > 0).all()


# --- where the camera was ---------------------------------------------------------------------------


def chapter(*payloads: bytes, duration_s: float = 1.0) -> ChapterNotes:
    notes = read_chapter(DataPacket(k * duration_s, duration_s, data) for k, data in enumerate(payloads))
    assert notes is not None
    return notes


def north(n: int, first: int = 0) -> list[tuple[float, float, float, float]]:
    return [(45 + 1e-5 * (first + k), 7.0, 300.0, 1.1) for k in range(n)]


def test_samples_are_spread_over_the_time_up_to_the_next_payload() -> None:
    fixes = chapter(payload(gps5(north(4))), payload(gps5(north(5)))).fixes
    np.testing.assert_allclose(fixes.t_s, [0, 0.25, 0.5, 0.75, 1, 1.2, 1.4, 1.6, 1.8])
    np.testing.assert_allclose(fixes.lat_deg[:4], 45 + 1e-5 * np.arange(4))
    assert (fixes.ele_m == 300).all()
    np.testing.assert_allclose(fixes.speed_mps, 1.1)


def test_a_payload_that_is_missing_leaves_a_gap() -> None:
    packets = [DataPacket(t_s, 1.0, payload(gps5(north(4)))) for t_s in (0.0, 3.0)]
    notes = read_chapter(packets)
    assert notes is not None
    np.testing.assert_allclose(notes.fixes.t_s, [0, 0.25, 0.5, 0.75, 3, 3.25, 3.5, 3.75])


def stamped(seconds: float) -> bytes:
    return number("STMP", "J", round(seconds * 1e6))


def with_exposure(at_s: float, *streams: bytes) -> bytes:
    return payload(stream(stamped(at_s), numbers("SHUT", "f", [[0.01]])), *streams)


def test_stamps_place_the_first_sample_where_the_first_exposure_is_the_first_picture() -> None:
    payloads = [
        with_exposure(1000.0 + k, gps5(north(4), before=[stamped(1000.05 + 1.02 * k)])) for k in range(2)
    ]
    fixes = chapter(*payloads).fixes
    np.testing.assert_allclose(fixes.t_s[[0, 4]], [0.05, 1.07], atol=1e-6)
    np.testing.assert_allclose(np.diff(fixes.t_s[:5]), 0.255, atol=1e-6)


def test_stamps_of_a_time_lapse_are_not_the_video_s_time() -> None:
    payloads = [with_exposure(10.0 * k, gps5(north(4), before=[stamped(10.0 * k)])) for k in range(3)]
    np.testing.assert_allclose(chapter(*payloads).fixes.t_s, np.arange(12) / 4)


def test_a_delay_that_the_camera_knows_of_is_taken_off() -> None:
    fixes = chapter(payload(gps5(north(2), before=[number("TIMO", "f", 0.25)]))).fixes
    np.testing.assert_allclose(fixes.t_s, [-0.25, 0.25])


def test_accuracy_follows_precision_and_lock() -> None:
    late_lock = [gps5(north(1), lock=lock, dop=dop) for lock, dop in ((0, 99.99), (2, 4.0), (3, 1.5))]
    fixes = chapter(*map(payload, late_lock)).fixes
    assert fixes.accuracy_m.tolist() == [np.inf, 12.0, 4.5]


def test_gps9_knows_its_own_precision_lock_and_date_and_goes_before_gps5() -> None:
    rows = [
        (46.0, 8.0, 500.0, 2.0, START + 60.5, 2.0, 0),
        (46.1, 8.1, 501.0, 2.5, START + 61.0, 3.0, 3),
    ]
    notes = chapter(payload(gps5(north(2)), gps9(rows)))
    np.testing.assert_allclose(notes.fixes.t_s, [0, 0.5])
    np.testing.assert_allclose(notes.fixes.lat_deg, [46, 46.1])
    assert notes.fixes.accuracy_m.tolist() == [np.inf, 9.0]
    np.testing.assert_allclose(notes.utc_at_zero_s, [START + 60.5])


@pytest.mark.parametrize("day", [-2_000_000_000, -1, 40_000, 2_000_000_000])
def test_a_fix_of_a_day_that_no_camera_can_have_seen_is_left_out(day: int) -> None:
    rows = [
        (46.0, 8.0, 500.0, 2.0, START, 2.0, 3),
        (46.1, 8.1, 501.0, 2.5, 946_684_800 + 86_400 * day, 3.0, 3),
        (46.2, 8.2, 502.0, 2.5, START + 1.0, 3.0, 3),
    ]
    notes = chapter(payload(gps9(rows)))
    np.testing.assert_allclose(notes.fixes.lat_deg, [46, 46.2])
    np.testing.assert_allclose(notes.utc_at_zero_s, [START, START + 1 / 3], atol=0.4)


def test_the_date_of_a_payload_is_that_of_its_first_sample_and_counts_only_with_a_lock() -> None:
    notes = chapter(
        payload(gps5(north(2), lock=0, utc="200101000000.000")),
        payload(gps5(north(2), utc="260608190001.250")),
    )
    np.testing.assert_allclose(notes.utc_at_zero_s, [START + 0.25])


def test_a_damaged_payload_is_passed_over() -> None:
    good = payload(gps5(north(4)))
    notes = chapter(good, good[:-10], good)
    assert notes.n_damaged == 1
    assert notes.fixes.t_s.tolist() == [0, 0.25, 0.5, 0.75, 2, 2.25, 2.5, 2.75]


def test_without_packets_there_are_no_notes() -> None:
    assert read_chapter([]) is None


# --- how it turned ----------------------------------------------------------------------------------

RATE = 200


def turned(gyro: FloatArray, up: FloatArray, *, axes: str = "", gravity: FloatArray | None = None) -> Motion:
    """The motion of a camera that wrote these (N, 3) at 200 Hz, one payload a second."""
    payloads = []
    for second in range(len(gyro) // RATE):
        rows = slice(second * RATE, (second + 1) * RATE)
        streams = [sensor("ACCL", up[rows], 400, axes=axes), sensor("GYRO", gyro[rows], 900, axes=axes)]
        if gravity is not None:
            streams.append(sensor("GRAV", gravity[rows][::8], 32_767))
        payloads.append(payload(*streams))
    motion = chapter(*payloads).motion
    assert motion is not None
    return motion


def constant(n_seconds: int, vector: tuple[float, float, float]) -> FloatArray:
    return np.tile(np.array(vector), (n_seconds * RATE, 1))


def test_a_turn_to_the_left_is_positive_at_20_values_a_second() -> None:
    motion = turned(constant(4, (0, 0, 0.5)), constant(4, (0, 0, 9.8)))
    np.testing.assert_allclose(motion.turn_radps, 0.5, atol=1e-3)
    assert motion.t_s.size == 80
    np.testing.assert_allclose(motion.t_s, 0.0225 + np.arange(80) / 20, atol=1 / RATE)


def test_a_camera_that_lies_on_its_side_or_head_turns_as_well() -> None:
    for up in ((9.8, 0, 0), (0, -9.8, 0), (5.0, -3.0, 7.0)):
        gyro = np.array(up) / np.linalg.norm(up) * -0.3
        motion = turned(constant(3, tuple(gyro)), constant(3, up))
        np.testing.assert_allclose(motion.turn_radps, -0.3, atol=2e-3)


def test_nodding_and_rolling_are_no_turns_and_bumps_do_not_tilt() -> None:
    t_s = np.arange(10 * RATE) / RATE
    gyro = np.stack([np.sin(20 * t_s), 2 * np.cos(13 * t_s), np.full(t_s.size, 0.2)], axis=1)
    rng = np.random.default_rng(3)
    bumps = constant(10, (0, 0, 9.8)) + rng.normal(0, 8, (t_s.size, 3))
    motion = turned(gyro, bumps)
    assert np.abs(motion.turn_radps - 0.2).mean() < 0.15
    assert abs(motion.turn_radps.mean() - 0.2) < 0.02


def test_the_gravity_vector_is_used_along_the_axes_that_the_gyroscope_names() -> None:
    # Along x, minus z and y, with gravity's vector along x, z and y: up is z. The rider leans in a bend.
    gyro = constant(3, (0.0, -0.4, 0.0))
    leaning = constant(3, (5.0, -8.4, 0))
    motion = turned(gyro, leaning, axes="XzY", gravity=constant(3, (0, 1, 0)))
    np.testing.assert_allclose(motion.turn_radps, 0.4, atol=2e-3)
    by_acceleration = turned(gyro, leaning, gravity=constant(3, (0, 1, 0)))
    np.testing.assert_allclose(by_acceleration.turn_radps, 0.4 * 8.4 / np.hypot(5.0, 8.4), atol=2e-3)


@pytest.mark.parametrize("gravity", [(0, 0, 1), (0, -1, 0), (0, 0, 0)])
def test_a_gravity_vector_that_points_elsewhere_is_not_believed(gravity: tuple[float, float, float]) -> None:
    upright = constant(3, (0, -9.8, 0))
    motion = turned(constant(3, (0, -0.4, 0)), upright, axes="XzY", gravity=constant(3, gravity))
    np.testing.assert_allclose(motion.turn_radps, 0.4, atol=2e-3)


def test_a_gyroscope_alone_tells_no_turn() -> None:
    assert chapter(payload(sensor("GYRO", np.ones((4, 3)), 100))).motion is None
    assert chapter(payload(sensor("ACCL", np.ones((4, 3)), 100))).motion is None
    weightless = payload(sensor("ACCL", np.zeros((40, 3)), 100), sensor("GYRO", np.ones((40, 3)), 100))
    assert chapter(weightless).motion is None
