"""`mtbsync benchmark-quality` over what real syncs left, and the same asked of the daemon."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from support.program import mtbsync, state
from support.served import served

pytestmark = pytest.mark.long


@pytest.fixture
def results(synced: Path, tmp_path: Path) -> Path:
    """A folder with what `sync` wrote for one run, and a copy of it that fails the strict gates."""
    root = tmp_path / "results"
    for name, p90_s in (("good", None), ("bad", 2.5)):
        folder = root / name
        folder.mkdir(parents=True)
        for file in ("timewarp.json", "perf.json", "new_markers.csv"):
            shutil.copy2(synced / file, folder)
        if p90_s is not None:
            document = json.loads((folder / "timewarp.json").read_text(encoding="utf-8"))
            document["residuals"]["p90"] = p90_s
            (folder / "timewarp.json").write_text(json.dumps(document), encoding="utf-8")
    return root


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_real_sync_is_shown_with_its_numbers(synced: Path, tmp_path: Path) -> None:
    outcome = mtbsync("benchmark-quality", "--root", synced, "--json", "--csv", tmp_path / "runs.csv")
    assert outcome.status == 0, outcome.err
    noted = json.loads((synced / "timewarp.json").read_text(encoding="utf-8"))
    cost = json.loads((synced / "perf.json").read_text(encoding="utf-8"))
    (run,) = outcome.document["runs"]
    assert run["run"] == "new.mp4"
    assert run["reference"] == "ref.mp4"
    assert run["recording"] == noted["new"]["fingerprint"]
    assert run["p90_s"] == noted["residuals"]["p90"]
    assert run["stage_s"] == cost["stages_sec"]
    assert run["fps"] > 0
    assert (run["n_markers"], run["n_placed"]) == (noted["markers"]["n"], noted["markers"]["placed"])
    assert sum(run["confidence_n"]) == run["n_placed"]
    assert run["fails"] == []
    assert outcome.document["summary"]["n_passed"] == 1
    (row,) = rows(tmp_path / "runs.csv")
    assert float(row["p90_s"]) == noted["residuals"]["p90"]
    assert float(row["match_s"]) == cost["stages_sec"]["match"]
    assert row["strict_ok"] == "True"


def test_strict_fails_when_a_run_does_and_says_which_and_why(results: Path) -> None:
    relaxed = mtbsync("benchmark-quality", "--root", results)
    assert relaxed.status == 0
    assert "2 runs, 1 of them pass the strict gates" in relaxed.out
    strict = mtbsync("benchmark-quality", "--root", results, "--strict", "--quiet")
    assert (strict.status, strict.out) == (1, "")
    assert strict.err == "new.mp4 (bad) fails: P90 residual 2.50 s; 1 s is the limit.\n"
    assert mtbsync("benchmark-quality", "--root", results / "good", "--strict").status == 0


def test_with_json_the_status_is_in_the_document(results: Path) -> None:
    outcome = mtbsync("benchmark-quality", "--root", results, "--strict", "--json")
    assert (outcome.status, outcome.document["ok"]) == (1, False)
    assert outcome.document["gates"] == {"min_inlier_frac": 0.5, "max_p90_s": 1.0, "max_ppm": 500.0}


def test_p10_nothing_found_is_status_2_and_no_folder_status_1(tmp_path: Path) -> None:
    nothing = mtbsync("benchmark-quality", "--root", tmp_path, "--html", tmp_path / "out.html")
    assert (nothing.status, nothing.out) == (2, "")
    assert "No results of `mtbsync sync` were found" in nothing.err
    assert not (tmp_path / "out.html").exists()
    missing = mtbsync("benchmark-quality", "--root", tmp_path / "none")
    assert missing.status == 1
    assert "There is no folder" in missing.err


def test_p10_a_damaged_file_is_named_and_the_others_are_shown(results: Path) -> None:
    (results / "bad" / "timewarp.json").write_text("{", encoding="utf-8")
    outcome = mtbsync("benchmark-quality", "--root", results, "--json", "--strict")
    assert outcome.status == 0
    assert [run["folder"] for run in outcome.document["runs"]] == ["good"]
    assert re.fullmatch(r"Left out: .*bad.timewarp\.json is damaged; .*\n", outcome.err)


def test_fields_choose_the_columns(results: Path, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    outcome = mtbsync("benchmark-quality", "--root", results, "--csv", path, "--fields", "folder, p90_s")
    assert outcome.status == 0
    assert [list(row) for row in rows(path)] == [["folder", "p90_s"]] * 2
    assert "strict_ok" not in outcome.out
    unknown = mtbsync("benchmark-quality", "--root", results, "--fields", "p90_s,speed")
    assert unknown.status == 2
    assert "There is no field speed; there are run, " in unknown.err


def test_a_folder_gets_everything_under_the_names_that_scripts_know(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "benchmark_out"
    outcome = mtbsync("benchmark-quality", "--root", results, "--out", out)
    assert outcome.status == 0
    assert {path.name for path in out.iterdir()} == {
        f"benchmark_quality.{kind}" for kind in ("html", "csv", "json")
    }
    document: dict[str, Any] = json.loads((out / "benchmark_quality.json").read_text(encoding="utf-8"))
    assert [run["folder"] for run in document["runs"]] == [
        row["folder"] for row in rows(out / "benchmark_quality.csv")
    ]
    page = (out / "benchmark_quality.html").read_text(encoding="utf-8")
    assert "P90 residual 2.50 s; 1 s is the limit." in page
    assert not re.search(r"https?://|<script|\bsrc=|@import|url\(", page)


def test_what_follows_a_flag_of_before_never_becomes_a_file(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = mtbsync("benchmark-quality", "--root", results, "--html", "--strict")
    assert outcome.status == 2
    assert "--html takes the file to write, not '--strict'" in outcome.err
    assert not (tmp_path / "--strict").exists()


def test_results_are_only_read_and_never_written_over(results: Path) -> None:
    before = state(results)
    refused = mtbsync("benchmark-quality", "--root", results, "--csv", results / "good" / "new_markers.csv")
    assert refused.status == 1
    assert "is one of the files that are read" in refused.err
    assert state(results) == before


def test_limit_and_pattern_choose_the_results(results: Path) -> None:
    def folders(*options: object) -> list[str]:
        found = mtbsync("benchmark-quality", "--root", results, "--json", *options).document["runs"]
        return [run["folder"] for run in found]

    # The copy was written later.
    assert folders() == ["bad", "good"]
    assert folders("--limit", 1) == ["bad"]
    assert folders("--pattern", "g*") == ["good"]


def test_the_daemon_tells_the_same_and_gives_the_report(synced: Path, tmp_path: Path) -> None:
    with served(tmp_path) as daemon:
        assert daemon.get("/quality")["runs"] == []
        folder = daemon.services.places.artifacts / "syncs" / "0123456789abcdef" / "trail"
        shutil.copytree(synced, folder)
        told = daemon.get("/quality")
        (run,) = mtbsync("benchmark-quality", "--root", folder.parents[1], "--json").document["runs"]
        assert told["runs"] == [run]
        report = daemon.ask("GET", "/api/v1/quality/report")
        assert report.status == 200
        assert report.headers["Content-Disposition"] == "attachment; filename=runs-in-numbers.html"
        assert b"new.mp4" in report.body
