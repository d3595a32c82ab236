"""The camera's own telemetry: real GoPro files, chapters, proxies, and what `mtbsync` makes of it."""

from __future__ import annotations

import csv
import json
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from mtbsync_engine.errors import MediaError
from mtbsync_engine.media import plan_sampling, probe, sample_frames
from mtbsync_engine.media.data import DataPacket, read_data
from mtbsync_engine.telemetry.gopro import ChapterNotes, read_chapter
from mtbsync_engine.telemetry.gpx import read_fixes
from mtbsync_engine.telemetry.other import motion_from_imu, read_other
from mtbsync_engine.telemetry.read import read_camera, read_telemetry
from mtbsync_integrations.formats.marker_csv import read_markers
from support.fit_file import Record, fit_file
from support.gpmf import gps5, klv, payload, sensor, stream, with_telemetry
from support.program import mtbsync, state
from support.rides import Rides
from support.videos import write_video

SHARED = Path(__file__).parents[3] / "shared" / "data" / "telemetry"
MAX, KARMA = SHARED / "max-heromode.mp4", SHARED / "karma.mp4"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="needs real files, not part of the project")


# --- real files -------------------------------------------------------------------------------------


@needs_shared
def test_a_real_gopro_has_its_track_on_the_video_s_clock() -> None:
    notes = read_camera(probe(MAX))
    assert notes.camera == "GoPro"
    assert notes.dropped.total == notes.n_damaged == 0
    assert notes.fixes is not None
    assert len(notes.fixes) == 191
    track = notes.telemetry.track
    assert track is not None
    # By dates it would lie eight hours away.
    assert -0.1 < track.t_s[0] < 0.2
    assert 10.3 < track.t_s[-1] < 10.6
    # The first and the last position in the file, 1046 to 1028 mm/s by the receiver itself.
    assert (track.origin_lat_deg, track.origin_lon_deg) == pytest.approx((33.12677, -117.32734), abs=2e-5)
    assert np.median(track.speed_mps) == pytest.approx(np.median(notes.fixes.speed_mps), abs=0.15)
    assert notes.start_utc_s is not None
    utc = datetime.fromtimestamp(notes.start_utc_s, UTC)
    assert abs((utc - datetime(2019, 11, 18, 23, 45, 14, tzinfo=UTC)).total_seconds()) < 3
    assert notes.telemetry.highlights_s == ()


@needs_shared
def test_a_real_gopro_without_gps_still_tells_how_it_turned() -> None:
    notes = read_camera(probe(KARMA))
    assert notes.telemetry.track is None
    assert notes.telemetry.motion is not None
    assert 0 <= notes.telemetry.motion.t_s[0] < 0.1
    assert 12.9 < notes.telemetry.motion.t_s[-1] < 13.02


@needs_shared
def test_the_picture_moves_to_the_right_when_the_camera_turns_left() -> None:
    recording = probe(KARMA)
    motion = read_telemetry(recording).motion
    assert motion is not None
    pictures = list(sample_frames(recording, plan_sampling(recording, fps=30), max_side=160))
    window = cv2.createHanningWindow(pictures[0].gray.shape[::-1], cv2.CV_32F)
    shifts = [
        cv2.phaseCorrelate(a.gray.astype(np.float32), b.gray.astype(np.float32), window)[0][0]
        for a, b in pairwise(pictures)
    ]
    t_s = np.array([picture.t_s for picture in pictures])
    turn = np.interp((t_s[1:] + t_s[:-1]) / 2, motion.t_s, motion.turn_radps)
    assert np.corrcoef(shifts, turn)[0, 1] > 0.95


@needs_shared
def test_gravity_by_the_camera_and_by_the_accelerometer_agree() -> None:
    notes = read_camera(probe(MAX))
    packets = list(read_data(MAX, b"DEVC"))
    without = [DataPacket(p.t_s, p.duration_s, p.data.replace(b"GRAV", b"VARG")) for p in packets]
    by_camera, other = notes.telemetry.motion, read_chapter(without)
    assert by_camera is not None
    assert other is not None
    assert other.motion is not None
    np.testing.assert_array_equal(by_camera.t_s, other.motion.t_s)
    assert np.corrcoef(by_camera.turn_radps, other.motion.turn_radps)[0, 1] > 0.98


def _payloads(path: Path) -> Iterator[DataPacket]:
    """The payloads of a file that holds nothing else, as if each lasted 1.001 s."""
    data, start, second = path.read_bytes(), 0, 0
    while start < len(data):
        size, repeat = struct.unpack(">BH", data[start + 5 : start + 8])
        end = start + 8 + size * repeat
        yield DataPacket(second * 1.001, 1.001, data[start:end])
        start, second = end, second + 1


def _raw(name: str) -> ChapterNotes:
    notes = read_chapter(_payloads(SHARED / name))
    assert notes is not None
    return notes


@needs_shared
def test_a_hero_11_writes_gps9() -> None:
    notes = _raw("hero11.raw")
    assert len(notes.fixes) == 110
    assert notes.n_damaged == 0
    # Ten a second; the receiver's own times say the same.
    assert np.median(np.diff(notes.fixes.t_s)) == pytest.approx(0.1, abs=0.002)
    # All but those of the last payload, of which nobody knows how long it lasted.
    assert np.ptp(notes.utc_at_zero_s[:-6]) < 0.05
    assert notes.fixes.lat_deg[0] == pytest.approx(42.4261529)
    assert (notes.fixes.accuracy_m[0], notes.fixes.accuracy_m.max()) == pytest.approx((5.37, 8.22))
    assert notes.motion is not None


@needs_shared
def test_a_hero_6_without_a_lock_has_no_fix_that_counts() -> None:
    notes = _raw("hero6.raw")
    assert len(notes.fixes) == 17
    assert np.isinf(notes.fixes.accuracy_m).all()
    assert notes.utc_at_zero_s.size == 0


@needs_shared
def test_our_reader_and_telemetry_parser_agree() -> None:
    parser = pytest.importorskip("telemetry_parser")
    theirs = parser.Parser(str(MAX))
    positions = [row for block in theirs.telemetry() for row in block.get("GPS", {}).get("Data", ())]
    notes = read_camera(probe(MAX))
    assert notes.fixes is not None
    np.testing.assert_allclose(notes.fixes.lat_deg, np.array(positions)[:, 0] / 1e7)
    np.testing.assert_allclose(notes.fixes.lon_deg, np.array(positions)[:, 1] / 1e7)
    ours, other = notes.telemetry.motion, motion_from_imu(theirs.normalized_imu())
    assert ours is not None
    assert other is not None
    turn = np.interp(ours.t_s, other.t_s, other.turn_radps)
    assert np.corrcoef(ours.turn_radps, turn)[0, 1] > 0.97
    assert abs(ours.turn_radps - turn).mean() < 0.05


@needs_shared
def test_what_telemetry_parser_finds_is_used_for_other_makes() -> None:
    pytest.importorskip("telemetry_parser")
    notes = read_other(KARMA)
    assert notes is not None
    assert "HERO5" in notes.camera
    assert notes.motion is not None
    assert notes.fixes is None


# --- chapters and proxies ---------------------------------------------------------------------------

_MPS = 5.0


def _second(second: float, **how: float) -> bytes:
    """A second northward at 5 m/s, five fixes, and a turn to the left."""
    rows = [(46 + _MPS * (second + k / 5) / 111_195, 7.0, 900.0, _MPS) for k in range(5)]
    up, turn = np.tile([0.0, 0.0, 9.8], (50, 1)), np.tile([0.0, 0.0, 0.25], (50, 1))
    return payload(gps5(rows, **how), sensor("ACCL", up, 400), sensor("GYRO", turn, 900))  # type: ignore[arg-type]


def _video(path: Path, n_seconds: int = 4) -> Path:
    return write_video(path, [np.full((64, 96), k, np.uint8) for k in range(10 * n_seconds)], 10)


def _gopro(path: Path, payloads: list[bytes | None], *marks_ms: int) -> Path:
    """A video with telemetry and HiLights."""
    plain = _video(path.with_name(f"plain_{path.name}"), len(payloads))
    with_telemetry(plain, path, payloads)
    plain.unlink()
    _add_highlights(path, marks_ms)
    return path


def _add_highlights(path: Path, marks_ms: tuple[int, ...]) -> None:
    """Put HMMT into moov/udta; moov is the last box of the file, so nothing else moves."""
    data = path.read_bytes()
    start = data.rindex(b"moov") - 4
    hmmt = struct.pack(f">I4sI{len(marks_ms)}I", 12 + 4 * len(marks_ms), b"HMMT", len(marks_ms), *marks_ms)
    udta = struct.pack(">I4s", 8 + len(hmmt), b"udta") + hmmt
    (size,) = struct.unpack(">I", data[start : start + 4])
    assert start + size == len(data)
    path.write_bytes(data[:start] + struct.pack(">I", size + len(udta)) + data[start + 4 :] + udta)


def test_chapters_are_joined(tmp_path: Path) -> None:
    first = _gopro(tmp_path / "GX010034.MP4", [_second(k) for k in range(4)], 1_500)
    _gopro(tmp_path / "GX020034.MP4", [_second(4 + k) for k in range(4)], 250, 900_000)
    before = state(tmp_path)
    notes = read_camera(probe(first))
    track, motion = notes.telemetry.track, notes.telemetry.motion
    assert track is not None
    assert motion is not None
    np.testing.assert_allclose(track.t_s[[0, -1]], [0, 7.8], atol=1e-6)
    np.testing.assert_allclose(track.north_m, _MPS * track.t_s, atol=0.05)
    np.testing.assert_allclose(motion.t_s[[0, -1]], [0.01, 7.97], atol=0.03)
    np.testing.assert_allclose(motion.turn_radps, 0.25, atol=1e-3)
    # The second chapter says that a mark was set long after its end.
    assert notes.telemetry.highlights_s == (1.5, 4.25)
    assert state(tmp_path) == before


def test_a_lock_that_comes_late_leaves_the_track_to_begin_late(tmp_path: Path) -> None:
    old = payload(gps5([(12.0, 34.0, 0.0, 0.0)] * 5, lock=0, dop=99.99))
    path = _gopro(tmp_path / "GX010001.MP4", [old, old, _second(2), _second(3)])
    notes = read_camera(probe(path))
    assert notes.dropped.no_lock == 10
    assert notes.telemetry.track is not None
    assert notes.telemetry.track.t_s[0] == pytest.approx(2)


def test_the_proxy_s_telemetry_serves_where_the_original_has_none(tmp_path: Path) -> None:
    original = _video(tmp_path / "GX010034.MP4")
    assert read_camera(probe(original)).telemetry.track is None
    _gopro(tmp_path / "GL010034.LRV", [_second(k) for k in range(4)])
    assert read_camera(probe(original)).telemetry.track is not None
    assert read_camera(probe(original, use_proxy=False)).telemetry.track is None


def test_what_is_damaged_is_passed_over_and_counted(tmp_path: Path) -> None:
    garbage = b"DEVC\0\1\xff\xff" + b"\xff" * 64
    path = _gopro(tmp_path / "GX010001.MP4", [_second(0), garbage, _second(2), None, _second(4)])
    notes = read_camera(probe(path))
    assert notes.n_damaged == 1
    assert notes.fixes is not None
    assert len(notes.fixes) == 15
    np.testing.assert_allclose(notes.fixes.t_s[[0, 5, 10]], [0, 2, 4])


def test_telemetry_that_says_nothing_is_nothing(tmp_path: Path) -> None:
    silent = payload(stream(klv("FACE", "x", 3, 1, b"abc")))
    noted = read_telemetry(probe(_gopro(tmp_path / "GX010001.MP4", [silent, silent])))
    assert (noted.track, noted.motion, noted.highlights_s) == (None, None, ())


def test_a_video_without_a_data_track_has_no_packets(tmp_path: Path) -> None:
    assert list(read_data(_video(tmp_path / "ride.mp4"), b"DEVC")) == []
    with pytest.raises(MediaError):
        list(read_data(tmp_path / "gone.mp4", b"DEVC"))


# --- the command line -------------------------------------------------------------------------------


@pytest.fixture
def gopro(tmp_path: Path) -> Path:
    return _gopro(tmp_path / "GX010034.MP4", [_second(k) for k in range(4)], 1_500, 3_250)


def test_telemetry_shows_what_a_camera_noted(gopro: Path) -> None:
    outcome = mtbsync("telemetry", gopro)
    assert outcome.status == 0
    assert "Track: 19 m from 0.00 to 3.80 s, 20 fixes good to 4.5 m." in outcome.out
    assert "Motion: from 0.0" in outcome.out
    assert "HiLights: 1.500, 3.250 s" in outcome.out
    document = mtbsync("telemetry", gopro, "--json").document
    assert document["camera"] == "GoPro"
    assert document["start_utc"] == "2026-06-08T18:59:58.500+00:00"
    assert document["fixes"] == {"kept": 20, "dropped": {"no_lock": 0, "vague": 0, "stale": 0, "jumps": 0}}
    assert document["track"]["length_m"] == pytest.approx(19, abs=0.1)
    assert document["motion"]["rate_hz"] == pytest.approx(20, abs=0.5)
    assert document["highlights_s"] == [1.5, 3.25]
    assert (document["damaged"], document["written"]) == (0, [])


def test_telemetry_of_a_plain_video_is_no_error(tmp_path: Path) -> None:
    plain = _video(tmp_path / "ride.mp4")
    assert "noted nothing" in mtbsync("telemetry", plain).out
    document = mtbsync("telemetry", plain, "--json").document
    assert (document["ok"], document["track"], document["motion"]) == (True, None, None)
    for option, name in (("--gpx", "out.gpx"), ("--markers", "out.csv")):
        outcome = mtbsync("telemetry", plain, option, tmp_path / name)
        assert outcome.status == 1
        assert "holds no" in outcome.err
        assert not (tmp_path / name).exists()


def test_telemetry_writes_the_track_as_gpx_once(gopro: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "track.gpx"
    assert mtbsync("telemetry", gopro, "--gpx", out).status == 0
    fixes = read_fixes(out)
    assert len(fixes) == 20
    assert fixes.t_s[0] == pytest.approx(datetime(2026, 6, 8, 18, 59, 58, 500_000, UTC).timestamp())
    before = state(tmp_path)
    again = mtbsync("telemetry", gopro, "--gpx", out)
    assert again.status == 1
    assert "is there already" in again.err
    assert "does not end in .gpx" in mtbsync("telemetry", gopro, "--gpx", gopro).err
    assert state(tmp_path) == before


def test_hilights_become_markers_that_sync_reads(gopro: Path, tmp_path: Path) -> None:
    out = tmp_path / "hilights.csv"
    assert mtbsync("telemetry", gopro, "--markers", out).status == 0
    assert [(m.name, m.t_s) for m in read_markers(out)] == [("HiLight 1", 1.5), ("HiLight 2", 3.25)]
    assert "named like a recording" in mtbsync("telemetry", gopro, "--markers", gopro).err


def _filmed_by_a_gopro(video: Path, gpx: Path, out: Path) -> Path:
    """A ride whose camera noted what its GPX tells."""
    fixes = read_fixes(gpx)
    fixes = fixes.later(-float(fixes.t_s[0]))
    t_s = np.arange(8 * 5) / 5
    lat_deg = np.interp(t_s, fixes.t_s, fixes.lat_deg)
    rows = [(float(lat), 7.0, 1000.0, 5.0) for lat in lat_deg]
    return with_telemetry(video, out, [payload(gps5(rows[k : k + 5])) for k in range(0, len(rows), 5)])


def test_sync_uses_the_cameras_own_gps_unless_it_is_given_another_track(rides: Rides, tmp_path: Path) -> None:
    ref = _filmed_by_a_gopro(rides.ref, rides.ref_gpx, tmp_path / "GX010001.MP4")
    new = _filmed_by_a_gopro(rides.new, rides.new_gpx, tmp_path / "GX010002.MP4")
    out, watch = tmp_path / "out", tmp_path / "watch.fit"
    outcome = mtbsync("sync", "-r", ref, "-n", new, "-m", rides.markers, "-o", out)
    assert outcome.status == 0, outcome.err
    assert "The new run's track is the camera's own." in outcome.out
    document = json.loads((out / "timewarp.json").read_text(encoding="utf-8"))
    assert document["gps"]["used"].startswith("two tracks")
    assert (document["new"]["track_from"], document["reference"]["track_from"]) == ("camera", "camera")
    assert "telemetry" in json.loads((out / "perf.json").read_text(encoding="utf-8"))["stages_sec"]

    start = int(read_fixes(rides.new_gpx).t_s[0])
    lat_deg = read_fixes(rides.new_gpx).lat_deg
    watch.write_bytes(fit_file([Record(start + k, float(lat), 7.0) for k, lat in enumerate(lat_deg)]))
    given = mtbsync(
        "sync", "-r", ref, "-n", new, "-m", rides.markers, "-o", out, "--new-gpx", watch, "--json"
    )
    assert given.status == 0, given.err
    assert given.document["new"]["track_from"] == str(watch)
    assert given.document["reference"]["track_from"] == "camera"
    assert given.document["key"] != document["key"]


def test_batch_finds_a_fit_file_beside_a_run(rides: Rides, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "Run1.mp4").write_bytes(rides.new.read_bytes())
    (runs / "Run1.FIT").write_bytes(b"\x0e\x20no fit file")
    outcome = mtbsync("batch", runs, "-r", rides.ref, "-o", tmp_path / "out", "--json")
    assert outcome.status == 1
    with (tmp_path / "out" / "batch_summary.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["status"] == "failed"
    assert "'Run1.FIT' is not a FIT file that can be read" in row["note"]
