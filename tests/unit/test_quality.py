"""Runs in numbers: what is read from results, what fails the gates, and the report."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mtbsync_daemon.quality import (
    MEASURES,
    Collected,
    RunQuality,
    as_csv,
    collect,
    document,
    fails,
    rows_of,
    stages_of,
    summary,
    tenths,
)
from mtbsync_daemon.quality_page import quality_page, round_step
from mtbsync_daemon.store import jobs, recordings
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.jobs import Kind, State
from mtbsync_daemon.tasks import quality as task
from mtbsync_engine.errors import InputError
from mtbsync_engine.judge import STRICT_GATES
from support.served import Silent

DAY_1 = 1_700_000_000
SYNC: dict[str, Any] = {
    "format_version": 1,
    "ok": True,
    "verdict": "accept",
    "reasons": ["All agree."],
    "model": "curve",
    "ppm": -37504.7,
    "inlier_frac": 0.9,
    "verified_frac": 0.95,
    "residuals": {"mae": 0.03, "p50": 0.02, "p90": 0.08, "p95": 0.1},
    "coverage": 1.0,
    "margin": 0.86,
    "expected_error_s": 0.03,
    "markers": {"n": 3, "placed": 2, "review": 1},
    "new": {"files": ["/rides/GX010034.MP4"], "fingerprint": "f34"},
    "reference": {"files": ["D:\\trail\\REF.MP4"], "fingerprint": "ref"},
}
PERF: dict[str, Any] = {
    "stages_sec": {"telemetry": 0.1, "index_reference": 2.0, "index_new": 1.0, "match": 0.4},
    "total_sec": 3.6,
    "frames": {"index_reference": 120, "index_new": 90},
    "fps": {"index_reference": 60.0, "index_new": 90.0},
    "cpu_percent": 175.0,
    "rss_mb": 240.0,
    "gpu": None,
}
MARKERS = (
    "marker_id,name,t_ref,t_new,confidence,expected_error_s,needs_review\n"
    "a,Start,0.2,,0.000,,true\nb,Drop,2,1.5,1.000,0.02,false\nc,Bend,4,3.5,0.62,0.3,true\n"
)
# What mtbsync 0.10 writes.
BEFORE: dict[str, Any] = {
    "ok": True,
    "model": "affine_ransac_irls",
    "params": {"a": 1.0009, "b": 0.3},
    "ppm": 900.0,
    "inlier_frac": 0.7,
    "residuals": {"mae": 0.1, "p50": 0.1, "p90": 0.4, "p95": 0.5},
}
BEFORE_PERF: dict[str, Any] = {
    "ok": True,
    "timings": {"retrieval_sec": 4.0, "refine_sec": 6.0, "frames_processed": 60, "total_sec": 11.0},
    "fps": 15.0,
    "cpu_pct": 90.0,
    "rss_mb": 500.0,
    "gpu_util": 30.0,
    "gpu_mem_mb": 900.0,
}


def result(folder: Path, day: float = 1, perf: Any = PERF, **changed: Any) -> Path:
    """A results folder whose map was written on that day."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "timewarp.json"
    path.write_text(json.dumps(SYNC | changed), encoding="utf-8")
    if perf is not None:
        (folder / "perf.json").write_text(json.dumps(perf), encoding="utf-8")
    os.utime(path, (DAY_1 + day * 86400, DAY_1 + day * 86400))
    return folder


def one(root: Path) -> RunQuality:
    found = collect(root)
    assert found.left_out == ()
    (run,) = found.runs
    return run


@pytest.fixture
def good(tmp_path: Path) -> RunQuality:
    """A run that passes."""
    return one(result(tmp_path / "good").parent)


# --- reading -----------------------------------------------------------------------------------------


def test_a_sync_is_read_with_what_lies_beside_it(tmp_path: Path) -> None:
    folder = result(tmp_path / "a" / "run")
    (folder / "new_markers.csv").write_text(MARKERS, encoding="utf-8")
    run = one(tmp_path)
    assert (run.run, run.reference, run.folder, run.recording) == ("GX010034.MP4", "REF.MP4", "a/run", "f34")
    assert (run.verdict, run.model, run.p90_s, run.inlier_frac) == ("accept", "curve", 0.08, 0.9)
    assert run.made_at == DAY_1 + 86400
    assert (run.n_markers, run.n_placed, run.n_review) == (3, 2, 1)
    assert run.confidence_n == (0, 0, 0, 0, 0, 0, 1, 0, 0, 1)
    assert (run.total_s, run.cpu_pct, run.rss_mb) == (3.6, 175.0, 240.0)
    assert run.fps == pytest.approx(210 / 3.0)
    assert list(run.stage_s) == ["telemetry", "index_reference", "index_new", "match"]


def test_without_a_list_of_markers_the_sync_s_own_count_stands(tmp_path: Path) -> None:
    result(tmp_path / "run")
    run = one(tmp_path)
    assert (run.n_markers, run.n_placed, run.n_review) == (3, 2, 1)
    assert sum(run.confidence_n) == 0


@pytest.mark.parametrize("perf", [None, [], {}, {"stages_sec": 5, "frames": [1]}, {"total_sec": "long"}])
def test_a_missing_or_odd_record_of_speed_leaves_the_quality_as_it_is(tmp_path: Path, perf: Any) -> None:
    result(tmp_path / "run", perf=perf)
    run = one(tmp_path)
    assert (run.p90_s, run.total_s, run.fps, run.stage_s) == (0.08, None, None, {})


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 10**400, True, "0.9", None, [0.9]])
def test_what_is_no_finite_number_is_not_known_and_fails(tmp_path: Path, odd: Any) -> None:
    result(tmp_path / "run", inlier_frac=odd)
    run = one(tmp_path)
    assert run.inlier_frac is None
    assert fails(run, STRICT_GATES) == ["Its files tell no inlier share."]
    json.dumps(document(collect(tmp_path), STRICT_GATES), allow_nan=False)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b"{}", b'{"knots": {}}', b"[" * 100_000, b'{"inlier_frac": NaN}'],
)
def test_damaged_and_foreign_files_are_left_out_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    result(tmp_path / "good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "timewarp.json").write_bytes(content)
    found = collect(tmp_path)
    assert [run.folder for run in found.runs] == ["good"]
    (sentence,) = found.left_out
    assert re.fullmatch(r".*timewarp\.json .+; make it again with `mtbsync sync`\.", sentence)


def test_fields_of_any_type_never_break_the_reading(tmp_path: Path) -> None:
    names = [name for name in SYNC if name not in ("inlier_frac", "residuals")]
    for k, odd in enumerate(([], {}, "text", 7, None, {"files": [1], "fingerprint": []})):
        changed = dict.fromkeys(names, odd)
        result(tmp_path / str(k), **{**changed, "ok": [True]})
    found = collect(tmp_path)
    assert len(found.runs) == 6
    quality_page(found, STRICT_GATES, "odd", DAY_1)


def test_what_mtbsync_0_10_wrote_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "run_1"
    folder.mkdir()
    (folder / "timewarp.json").write_text(json.dumps(BEFORE), encoding="utf-8")
    (folder / "perf.json").write_text(json.dumps(BEFORE_PERF), encoding="utf-8")
    markers = "marker_id,t_ref,t_new_est,confidence\na,1,1.2,0.55\n"
    (folder / "new_markers.csv").write_text(markers, encoding="utf-8")
    run = one(tmp_path)
    assert (run.run, run.verdict, run.ppm, run.is_affine) == ("run_1", "accept", 900.0, True)
    assert run.stage_s == {"retrieval": 4.0, "refine": 6.0}
    assert (run.total_s, run.fps, run.cpu_pct, run.gpu_util, run.gpu_mem_mb) == (
        11.0,
        15.0,
        90.0,
        30.0,
        900.0,
    )
    assert run.confidence_n[5] == 1
    assert fails(run, STRICT_GATES) == ["Drift +900 ppm; 500 ppm is the limit."]


# --- which results -------------------------------------------------------------------------------------


def test_the_newest_come_first_and_no_more_than_wanted(tmp_path: Path) -> None:
    for day in (2, 4, 1, 3):
        result(tmp_path / f"day{day}", day=day)
    assert [run.folder for run in collect(tmp_path).runs] == ["day4", "day3", "day2", "day1"]
    assert [run.folder for run in collect(tmp_path, limit=2).runs] == ["day4", "day3"]


def test_a_pattern_finds_folders_as_well_as_time_maps(tmp_path: Path) -> None:
    for name in ("run_1", "run_2", "other"):
        result(tmp_path / name)
    (tmp_path / "run_empty").mkdir()
    for pattern in ("run_*", "run_*/timewarp.json"):
        assert {run.folder for run in collect(tmp_path, pattern).runs} == {"run_1", "run_2"}


def test_what_is_being_written_is_not_looked_at(tmp_path: Path) -> None:
    result(tmp_path / "run")
    result(tmp_path / "run" / ".mtbsync-abc")
    assert [run.folder for run in collect(tmp_path).runs] == ["run"]


def test_one_sync_s_own_folder_can_be_named(tmp_path: Path) -> None:
    result(tmp_path / "run", new=None)
    assert [(run.run, run.folder) for run in collect(tmp_path / "run").runs] == [("run", ".")]


@pytest.mark.parametrize("pattern", ["", "/etc/*"])
def test_a_pattern_that_is_none_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(InputError, match="a pattern is like"):
        collect(tmp_path, pattern)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no folder"):
        collect(tmp_path / "none")


def test_syncs_of_one_run_side_by_side_all_count(tmp_path: Path) -> None:
    result(tmp_path / "xfeat")
    result(tmp_path / "orb")
    assert len(collect(tmp_path).runs) == 2


JOBS = ("0123456789abcdef", "fedcba9876543210")


def test_of_the_trails_that_the_daemon_tried_the_best_counts(tmp_path: Path) -> None:
    job = tmp_path / "syncs" / JOBS[0]
    result(job / "t1", verdict="reject", margin=0.9, day=3)
    result(job / "t2", verdict="accept", margin=0.5, day=1)
    result(job / "t3", verdict="accept", margin=0.4, day=2)
    assert [run.folder for run in collect(tmp_path).runs] == [f"syncs/{JOBS[0]}/t2"]


def test_a_run_that_the_daemon_synced_again_counts_once_with_the_newest(tmp_path: Path) -> None:
    syncs = tmp_path / "syncs"
    result(syncs / JOBS[0] / "s", margin=0.9, day=1)
    result(syncs / JOBS[1] / "t", margin=0.3, day=2)
    result(syncs / JOBS[1] / "u", new={"files": ["other.mp4"], "fingerprint": "other"}, day=1)
    assert [(run.folder, run.margin) for run in collect(syncs).runs] == [
        (f"{JOBS[1]}/t", 0.3),
        (f"{JOBS[1]}/u", 0.86),
    ]


def test_a_map_fitted_anew_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    results = result(tmp_path / "syncs" / JOBS[0] / "t", margin=0.9, day=1)
    (results / "new_markers.csv").write_text(MARKERS, encoding="utf-8")
    result(results / "anchored", margin=0.6, day=2, perf=None)
    run = one(tmp_path)
    assert (run.margin, run.folder) == (0.6, f"syncs/{JOBS[0]}/t/anchored")
    assert (run.total_s, run.n_placed) == (3.6, 2)


# --- judging -------------------------------------------------------------------------------------------


def test_a_good_run_passes(good: RunQuality) -> None:
    assert fails(good, STRICT_GATES) == []


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"inlier_frac": 0.49}, "Inlier share 49%; at least 50% are asked for."),
        ({"p90_s": 1.01}, "P90 residual 1.01 s; 1 s is the limit."),
        ({"model": "affine", "ppm": -501.0}, "Drift -501 ppm; 500 ppm is the limit."),
        ({"verdict": "reject", "reasons": ("Not the same trail.",)}, "Not the same trail."),
        ({"verdict": "reject", "reasons": ()}, "It was rejected."),
        ({"p90_s": None}, "Its files tell no P90 residual."),
        ({"model": "affine", "ppm": None}, "Its files tell no drift."),
    ],
)
def test_each_gate_fails_by_itself(good: RunQuality, changed: dict[str, Any], reason: str) -> None:
    assert fails(replace(good, **changed), STRICT_GATES) == [reason]


@pytest.mark.parametrize(
    "changed",
    [
        {"inlier_frac": 0.5},
        {"p90_s": 1.0},
        {"model": "affine", "ppm": 500.0},
        {"model": "curve", "ppm": 1e6},
        {"model": "curve", "ppm": None},
    ],
)
def test_what_just_reaches_a_gate_passes_and_a_curve_has_no_drift(
    good: RunQuality, changed: dict[str, Any]
) -> None:
    assert fails(replace(good, **changed), STRICT_GATES) == []


def test_several_reasons_are_all_told(good: RunQuality) -> None:
    assert len(fails(replace(good, inlier_frac=0.1, p90_s=9.0, model="affine", ppm=9e9), STRICT_GATES)) == 3


# --- all together ----------------------------------------------------------------------------------------

SHARES = st.floats(0, 1)
BASE = RunQuality(
    run="run",
    reference=None,
    folder="run",
    recording=None,
    made_at=1e9,
    verdict="accept",
    reasons=(),
    model="curve",
    confidence_n=tenths([]),
    stage_s={},
    **dict.fromkeys(
        (
            *("ppm", "inlier_frac", "verified_frac", "mae_s", "p50_s", "p90_s", "p95_s", "coverage"),
            *("margin", "expected_error_s", "n_markers", "n_placed", "n_review", "total_s", "fps"),
            *("n_pictures", "cpu_pct", "rss_mb", "gpu_util", "gpu_mem_mb"),
        )
    ),
)
RUNS = st.lists(
    st.builds(
        partial(replace, BASE),
        run=st.sampled_from(["a", "b<c>", "d"]),
        verdict=st.sampled_from(["accept", "reject", None]),
        model=st.sampled_from(["curve", "affine", None]),
        ppm=st.none() | st.floats(-1e12, 1e12),
        inlier_frac=st.none() | SHARES,
        p90_s=st.none() | st.floats(0, 1e12),
        confidence_n=st.lists(SHARES, max_size=3).map(tenths),
        stage_s=st.dictionaries(st.sampled_from(["match", "warp"]), st.floats(0, 1e12)),
    ),
    max_size=4,
)
few = settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.generate])


@given(st.lists(SHARES))
def test_every_confidence_is_in_one_tenth(confidences: list[float]) -> None:
    assert sum(tenths(confidences)) == len(confidences)


@given(st.integers(0, 9))
def test_a_tenth_begins_at_its_lower_end(k: int) -> None:
    assert tenths([k / 10])[k] == 1


def test_full_confidence_is_in_the_last_tenth() -> None:
    assert tenths([1.0, 0.95, 0.8999])[-2:] == (1, 2)


@few
@given(RUNS)
def test_a_summary_is_of_its_runs(runs: list[RunQuality]) -> None:
    found = summary(runs, STRICT_GATES)
    assert 0 <= found.n_passed <= found.n == len(runs)
    assert sum(found.confidence_n) == sum(sum(run.confidence_n) for run in runs)
    for measure in MEASURES:
        values = [value for run in runs if (value := measure.of(run)) is not None]
        spread = found.spreads.get(measure.field)
        assert (spread is None) == (not values)
        if spread is not None:
            assert spread.n == len(values)
            assert min(values) <= spread.median <= max(values)
            assert spread.worst == (max(values) if measure.worse == "high" else min(values))


@few
@given(RUNS)
def test_rows_and_documents_hold_every_run(runs: list[RunQuality]) -> None:
    rows = rows_of(runs, STRICT_GATES)
    assert [row["run"] for row in rows] == [run.run for run in runs]
    assert len({tuple(row) for row in rows}) <= 1
    assert all(f"{stage}_s" in row for row in rows for stage in stages_of(runs))
    json.dumps(document(Collected(tuple(runs), ()), STRICT_GATES), allow_nan=False)


def test_csv_holds_the_chosen_fields_in_order(good: RunQuality) -> None:
    rows = rows_of([good, replace(good, p90_s=None, run='a "b", c', stage_s={})], STRICT_GATES)
    text = as_csv(rows, ["strict_ok", "run", "match_s", "p90_s"])
    assert list(csv.reader(io.StringIO(text))) == [
        ["strict_ok", "run", "match_s", "p90_s"],
        ["True", "GX010034.MP4", "0.4", "0.08"],
        ["False", 'a "b", c', "", ""],
    ]


# --- the report ------------------------------------------------------------------------------------------


def test_the_report_needs_nothing_else_and_escapes_names(good: RunQuality) -> None:
    named = replace(good, run="<script>alert(1)</script>'\"&", folder="<b>")
    text = quality_page(Collected((named,), ("<i>x</i> is damaged.",)), STRICT_GATES, "<root>", DAY_1)
    assert not re.search(r"https?://|<script|<b>|<i>|<root>|\bsrc=|\bhref=|@import|url\(", text)
    assert "&lt;script&gt;alert(1)" in text
    assert "default-src 'none'" in text


@few
@given(RUNS)
def test_a_report_can_be_drawn_of_any_runs(runs: list[RunQuality]) -> None:
    text = quality_page(Collected(tuple(runs), ()), STRICT_GATES, "any", DAY_1)
    assert "nan" not in text
    assert text.count("<tr><th scope='row'>") == len(runs) + len(summary(runs, STRICT_GATES).spreads)


def test_the_report_draws_each_run_in_order_of_time(good: RunQuality) -> None:
    runs = (replace(good, made_at=DAY_1 + 2.0, p90_s=2.0), replace(good, made_at=DAY_1 + 1.0, p90_s=0.5))
    text = quality_page(Collected(runs, ()), STRICT_GATES, "two", DAY_1)
    chart = text[text.index("P90 residual <span>") : text.index("Inlier share <span>")]
    passed, failed = re.search(r"cx='([\d.]+)'", chart), re.search(r"class='bad' d='M([\d.]+)", chart)
    assert passed is not None
    assert failed is not None
    assert float(passed[1]) < float(failed[1])


@given(st.floats(1e-9, 1e12))
def test_an_axis_has_a_few_round_steps(most: float) -> None:
    step = round_step(most)
    assert most / 4 * (1 - 1e-6) <= step <= most * (1 + 1e-6)
    assert f"{step:e}"[0] in "125"


# --- in the daemon -----------------------------------------------------------------------------------------


def asked(root: Path, **params: Any) -> dict[str, Any]:
    return task.run({"root": str(root), "looking_s": {}, "is_report": False} | params, Silent())


def test_before_the_first_sync_there_is_nothing(tmp_path: Path) -> None:
    assert asked(tmp_path / "syncs")["summary"]["n"] == 0
    assert "Runs in numbers" in asked(tmp_path / "syncs", is_report=True)["report"]


def test_the_time_it_took_to_look_at_a_run_counts_once(tmp_path: Path) -> None:
    late = PERF | {"stages_sec": {"match": 0.5}, "total_sec": 0.6, "frames": {}, "fps": {}}
    result(tmp_path / "a", day=2, perf=late)
    result(tmp_path / "b", day=1)
    after, own = asked(tmp_path, looking_s={"f34": 7.0, "other": 1.0})["runs"]
    assert (after["stage_s"], after["total_s"]) == ({"index_new": 7.0, "match": 0.5}, 7.6)
    assert (own["stage_s"]["index_new"], own["total_s"]) == (1.0, 3.6)


def test_jobs_tell_how_long_they_looked_at_a_recording(tmp_path: Path) -> None:
    store = Store(tmp_path / "library.sqlite", tmp_path / "backups")
    for name in ("run", "ref"):
        row = recordings.row_of(name, f"{name}.MP4", 8.0, {})
        store.write(recordings.add, row, tmp_path / f"{name}.MP4")
    job, _ = store.write(jobs.enqueue, Kind.SYNC, {}, "x", recording_id="run")
    stages = {"Looking at run.MP4": 7.5, "Looking at ref.MP4": 9.0, "Lining the two runs up": 0.5}
    store.write(jobs.end, job, State.DONE, stages_s=stages)
    assert store.read(jobs.looking_s) == {"run": 7.5}
    store.close()


def test_reading_results_takes_no_heavy_library() -> None:
    code = "import mtbsync_daemon.quality_page, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"numpy", "scipy", "av", "cv2", "matplotlib", "rich"}
