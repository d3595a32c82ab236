"""What the desk draws, against what the engine itself found: one real sync of the sample."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtbsync_daemon.results import LIKENESS, TIMEWARP, WARP
from mtbsync_daemon.sync import SyncRequest, SyncResult, sync
from mtbsync_daemon.tasks import figures, track
from mtbsync_daemon.tasks.away import AwayError
from mtbsync_engine.artifacts import load_likeness, load_warp, save_warp
from mtbsync_engine.errors import ArtifactError
from mtbsync_engine.media import probe
from mtbsync_engine.model import FloatArray, TimeMap
from mtbsync_engine.telemetry.read import read_track
from support.served import Silent, served

SAMPLE = Path(__file__).parents[2] / "data" / "sample"


@dataclass(frozen=True)
class Synced:
    """A sync's folder, and what it held in memory."""

    folder: Path
    result: SyncResult


@contextmanager
def quietly(name: str, total: float | None) -> Iterator[Any]:
    yield lambda done: None


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Synced:
    out = tmp_path_factory.mktemp("figures") / "out"
    return Synced(out, sync(SyncRequest(SAMPLE / "ref.mp4", SAMPLE / "new.mp4", out), quietly))


@pytest.fixture
def folder(synced: Synced, tmp_path: Path) -> Path:
    """A copy of the sync's folder that may be changed."""
    return Path(shutil.copytree(synced.folder, tmp_path / "copy"))


def drawn(results: Path, map_folder: Path | None = None) -> dict[str, Any]:
    params = {"results": str(results), "map": str(map_folder or results)}
    found = figures.run(params, Silent())
    json.dumps(found, allow_nan=False)
    return found


def z_of(likeness: dict[str, Any]) -> FloatArray:
    grey = np.frombuffer(base64.b64decode(likeness["z"]), np.uint8)
    grey = grey.reshape(likeness["n_new"], likeness["n_ref"])
    step = (likeness["z_max"] - likeness["z_min"]) / 255
    z: FloatArray = likeness["z_min"] + step * grey.astype(np.float64)
    return z


# --- figures ----------------------------------------------------------------------------------------------


def test_residuals_are_those_that_the_engine_judged_by(synced: Synced) -> None:
    pairs = drawn(synced.folder)["pairs"]
    assert synced.result.judged is not None
    alignment = synced.result.judged.alignment
    assert len(pairs["t_new"]) > 50
    assert pairs["t_ref"] == pytest.approx(alignment.matching.pairs.t_ref, abs=2e-6)
    # Through the steep parts of the map a rounded millionth of a second grows.
    assert pairs["residual_s"] == pytest.approx(alignment.residual_s, abs=2e-5)
    assert pairs["n_inliers"] == alignment.matching.pairs.n_inliers.tolist()


def test_quality_and_witnesses_are_those_of_the_verdict(synced: Synced) -> None:
    found = drawn(synced.folder)
    assert synced.result.judged is not None
    quality = synced.result.judged.quality
    assert found["quality"]["p90_s"] == quality.p90_s
    assert found["quality"]["coverage"] == quality.coverage
    assert found["quality"]["verdict"] == "accept"
    assert sum(found["witnesses"].values()) == pytest.approx(1)


def test_residuals_go_by_the_map_that_counts(synced: Synced, folder: Path) -> None:
    warp = load_warp(folder / WARP)
    knots = warp.time_map
    later = TimeMap(knots.t_new, knots.t_ref + 0.1, knots.se_s, knots.support)
    save_warp(replace(warp, time_map=later), folder / WARP)
    before, after = drawn(synced.folder), drawn(synced.folder, folder)
    shift = np.subtract(after["pairs"]["residual_s"], before["pairs"]["residual_s"])
    assert shift == pytest.approx(np.full(shift.size, -0.1))
    assert after["likeness"] == before["likeness"]


def test_many_sightings_are_thinned_evenly(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    every = drawn(synced.folder)["pairs"]
    monkeypatch.setattr(figures, "_MOST_PAIRS", 11)
    some = drawn(synced.folder)["pairs"]
    kept = [every["t_new"].index(t) for t in some["t_new"]]
    assert (kept[0], kept[-1], len(kept)) == (0, len(every["t_new"]) - 1, 11)
    assert np.ptp(np.diff(kept)) <= 1
    assert some["residual_s"] == [every["residual_s"][k] for k in kept]


def test_likeness_is_what_the_sync_kept_but_for_256_steps(synced: Synced) -> None:
    likeness, kept = drawn(synced.folder)["likeness"], load_likeness(synced.folder / LIKENESS)
    z = z_of(likeness)
    assert z.shape == kept.z.shape
    assert np.abs(z - kept.z).max() <= (likeness["z_max"] - likeness["z_min"]) / 255 / 2 + 1e-6
    assert likeness["t_new"] == kept.t_new.tolist()
    assert likeness["t_ref"] == kept.t_ref.tolist()


def test_a_large_likeness_is_made_small_and_keeps_what_stands_out(
    synced: Synced, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = load_likeness(synced.folder / LIKENESS)
    monkeypatch.setattr(figures, "_MOST_MOMENTS", 20)
    likeness = drawn(synced.folder)["likeness"]
    z = z_of(likeness)
    assert max(z.shape) <= 20
    rows = [*np.searchsorted(kept.t_new, likeness["t_new"]).tolist(), kept.t_new.size]
    columns = [*np.searchsorted(kept.t_ref, likeness["t_ref"]).tolist(), kept.t_ref.size]
    for (i, j), value in np.ndenumerate(z):
        block = kept.z[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
        assert value == pytest.approx(float(block.max()), abs=0.03)


@pytest.mark.parametrize("name", [LIKENESS, "pairs_raw.csv", TIMEWARP, WARP])
def test_results_that_are_gone_are_told_of(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match="gone or damaged; have the run lined up again"):
        drawn(folder)


def test_results_that_are_damaged_are_told_of(folder: Path) -> None:
    (folder / TIMEWARP).write_text("{}")
    with pytest.raises(ArtifactError, match="gone or damaged"):
        drawn(folder)


# --- tracks -----------------------------------------------------------------------------------------------


def recording(name: str, *tracks: Path) -> dict[str, Any]:
    path = SAMPLE / name
    return {
        "recording": {
            "fingerprint": probe(path).fingerprint,
            "copies": [str(path)],
            "tracks": [str(track) for track in tracks],
        }
    }


def tracked(params: dict[str, Any]) -> dict[str, Any]:
    found = track.run(params, Silent())
    json.dumps(found, allow_nan=False)
    return found


def test_a_track_is_where_the_receiver_was() -> None:
    found, known = tracked(recording("new.mp4", SAMPLE / "new.gpx")), read_track(SAMPLE / "new.gpx")
    assert found["origin"] == [known.origin_lat_deg, known.origin_lon_deg]
    t_s = np.array(found["t_s"])
    for name in ("east_m", "north_m", "ele_m"):
        assert found[name] == pytest.approx(np.interp(t_s, known.t_s, getattr(known, name)), abs=1e-6)
    assert 0 <= t_s[0] < t_s[-1] <= probe(SAMPLE / "new.mp4").duration_s


def test_speed_adds_up_to_the_way_and_shows_where_the_rider_stands() -> None:
    found = tracked(recording("new.mp4", SAMPLE / "new.gpx"))
    t_s, speed_mps = np.array(found["t_s"]), np.array(found["speed_mps"])
    way_m = np.hypot(np.diff(found["east_m"]), np.diff(found["north_m"])).sum()
    assert np.trapezoid(speed_mps, t_s) == pytest.approx(way_m, rel=0.02)
    table = np.genfromtxt(SAMPLE / "truth_map.csv", delimiter=",", names=True)
    # It stands where its clock goes on and the place does not.
    stands_at_s = table["t_new"][:-1][np.diff(table["t_ref"]) < 0.01]
    middle_s = float(np.median(stands_at_s))
    assert np.interp(middle_s, t_s, speed_mps) < 1.0 < np.median(speed_mps)


def test_a_jump_of_the_receiver_is_evened_out(tmp_path: Path) -> None:
    every = 'lat="46.0" lon="{lon:.7f}"><time>2024-05-01T10:00:{s:02d}Z</time></trkpt>'
    degrees = [k * 5e-5 + (3e-5 if k % 2 else 0.0) for k in range(30)]
    points = "".join("<trkpt " + every.format(lon=7 + lon, s=s) for s, lon in enumerate(degrees))
    path = tmp_path / "jumpy.gpx"
    path.write_text(
        '<gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>'
        f"{points}</trkseg></trk></gpx>"
    )
    speed_mps = np.array(tracked(recording("new.mp4", path))["speed_mps"])
    raw_mps = read_track(path).speed_mps
    assert np.ptp(speed_mps[20:-20]) < 0.3 * np.ptp(raw_mps[20:-20])
    assert tracked(recording("new.mp4", path))["ele_m"][0] is None


def test_across_a_long_gap_nobody_knows_the_speed(tmp_path: Path) -> None:
    seconds = [*range(4), *range(34, 38)]
    points = "".join(
        f'<trkpt lat="46.0" lon="{7 + k * 1e-4:.7f}"><time>2024-05-01T10:00:{s:02d}Z</time></trkpt>'
        for k, s in enumerate(seconds)
    )
    path = tmp_path / "gap.gpx"
    path.write_text(
        '<gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>'
        f"{points}</trkseg></trk></gpx>"
    )
    found = tracked(recording("ref.mp4", path))
    speed_at = dict(zip(found["t_s"], found["speed_mps"], strict=True))
    unknown_s = [t_s for t_s, speed in speed_at.items() if speed is None]
    assert unknown_s
    assert min(unknown_s) > 3
    assert max(unknown_s) < 34


def test_a_long_track_is_thinned_to_what_the_video_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track, "_MOST_POINTS", 50)
    whole = tracked(recording("ref.mp4", SAMPLE / "ref.gpx"))
    assert len(whole["t_s"]) == len(whole["speed_mps"]) == 50
    assert np.ptp(np.diff(whole["t_s"])) <= 0.1 + 1e-6


def test_without_gps_there_is_nothing() -> None:
    assert tracked(recording("new.mp4")) == {
        "t_s": [],
        "east_m": [],
        "north_m": [],
        "ele_m": [],
        "speed_mps": [],
        "origin": None,
    }


def test_a_recording_that_is_away_is_waited_for(tmp_path: Path) -> None:
    gone = {"fingerprint": "f", "copies": [str(tmp_path / "gone.mp4")], "tracks": []}
    with pytest.raises(AwayError, match="plug in the drive"):
        track.run({"recording": gone}, Silent())


# --- over HTTP --------------------------------------------------------------------------------------------


def test_figures_are_served_for_a_sync_that_found_its_trail(synced: Synced, tmp_path: Path) -> None:
    with served(tmp_path) as daemon:
        daemon.executor.goes_on.set()
        run, ref = daemon.know("RUN.MP4"), daemon.know("REF.MP4")
        daemon.refer(ref, "Home")
        daemon.executor.finds["artifact"] = "syncs/one"
        shutil.copytree(synced.folder, daemon.services.places.artifacts / "syncs" / "one")
        sync_id = daemon.post("/syncs", {"recording": run})["id"]
        daemon.until_idle()
        assert daemon.get(f"/syncs/{sync_id}/figures") == drawn(synced.folder)
        assert daemon.ask("GET", "/api/v1/syncs/unknown/figures").status == 404


def test_a_sync_without_a_trail_has_no_figures(tmp_path: Path) -> None:
    with served(tmp_path) as daemon:
        daemon.executor.goes_on.set()
        run, ref = daemon.know("RUN.MP4"), daemon.know("REF.MP4")
        daemon.refer(ref, "Home")
        daemon.executor.finds |= {"trail": None, "verdict": "reject", "artifact": None}
        sync_id = daemon.post("/syncs", {"recording": run})["id"]
        daemon.until_idle()
        reply = daemon.ask("GET", f"/api/v1/syncs/{sync_id}/figures")
        assert reply.status == 409
        assert "on no trail" in reply.json["detail"]


def test_the_track_of_no_recording_is_not_found(tmp_path: Path) -> None:
    with served(tmp_path) as daemon:
        assert daemon.ask("GET", "/api/v1/recordings/unknown/track").status == 404
