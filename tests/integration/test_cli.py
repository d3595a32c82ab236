"""Every command of `mtbsync`, run on real files, and the files each leaves for the next."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import struct
from collections.abc import Iterator
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from mtbsync_daemon.cli.app import app
from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from support.program import Outcome, listing, mtbsync, mtbsync_process, state
from support.rides import RATE, Rides, true_t_new

RESULTS = {
    "likeness.npz",
    "matching.npz",
    "new_index.npz",
    "new_markers.csv",
    "pairs.csv",
    "pairs_raw.csv",
    "perf.json",
    "ref_index.npz",
    "timewarp.json",
    "warp.npz",
}


@pytest.fixture(autouse=True)
def _p1_originals_are_never_written(rides: Rides) -> Iterator[None]:
    before = state(rides.folder)
    yield
    assert state(rides.folder) == before


@pytest.fixture
def out(synced: Path, tmp_path: Path) -> Path:
    """A folder that holds both indexes, so that `sync` need not look at the videos again."""
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("ref_index.npz", "new_index.npz"):
        shutil.copy(synced / name, folder)
    return folder


def _sync(rides: Rides, out: Path, *options: object) -> Outcome:
    return mtbsync("sync", "-r", rides.ref, "-n", rides.new, "-m", rides.markers, "-o", out, *options)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _json(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _png_size(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", head[16:])
    return width, height


# --- each command as a process, each reading what the one before it wrote ----------------------------


def test_each_command_goes_on_from_the_files_of_the_one_before(rides: Rides, tmp_path: Path) -> None:
    def run(*arguments: object) -> dict[str, Any]:
        outcome = mtbsync_process(*arguments, "--json", cwd=tmp_path)
        assert outcome.status == 0, outcome.err
        return outcome.document

    index = run("index", "--reference", rides.ref, "--out", "ref.npz")
    assert index["pictures"] == 24
    sync = run("sync", "--reference", rides.ref, "--new", rides.new, "--index", "ref.npz", "--out", "out")
    assert sync["verdict"] == "accept"
    assert "ref_index.npz" not in _names(tmp_path / "out")
    fitted = run("warp", "--pairs", "out/pairs.csv", "--out", "fitted/warp.npz")
    # Pairs alone do not tell how close any other way to line the runs up comes.
    assert (fitted["verdict"], fitted["margin"]) == ("review", None)
    assert fitted["knots"]["t_ref"] == pytest.approx(
        _json(tmp_path / "out/timewarp.json")["knots"]["t_ref"], abs=1e-4
    )
    moved = run(
        "transfer", "--reference-markers", rides.markers, "--warp", "fitted/warp.npz", "--out", "new.csv"
    )
    assert moved["markers"] == {"n": 5, "placed": 4, "review": 4}
    exported = run("export-markers", "new.csv", "--preset", "resolve-edl", "--fps", "10", "--out", "new.edl")
    assert exported["files"] == ["new.edl"]
    assert (tmp_path / "new.edl").read_text(encoding="utf-8").count("|M:") == 4
    truth = run(
        "evaluate", "--timewarp-json", "out/timewarp.json", "--truth", rides.truth, "--markers", "new.csv"
    )
    assert truth["marker"]["median_s"] < 0.1
    assert [row["error_s"] is not None for row in truth["markers"]] == [False, True, True, True, True]
    assert max(row["error_s"] or 0.0 for row in truth["markers"]) < 0.25


@pytest.mark.long
def test_the_other_commands_are_programs_too(rides: Rides, synced: Path, tmp_path: Path) -> None:
    markers, timewarp = synced / "new_markers.csv", synced / "timewarp.json"
    for arguments in (
        ("transfer-markers", "--ref-markers", rides.markers, "--timewarp-json", timewarp, "--out", "new.csv"),
        ("export", "edl", "--markers", markers, "--out", "new.edl", "--fps", "29.97", "--reel", "001"),
        ("export", "csv", "--markers", markers, "--out", "copy.csv"),
        ("plot", synced, "--out", "sync.png"),
        (
            "viewer",
            "--headless",
            "--timewarp-json",
            timewarp,
            "--new-markers",
            markers,
            "--out-png",
            "view.png",
        ),
        ("version",),
    ):
        outcome = mtbsync_process(*arguments, cwd=tmp_path)
        assert (outcome.status, "Traceback" in outcome.err) == (0, False), outcome.err
    assert outcome.out == f"mtbsync {version('mtbsync')}\n"
    assert _names(tmp_path) == {"new.csv", "new.edl", "copy.csv", "sync.png", "view.png"}
    assert (tmp_path / "new.csv").read_bytes() == markers.read_bytes()
    assert (tmp_path / "copy.csv").read_bytes() == markers.read_bytes()
    assert _png_size(tmp_path / "sync.png") == _png_size(tmp_path / "view.png") == (1600, 1000)


# --- sync: what it writes ------------------------------------------------------------------------------


def test_sync_leaves_its_results_and_nothing_else(synced: Path) -> None:
    assert _names(synced) == RESULTS


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("pairs_raw.csv", "t_new,t_ref,score,n_inliers"),
        ("pairs.csv", "t_new,t_ref,confidence,se_s,n_inliers,stretch"),
        (
            "new_markers.csv",
            "marker_id,name,t_ref,t_new,confidence,expected_error_s,needs_review,"
            "colour,comment,reason,duration,priority",
        ),
    ],
)
def test_tables_have_these_columns(synced: Path, name: str, columns: str) -> None:
    assert (synced / name).read_text(encoding="utf-8").splitlines()[0] == columns


def test_pairs_rise_in_time_and_have_likely_confidences(synced: Path) -> None:
    pairs = _rows(synced / "pairs.csv")
    t_new = [float(row["t_new"]) for row in pairs]
    assert len(pairs) >= 20
    assert t_new == sorted(set(t_new))
    assert all(0 < float(row["confidence"]) <= 1 for row in pairs)
    assert all(
        float(row["t_new"]) == float(raw["t_new"])
        for row, raw in zip(pairs, _rows(synced / "pairs_raw.csv"), strict=True)
    )


def test_markers_are_where_they_belong_and_keep_what_they_came_with(rides: Rides, synced: Path) -> None:
    before, after = _rows(rides.markers), _rows(synced / "new_markers.csv")
    kept = ("marker_id", "name", "colour", "comment", "priority")
    assert [{k: row[k] for k in kept} for row in after] == [{k: row[k] for k in kept} for row in before]
    start, *others = after
    assert (start["t_new"], start["needs_review"]) == ("", "true")
    assert start["reason"] == "the new run does not show this place"
    for row in others:
        error_s = abs(float(row["t_new"]) - true_t_new(float(row["t_ref"])))
        assert error_s <= max(0.1, float(row["expected_error_s"]))
        assert (row["needs_review"], float(row["confidence"]) > 0.9) == ("false", True)


def test_timewarp_json_says_what_was_found_and_how_good_it_is(rides: Rides, synced: Path) -> None:
    document = _json(synced / "timewarp.json")
    assert (document["ok"], document["verdict"], document["model"]) == (True, "accept", "curve")
    assert len(document["reasons"]) >= 1
    residuals = document["residuals"]
    assert set(residuals) == {"mae", "p50", "p90", "p95"}
    assert 0 <= residuals["p50"] <= residuals["p90"] <= residuals["p95"] < 1
    assert 0.9 < document["inlier_frac"] <= 1
    assert 0.9 < document["coverage"] <= 1
    assert 0.5 < document["margin"] <= 1
    # The new run covers 33 m of trail in 8 s, the reference 40 m.
    assert -250_000 < document["ppm"] < 0
    assert document["gps"] == {"used": "no track", "separation_m": None}
    assert document["markers"] == {"n": 5, "placed": 4, "review": 0}
    assert document["new"]["files"] == [str(rides.new)]
    assert Fraction(document["new"]["rate"]) == RATE
    knots = document["knots"]
    assert len({len(knots[k]) for k in ("t_new", "t_ref", "se_s")}) == 1
    assert all(np.diff(knots["t_ref"]) > 0)


def test_perf_json_says_what_each_stage_cost(synced: Path) -> None:
    perf = _json(synced / "perf.json")
    stages = perf["stages_sec"]
    assert set(stages) == {
        "telemetry",
        "index_reference",
        "index_new",
        "match",
        "warp",
        "markers",
        "write",
    }
    assert sum(stages.values()) <= perf["total_sec"]
    assert perf["frames"] == {"index_reference": 24, "index_new": 24}
    for stage, n_pictures in perf["frames"].items():
        assert perf["fps"][stage] == pytest.approx(n_pictures / stages[stage], rel=0.05)
    assert perf["cpu_percent"] > 0
    assert 20 < perf["rss_mb"] < 2000


def test_sync_prints_its_timings_and_what_became_of_the_markers(rides: Rides, out: Path) -> None:
    outcome = _sync(rides, out)
    timings = dict(re.findall(r"(\w+_sec)=([\d.]+)", outcome.out))
    assert list(timings) == ["retrieval_sec", "warp_sec", "markers_sec", "total_sec"]
    assert float(timings["total_sec"]) >= float(timings["retrieval_sec"])
    assert "Verdict: accept." in outcome.out
    assert "Markers: 4 of 5 placed, 0 of them to review." in outcome.out
    assert "Not placed: 'Start' (the new run does not show this place)." in outcome.out
    assert outcome.err == ""


def test_a_second_sync_reads_what_the_first_one_saw_and_finds_the_same(
    rides: Rides, synced: Path, out: Path
) -> None:
    assert _sync(rides, out).status == 0
    stages = {"telemetry", "match", "warp", "markers", "write"}
    assert set(_json(out / "perf.json")["stages_sec"]) == stages
    for name in RESULTS - {"perf.json"}:
        if not name.endswith(".npz"):
            assert (out / name).read_bytes() == (synced / name).read_bytes(), name


# --- sync: its options -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tracks", "used"),
    [
        ((), "no track"),
        (("ref",), "one track, for where the rider stood still"),
        (("new",), "one track, for where the rider stood still"),
        (("ref", "new"), "two tracks, as a prior for what the camera saw"),
    ],
)
def test_tracks_are_used_as_far_as_there_are_any(
    rides: Rides, out: Path, tracks: tuple[str, ...], used: str
) -> None:
    options = [part for run in tracks for part in (f"--{run}-gpx", rides.folder / f"{run}.gpx")]
    outcome = _sync(rides, out, *options)
    assert (outcome.status, f"GPS: {used}." in outcome.out) == (0, True)
    gps = _json(out / "timewarp.json")["gps"]
    assert gps["used"] == used
    assert (gps["separation_m"] is not None) == (len(tracks) == 2)


def test_no_warp_stops_at_the_pairs_and_leaves_no_older_map(rides: Rides, out: Path) -> None:
    _sync(rides, out)
    assert _names(out) == RESULTS
    outcome = _sync(rides, out, "--no-warp", "--json")
    assert outcome.status == 0
    assert outcome.document["n_pairs"] == len(_rows(out / "pairs.csv"))
    assert _names(out) == RESULTS - {"timewarp.json", "warp.npz", "new_markers.csv"}


def test_no_refine_goes_by_whole_pictures(rides: Rides, synced: Path, out: Path) -> None:
    assert _sync(rides, out, "--no-refine").status == 0
    assert {row["n_inliers"] for row in _rows(out / "pairs_raw.csv")} == {"0"}
    assert "0" not in {row["n_inliers"] for row in _rows(synced / "pairs_raw.csv")[5:-5]}


def test_an_affine_map_has_two_parameters(rides: Rides, out: Path) -> None:
    assert _sync(rides, out, "--model", "affine").status == 0
    document = _json(out / "timewarp.json")
    assert (document["model"], len(document["knots"]["t_new"])) == ("affine", 2)
    assert set(document["params"]) == {"a", "b"}
    # The new run's pace lies between 0.66 and 1.02 of the reference's.
    assert 0.66 < document["params"]["a"] < 1.02
    assert document["ppm"] == pytest.approx((document["params"]["a"] - 1) * 1e6, rel=1e-6)


def test_a_rejected_sync_exits_with_3_says_why_and_places_nothing(rides: Rides, out: Path) -> None:
    _sync(rides, out)
    outcome = _sync(rides, out, "--model", "affine", "--strict", "--quiet")
    assert outcome.status == 3
    assert outcome.out == ""
    assert re.fullmatch(
        r"Verdict: reject\. .*The clocks drift by [-+]\d+ ppm, and 500 is the limit.*\n", outcome.err
    )
    document = _json(out / "timewarp.json")
    assert (document["ok"], document["verdict"]) == (False, "reject")
    assert document["markers"]["placed"] == 0
    assert _names(out) == RESULTS - {"new_markers.csv"}


def test_the_drift_gate_can_be_set_by_itself(rides: Rides, out: Path) -> None:
    options = ("--model", "affine", "--strict", "--warp-max-ppm", "1000000", "--warp-inlier-thresh", "0.5")
    assert _sync(rides, out, *options).status == 0


def test_another_trail_is_rejected(rides: Rides, synced: Path, tmp_path: Path) -> None:
    outcome = mtbsync(
        "sync", "-r", rides.ref, "-n", rides.other, "--index", synced / "ref_index.npz", "-o", tmp_path / "o"
    )
    assert outcome.status == 3
    assert len(outcome.err.splitlines()) == 1
    assert not (tmp_path / "o" / "new_markers.csv").exists()


def test_fast_and_fps_and_key_points_reach_the_index(rides: Rides, tmp_path: Path) -> None:
    options = (
        "--fps",
        "2",
        "--fast",
        "--n-features",
        "100",
        "--no-clahe",
        "--threads",
        "1",
        "--no-proxy",
        "--no-gpu",
    )
    outcome = mtbsync("index", "--video", rides.new, "--out", tmp_path / "new.npz", *options)
    assert outcome.status == 0
    with np.load(tmp_path / "new.npz") as index:
        params = json.loads(str(index["about"]))["params"]
        assert params == {
            "fps": 2.0,
            "max_side_px": 480,
            "n_features": 100,
            "matcher": "xfeat",
            "clahe": False,
            "fast": True,
            "weights_sha256": "",
        }
        assert index["t_s"].size == 16
        assert np.diff(index["first_point"]).max() <= 100


def test_pairs_go_to_the_csv_that_out_names(rides: Rides, out: Path) -> None:
    outcome = mtbsync("sync", "-r", rides.ref, "-n", rides.new, "--out", out / "matches.csv", "--json")
    assert outcome.document["pairs"] == str(out / "matches.csv")
    assert _names(out) == (RESULTS - {"pairs.csv", "new_markers.csv"}) | {"matches.csv"}


def test_without_out_the_folder_is_called_after_the_new_run(
    rides: Rides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert mtbsync("sync", "-r", rides.ref, "-n", rides.new, "--no-warp").status == 0
    assert _names(tmp_path) == {"new_sync"}


def test_the_review_threshold_decides_which_markers_wait_for_a_person(rides: Rides, out: Path) -> None:
    for threshold, n_review in ((0.5, 0), (0.99, 4)):
        outcome = _sync(rides, out, "--model", "affine", "--review-threshold", threshold)
        assert f"Markers: 4 of 5 placed, {n_review} of them to review." in outcome.out


def test_timecodes_of_markers_count_in_the_reference_s_rate(rides: Rides, synced: Path, out: Path) -> None:
    markers = out / "timecodes.csv"
    markers.write_text("name,t_ref\nDrop,01:00:04:00\nBend,01:00:05:05\n", encoding="utf-8")
    seconds = {row["name"]: float(row["t_new"]) for row in _rows(synced / "new_markers.csv") if row["t_new"]}
    for number, arguments in enumerate(
        (
            ("sync", "-r", rides.ref, "-n", rides.new, "-m", markers, "--out", out),
            ("transfer", "--ref-markers", markers, "--warp", synced / "warp.npz", "--out", out / "new.csv"),
            (
                "transfer",
                "--ref-markers",
                markers,
                "--timewarp-json",
                synced / "timewarp.json",
                "--out",
                out / "new.csv",
                "--markers-fps",
                "10",
            ),
        )
    ):
        outcome = mtbsync(*arguments, "--markers-start-tc", "01:00:00:00")
        assert outcome.status == 0, outcome.err
        rows = _rows(out / ("new.csv" if number else "new_markers.csv"))
        assert [float(row["t_new"]) for row in rows] == pytest.approx(
            [seconds["Drop"], seconds["Bend"]], abs=1e-5
        )


# --- warp and transfer -----------------------------------------------------------------------------------


def test_pairs_that_a_person_wrote_become_a_map(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    rows = [f"{t},{2 + 1.5 * t},0.9\n" for t in range(12)]
    pairs.write_text("t_new,t_ref,confidence\n" + "".join(rows), encoding="utf-8")
    outcome = mtbsync("warp", "--pairs", pairs, "--out", tmp_path / "map.json", "--model", "affine")
    assert outcome.status == 0, outcome.err
    assert _json(tmp_path / "map.json")["params"] == pytest.approx({"a": 1.5, "b": 2.0}, abs=1e-6)
    assert mtbsync("warp", "--pairs", pairs, "--out", tmp_path / "map.npz").status == 0


def test_nothing_is_carried_over_with_a_rejected_map(rides: Rides, synced: Path, tmp_path: Path) -> None:
    options = ("--model", "affine", "--strict")
    rejected = mtbsync("warp", "--pairs", synced / "pairs.csv", "--out", tmp_path / "warp.npz", *options)
    assert (rejected.status, rejected.err.startswith("Verdict: reject.")) == (3, True)
    outcome = mtbsync(
        "transfer",
        "--ref-markers",
        rides.markers,
        "--warp",
        tmp_path / "warp.npz",
        "--out",
        tmp_path / "new.csv",
        "--json",
    )
    assert (outcome.status, outcome.document["ok"]) == (3, False)
    assert not (tmp_path / "new.csv").exists()


def test_plot_overlay_draws_beside_the_output(rides: Rides, synced: Path, tmp_path: Path) -> None:
    outcome = mtbsync(
        "transfer-markers",
        "--ref-markers",
        rides.markers,
        "--timewarp-json",
        synced / "timewarp.json",
        "--out",
        tmp_path / "new.csv",
        "--plot-overlay",
    )
    assert outcome.status == 0, outcome.err
    assert _names(tmp_path) == {"new.csv", "new.png"}
    assert _png_size(tmp_path / "new.png") == (1600, 1000)


# --- export ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fps", "start", "option", "mode"),
    [
        ("25", "10:00:00:00", None, "NON-DROP FRAME"),
        ("29.97", "01:00:00;00", None, "DROP FRAME"),
        ("29.97", "00:59:59:00", "--drop-frame", "DROP FRAME"),
        ("59.94", "01:00:00:00", "--non-drop-frame", "NON-DROP FRAME"),
    ],
)
@pytest.mark.parametrize("preset", ["resolve-edl", "edl"])
def test_exports_stand_on_the_nearest_frame_of_the_timeline(
    synced: Path, tmp_path: Path, preset: str, fps: str, start: str, option: str | None, mode: str
) -> None:
    written = tmp_path / "markers.edl"
    options = ("--fps", fps, "--start-tc", start, *([option] if option else []), "--out", written)
    assert mtbsync("export-markers", synced / "new_markers.csv", "--preset", preset, *options).status == 0
    text = written.read_text(encoding="utf-8")
    assert f"FCM: {mode}" in text
    rate = Rate.parse(fps)
    first = Timecode.parse(start, rate, mode == "DROP FRAME")
    wanted = [
        str(first + nearest_frame(float(row["t_new"]), rate))
        for row in _rows(synced / "new_markers.csv")
        if row["t_new"]
    ]
    found = re.findall(r"^\d{3}\s.*?(\S+) \S+\s*$" if preset == "resolve-edl" else r"LOC: (\S+)", text, re.M)
    assert found == wanted


def test_exports_take_the_new_run_s_rate_and_name_from_beside_the_markers(
    synced: Path, tmp_path: Path
) -> None:
    shutil.copytree(synced, tmp_path / "out")
    markers = tmp_path / "out" / "new_markers.csv"
    for preset, name in (
        ("resolve-edl", "new_markers_resolve-edl.edl"),
        ("edl", "new_markers_edl.edl"),
        ("csv", "new_markers_csv.csv"),
    ):
        outcome = mtbsync("export-markers", markers, "--preset", preset)
        assert outcome.status == 0, outcome.err
        assert outcome.out == f"Written: {markers.with_name(name)}\n"
    text = markers.with_name("new_markers_edl.edl").read_text(encoding="utf-8")
    assert "FROM CLIP NAME:  new.mp4" in text
    # Eight seconds at ten frames a second.
    assert "01:00:00:00 01:00:08:00" in text


def test_an_edit_list_has_the_camera_s_own_timecode_and_the_reel(synced: Path, tmp_path: Path) -> None:
    shutil.copytree(synced, tmp_path / "out")
    timewarp = tmp_path / "out" / "timewarp.json"
    document = _json(timewarp)
    document["new"]["start_timecode"] = "10:20:30:05"
    timewarp.write_text(json.dumps(document), encoding="utf-8")
    markers = tmp_path / "out" / "new_markers.csv"
    assert (
        mtbsync("export", "edl", "--markers", markers, "--reel", "CAM7", "--out", tmp_path / "x.edl").status
        == 0
    )
    text = (tmp_path / "x.edl").read_text(encoding="utf-8")
    assert re.search(r"001\s+CAM7\s+V\s+C\s+10:20:30:05 10:20:38:05 01:00:00:00 01:00:08:00", text)


def test_what_a_format_cannot_carry_is_said(synced: Path, tmp_path: Path) -> None:
    outcome = mtbsync(
        "export-markers", synced / "new_markers.csv", "--preset", "edl", "--out", tmp_path / "m.edl", "--json"
    )
    assert "Comments left out: 'Root, big', 'Bridge'." in outcome.err.splitlines()
    assert outcome.document["losses"] == outcome.err.splitlines()


# --- plot, viewer, evaluate, version ---------------------------------------------------------------


def test_plot_writes_beside_the_results(synced: Path, tmp_path: Path) -> None:
    shutil.copytree(synced, tmp_path / "out")
    assert mtbsync("plot", tmp_path / "out").status == 0
    assert _names(tmp_path / "out") == RESULTS | {"sync.png"}
    assert _png_size(tmp_path / "out" / "sync.png") == (1600, 1000)


def test_viewer_can_carry_the_markers_over_itself(rides: Rides, synced: Path, tmp_path: Path) -> None:
    arguments = ("--timewarp-json", synced / "timewarp.json", "--ref-markers", rides.markers)
    assert mtbsync("viewer", *arguments, "--out-png", tmp_path / "view.png").status == 0
    assert _png_size(tmp_path / "view.png") == (1600, 1000)


def test_evaluate_measures_in_the_new_run_s_frames(rides: Rides, synced: Path) -> None:
    arguments = ("evaluate", "--timewarp-json", synced / "timewarp.json", "--truth", rides.truth, "--json")
    document = mtbsync(*arguments).document
    marker = document["marker"]
    assert document["covered"] > 0.9
    assert marker["median_s"] <= marker["p90_s"] <= marker["max_s"] < 0.3
    # A frame of the new run lasts a tenth of a second.
    assert marker["within_frame"] == marker["within_100_ms"]
    stricter = mtbsync(*arguments, "--fps", "1000").document
    assert stricter["marker"]["within_frame"] < marker["within_frame"]


def test_evaluate_tells_a_person_about_each_marker(rides: Rides, synced: Path) -> None:
    outcome = mtbsync(
        "evaluate",
        "--timewarp-json",
        synced / "timewarp.json",
        "--truth",
        rides.truth,
        "--markers",
        synced / "new_markers.csv",
    )
    assert outcome.status == 0
    for name in ("Start", "Root, big", "Drop", "Bend", "Bridge"):
        assert name in outcome.out


# --- batch -----------------------------------------------------------------------------------------


@pytest.mark.long
def test_batch_does_what_is_new_and_survives_what_is_broken(rides: Rides, tmp_path: Path) -> None:
    runs, results = tmp_path / "runs", tmp_path / "results"
    runs.mkdir()
    shutil.copy(rides.ref, runs / "reference.mp4")
    shutil.copy(rides.new, runs / "Run1.MP4")
    shutil.copy(rides.new_gpx, runs / "Run1.gpx")
    shutil.copy(rides.other, runs / "another trail.mp4")
    (runs / "broken.mp4").write_text("not a video\n" * 100, encoding="utf-8")
    before = state(runs)
    arguments = ["batch", runs, "--reference", runs / "reference.mp4", "--markers", rides.markers]
    arguments += ["--ref-gpx", rides.ref_gpx, "--out", results, "--jobs", 2, "--threads", 1]

    outcome = mtbsync_process(*arguments)
    assert outcome.status == 1
    assert len(outcome.err.splitlines()) == 1
    assert outcome.err.startswith("broken.mp4: ")
    rows = {row["run"]: row for row in _rows(results / "batch_summary.csv")}
    assert list(rows) == ["Run1.MP4", "another trail.mp4", "broken.mp4"]
    assert [row["status"] for row in rows.values()] == ["accept", "reject", "failed"]
    assert (rows["Run1.MP4"]["n_markers"], rows["Run1.MP4"]["n_placed"]) == ("5", "4")
    assert rows["broken.mp4"]["note"] in outcome.err
    assert _names(results / "Run1") == RESULTS - {"ref_index.npz"}
    assert _json(results / "Run1" / "timewarp.json")["gps"]["used"].startswith("two tracks")
    assert not (results / "broken").exists()
    assert not (results / "reference").exists()

    (runs / "broken.mp4").unlink()
    (runs / "another trail.mp4").unlink()
    done = state(results / "Run1")
    again = mtbsync_process(*arguments, "--json")
    assert (again.status, again.err) == (0, "")
    assert [row["done_before"] for row in again.document["runs"]] == [True]
    assert state(results / "Run1") == done

    otherwise = mtbsync_process(*arguments, "--json", "--review-threshold", "0.99999")
    assert [row["done_before"] for row in otherwise.document["runs"]] == [False]
    assert {k: v for k, v in before.items() if k in state(runs)} == state(runs)


def test_dry_run_lists_each_recording_once_and_writes_nothing(rides: Rides, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    for name in ("GX010001.MP4", "GX020001.MP4", "GX010002.MP4", "b.mov", ".hidden.mp4", "GL010001.LRV"):
        shutil.copy(rides.new, runs / name)
    (runs / "notes.txt").write_text("x", encoding="utf-8")
    before = listing(tmp_path)
    outcome = mtbsync("batch", runs, "-r", runs / "b.mov", "-o", tmp_path / "out", "--dry-run", "--json")
    assert [Path(run).name for run in outcome.document["runs"]] == ["GX010001.MP4", "GX010002.MP4"]
    assert listing(tmp_path) == before


def test_batch_leaves_the_reference_out_even_when_a_later_chapter_is_named(
    rides: Rides, tmp_path: Path
) -> None:
    for name in ("GX010001.MP4", "GX020001.MP4", "GX010002.MP4"):
        shutil.copy(rides.new, tmp_path / name)
    outcome = mtbsync(
        "batch", tmp_path, "-r", tmp_path / "GX020001.MP4", "-o", tmp_path / "out", "--dry-run", "--json"
    )
    assert [Path(run).name for run in outcome.document["runs"]] == ["GX010002.MP4"]


# --- what all commands have in common --------------------------------------------------------------


def _each_command(rides: Rides, synced: Path, tmp_path: Path) -> list[tuple[object, ...]]:
    """One good command line of each command that does not take long."""
    markers, timewarp = synced / "new_markers.csv", synced / "timewarp.json"
    return [
        ("index", "--reference", rides.new, "--out", tmp_path / "i.npz", "--fps", "1"),
        (
            "sync",
            "-r",
            rides.ref,
            "-n",
            rides.new,
            "-o",
            tmp_path / "s",
            "--index",
            synced / "ref_index.npz",
            "--no-refine",
        ),
        ("warp", "--pairs", synced / "pairs.csv", "--out", tmp_path / "w.npz"),
        (
            "transfer",
            "--ref-markers",
            rides.markers,
            "--warp",
            synced / "warp.npz",
            "--out",
            tmp_path / "t.csv",
        ),
        ("export-markers", markers, "--preset", "csv", "--out", tmp_path / "m.csv"),
        ("export", "csv", "--markers", markers, "--out", tmp_path / "c.csv"),
        ("plot", synced, "--out", tmp_path / "p.png"),
        ("viewer", "--timewarp-json", timewarp, "--out-png", tmp_path / "v.png"),
        ("evaluate", "--timewarp-json", timewarp, "--truth", rides.truth),
        ("batch", rides.folder, "-r", rides.ref, "-o", tmp_path / "b", "--dry-run"),
        ("version",),
    ]


def test_json_is_one_object_on_standard_output(rides: Rides, synced: Path, tmp_path: Path) -> None:
    for arguments in _each_command(rides, synced, tmp_path):
        outcome = mtbsync(*arguments, "--json")
        assert outcome.status == 0, outcome.err
        assert "ok" in outcome.document, arguments
        assert len(outcome.out.splitlines()) == 1


def test_quiet_says_nothing_when_all_is_well(rides: Rides, synced: Path, tmp_path: Path) -> None:
    for arguments in _each_command(rides, synced, tmp_path):
        assert mtbsync(*arguments, "--quiet") == Outcome(0, "", ""), arguments


def test_errors_are_json_too(tmp_path: Path) -> None:
    outcome = mtbsync("index", "--reference", tmp_path / "none.mp4", "--out", tmp_path / "x.npz", "--json")
    assert outcome.status == 1
    assert outcome.document == {"ok": False, "error": outcome.err.strip()}
    usage = mtbsync("index", "--refrence", "x", "--json")
    assert usage.status == 2
    assert usage.document == {"ok": False, "error": usage.err.strip()}


def _commands() -> dict[str, Any]:
    """Typer's own objects for each command, by the words that call it."""
    group: Any = typer.main.get_command(app)
    found = {}
    for name, command in group.commands.items():
        deeper = getattr(command, "commands", None)
        found |= {f"{name} {sub}": c for sub, c in deeper.items()} if deeper else {name: command}
    return found


def test_without_arguments_the_help_lists_every_command() -> None:
    outcome = mtbsync()
    assert (outcome.status, outcome.err) == (0, "")
    assert {name.split()[0] for name in _commands()} <= set(re.findall(r"^  ([a-z-]+) ", outcome.out, re.M))
    # A summary that does not fit is cut off.
    assert "..." not in outcome.out.split("Commands:")[1]


@pytest.mark.parametrize("name", sorted(_commands()))
def test_help_names_every_option_and_what_it_is_for(name: str) -> None:
    outcome = mtbsync(*name.split(), "--help")
    assert (outcome.status, outcome.err) == (0, "")
    for parameter in _commands()[name].params:
        for option in parameter.opts:
            assert option in outcome.out or parameter.param_type_name == "argument"
        assert parameter.help


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("snyc",), "No such command 'snyc'. Did you mean 'sync'? See `mtbsync --help`."),
        (("export",), "Missing command. See `mtbsync export --help`."),
        (
            ("sync", "--refrence", "a"),
            "No such option: --refrence (Possible options: --no-refine, --reference, --refine). "
            "See `mtbsync sync --help`.",
        ),
        (("sync", "-r", "a"), "Missing option '--new' / '-n'. See `mtbsync sync --help`."),
        (
            ("sync", "-r", "a", "-n", "b", "--model", "cubic"),
            "--model is curve or affine, not 'cubic'. See `mtbsync sync --help`.",
        ),
        (
            ("sync", "-r", "a", "-n", "b", "--ref-gpx-offset", "nan"),
            "--ref-gpx-offset is a finite number, not nan. See `mtbsync sync --help`.",
        ),
        (
            ("sync", "-r", "a", "-n", "b", "--warp-inlier-thresh", "inf"),
            "--warp-inlier-thresh is a finite number, not inf. See `mtbsync sync --help`.",
        ),
        (
            ("transfer", "--ref-markers", "m.csv", "--out", "n.csv"),
            "--ref-markers needs --warp; `mtbsync sync` does both at once. See `mtbsync transfer --help`.",
        ),
    ],
)
def test_a_wrong_command_line_gets_one_sentence_and_2(arguments: tuple[str, ...], sentence: str) -> None:
    assert mtbsync(*arguments) == Outcome(2, "", sentence + "\n")


@pytest.mark.parametrize(
    "option",
    [
        ("--fps", "0"),
        ("--fps", "61"),
        ("--fps", "many"),
        ("--n-features", "-1"),
        ("--n-features", "99999999999"),
        ("--threads", "0"),
        ("--lowe", "nan"),
        ("--warp-rng-seed", "-1"),
        ("--warp-rng-seed", "99999999999"),
        ("--warp-ransac-iters", "0"),
        ("--warp-min-inlier-frac", "1.5"),
        ("--review-threshold", "nan"),
    ],
)
def test_numbers_out_of_range_are_refused(option: tuple[str, str]) -> None:
    outcome = mtbsync("sync", "-r", "a", "-n", "b", *option)
    assert (outcome.status, outcome.out) == (2, "")
    assert re.fullmatch(rf"Invalid value for '{option[0]}': .*\. See `mtbsync sync --help`\.\n", outcome.err)


# --- scripts written for the tool that people used before ------------------------------------------

_BEFORE = {
    "preview": "--reference --new --markers",
    "dashboard": "--root --host --port --open-browser --no-open-browser --allow-write",
    "telemetry-ui": "--root --port",
    "compare-ui": "--ref --new --ref-markers --new-markers --timewarp-json --root --port --no-browser",
    "index": "--reference --fps --out --n-features --no-clahe",
    "sync": "--reference --new --index --out --ref-gpx --new-gpx --fps --n-features --no-clahe --top-k "
    "--no-refine --refine-window --lowe --ransac-reproj --min-inliers --no-warp --warp-window-sec "
    "--warp-inlier-thresh --warp-ransac-iters --warp-max-ppm --warp-min-inlier-frac --warp-rng-seed "
    "--threads --fast --no-gpu --regression-off --fail-on-regression --reg-window --reg-p90-pct "
    "--reg-p90-abs --reg-ppm-pct --reg-ppm-abs --reg-inlier-pct --reg-inlier-abs",
    "warp": "--pairs --out",
    "transfer": "--reference-markers --warp --out --review-threshold",
    "transfer-markers": "--ref-markers --timewarp-json --out --label --vis-json --plot-overlay",
    "export edl": "--markers --out --reel --fps",
    "export-markers": "--format --preset --out --fps --reel --label",
    "batch": "--out-dir --ref-suffix --new-suffix --dry-run --threads --fast --no-gpu",
    "viewer": "--headless --ref-markers --timewarp-json --new-markers --out-png",
    "prune-perf": "--root --keep --dry-run",
    "benchmark-quality": "--root --pattern --out --limit --fields --strict --csv --html",
}


@pytest.mark.parametrize(
    ("name", "option"), [(name, option) for name, options in _BEFORE.items() for option in options.split()]
)
def test_every_option_of_before_is_taken_or_answered_with_what_replaces_it(name: str, option: str) -> None:
    if any(option in (*p.opts, *p.secondary_opts) for p in _commands()[name].params):
        return
    for argument in (option, f"{option}=1"):
        outcome = mtbsync(*name.split(), argument)
        assert (outcome.status, outcome.out) == (2, "")
        assert re.fullmatch(rf"{option} is not an option of `mtbsync {name}`: .+\.\n", outcome.err)


@pytest.mark.parametrize(
    "name",
    [
        "quality-check",
        "import-markers",
    ],
)
def test_every_command_of_before_is_answered_with_what_replaces_it(name: str) -> None:
    outcome = mtbsync(name, "--root", ".")
    assert (outcome.status, outcome.out) == (2, "")
    assert re.fullmatch(rf"`mtbsync {name}` is not part of mtbsync\. .+\.\n", outcome.err)


def test_bracketed_names_are_shown_as_they_are(rides: Rides, synced: Path, tmp_path: Path) -> None:
    markers = tmp_path / "new_markers.csv"
    markers.write_text("name,t_ref,t_new\n[/bold] :bomb: [red]x,4,3.7\n", encoding="utf-8")
    outcome = mtbsync(
        "evaluate", "--timewarp-json", synced / "timewarp.json", "--truth", rides.truth, "--markers", markers
    )
    assert outcome.status == 0
    assert all(part in outcome.out for part in ("[/bold]", ":bomb:", "[red]x"))


def test_times_are_never_off_by_more_than_was_stated_for_nine_in_ten(rides: Rides, synced: Path) -> None:
    arguments = ("--timewarp-json", synced / "timewarp.json", "--truth", rides.truth, "--json")
    calibration = mtbsync("evaluate", *arguments).document["calibration"]
    assert math.isfinite(calibration)
    assert calibration >= 0.8
