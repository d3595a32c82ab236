"""docs/benchmarks.md: what was measured stands in it beside its goal."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from scripts.bench.page import PARTS, render
from scripts.bench.tables import table

_DONE = {"machine": "2 cores", "took_s": 90.0}
_COST = {"cpu_s": 8.0, "wall_s": 5.0, "peak_mb": 210.4}
_ERRORS = {"median_s": 0.02, "p90_s": 0.08, "max_s": 0.7}


def _pair(**other: Any) -> dict[str, Any]:
    """Ten markers off by 0.01 to 0.1 s."""
    return {
        "pair": "sample",
        "matcher": "orb",
        "variant": "as it is",
        "decision": "accept",
        "margin": 0.9,
        "marker": _ERRORS,
        "place": _ERRORS,
        "off_s": [0.01 * k for k in range(1, 11)],
        "n": 20,
        "n_placed": 10,
        "n_flagged": 1,
        "n_missed": 2,
        "n_within": 9,
        "n_precise": 5,
        "n_precise_within": 5,
        **other,
    }


def _found(**other: Any) -> dict[str, Any]:
    """A run that found its trail, and was let in nowhere without it."""
    return {
        "pair": "sample",
        "matcher": "orb",
        "score": 12.0,
        "next": 0.8,
        "place": 1,
        "found": "right",
        "unknown": "nobody's",
        "took_s": 0.07,
        **other,
    }


_OFF = {
    **{"offset_s": 5.0, "drift_ppm": 19.0, "score": 12.0, "error_ms": 2.0, "took_s": 0.2},
    **{"off_ms": 1.0, "worst_ms": 1.5},
}


def _heard(kind: str, condition: str, own: dict[str, Any]) -> dict[str, Any]:
    """A pair that one other program could be asked about."""
    answers = {"ours": own, "audio-offset-finder": {**_OFF, "off_ms": 6.0, "error_ms": None}}
    return {"kind": kind, "condition": condition, "drift_ppm": 20.0, "answers": answers}


_CLIP = {"clip": "HEVC", "matcher": "orb", "footage_s": 8, "decoding_cpu_s": 2.0, "indexing_cpu_s": 4.0}
_GROWN = {"n_pictures": 180, "decision": "accept", "indexing": _COST, "aligning": _COST}
_FIT = {"repaired": True, "refused": True, "cost": {**_COST, "cpu_s": 800.0}}
RESULTS: dict[str, dict[str, Any]] = {
    "accuracy": {
        "rows": [_pair(), {"pair": "night", "matcher": "orb", "failed": "Nothing in common."}],
        "crosses": [
            {"new": "a", "ref": "b", "matcher": "orb", "decision": "accept", "margin": 0.6},
            {"new": "b", "ref": "a", "matcher": "orb", "decision": "reject", "margin": 0.1},
        ],
    },
    "ablation": {"rows": [_pair(), {"pair": "sample", "variant": "without", "failed": "Nothing."}]},
    "identify": {
        "rows": [_found(), _found(place=2, score=0.9, next=1.1, found="nobody's", unknown="wrong")],
        "n_trails": 58,
        "grown": [{"n_trails": n, "added_s": 0.05 * n, "took_s": 0.2} for n in (10, 500)],
    },
    "speed": {
        "rows": [
            {
                "pair": "sample",
                "matcher": "xfeat",
                "new_s": 33.0,
                "ref_s": 37.0,
                "n_decoded": 990,
                "n_described": 99,
                "decoding": _COST,
                "indexing": _COST,
                "aligning": _COST,
            }
        ]
    },
    "codecs": {"rows": [{**_CLIP, "decoding_wall_s": 1.0, "indexing_wall_s": 1.5}]},
    "daemon": {
        "rows": [],
        "soak": {
            "n_jobs": 2000,
            "took_s": 90.0,
            "n_requests": 4000,
            "p50_ms": 3.0,
            "p99_ms": 14.0,
            "max_ms": 80.0,
            "half": {"n_done": 1001, "mb": 60.0, "n_files": 30, "n_threads": 12, "n_children": 1},
            "end": {"n_done": 2000, "mb": 61.5, "n_files": 30, "n_threads": 12, "n_children": 1},
        },
        "busy": {
            "n_rides": 10,
            "took_s": 30.0,
            "n_requests": 900,
            "p50_ms": 3.0,
            "p99_ms": 61.0,
            "max_ms": 80.0,
        },
        "idle": {
            "n_recordings": 10_000,
            "n_trails": 50,
            "cpu": 0.004,
            "mb": 70.0,
            "n_files": 30,
            "n_threads": 12,
            "n_children": 0,
        },
    },
    "growth": {
        "rows": [{"minutes": m, **_GROWN} for m in (10, 60)],
        "exponents": {"indexing": 1.01, "aligning": 1.4},
    },
    "peer": {
        "left_out": [],
        "rows": [
            {"pair": "sample", "peer": {**_ERRORS, **_FIT}, "own": {**_ERRORS, "p90_s": 0.04, "cost": _COST}},
            {
                "pair": "corridor",
                "peer": {"failed": "No.", "repaired": False, "cost": _COST},
                "own": {**_ERRORS, "cost": _COST},
            },
        ],
    },
    "sound": {
        "missing": {"syncstart": "exit status 1"},
        "grown": [{"minutes": 60, "n_placed": 2, "worst_ms": 3.0, "cost": _COST}],
        "rows": [
            _heard("event", "wind", _OFF),
            _heard("event", "wind", {**_OFF, "off_ms": 41.0, "worst_ms": 50.0}),
            _heard("event", "a hall", {"failed": "nothing tells"}),
            _heard("long", "drift +20 ppm", _OFF),
            _heard("strangers", "one speaker", {**_OFF, "score": 9.5}),
            _heard("strangers", "one speaker", {**_OFF, "score": 10.5}),
        ],
    },
}


def _lines(part: str) -> list[str]:
    return render({part: {**RESULTS[part], **_DONE}}).splitlines()


def test_there_is_a_result_of_every_part_here() -> None:
    assert set(RESULTS) == set(PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_every_table_is_whole(part: str) -> None:
    lines = _lines(part)
    rows = [line for line in lines if line.startswith("|")]
    assert rows
    for before, line in pairwise(lines):
        if before.startswith("|") and line.startswith("|"):
            assert before.count("|") == line.count("|"), line


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ("accuracy", "| Markers of 1 pairs: median error | 0.033 s | 0.055 s | no |"),
        ("accuracy", "| Markers of 1 pairs: P90 of the error | 0.1 s | 0.091 s | yes |"),
        ("accuracy", "| Markers of 1 pairs: within the stated error | 88% to 95% | 90% | yes |"),
        ("accuracy", "| Markers of 1 pairs: the same, if stated to 0.1 s | 88% to 95% | 100% | no |"),
        ("accuracy", "| Let in, of 2 pairs of different trails | 0 | 1 | no |"),
        ("accuracy", "| ORB | 2 | a on b | 0.60 |"),
        ("identify", "| The right trail in the shortlist, of 2 runs among 58 trails | 99% | 100% | yes |"),
        ("identify", "| Given to a wrong trail, of 2 runs among 58 trails | 0 | 0 | yes |"),
        ("identify", "| Let in where their trail is not known, of 2 runs among 58 trails | 0 | 1 | no |"),
        ("identify", "| ORB | 2 | 50% | 100% | 0.9 | 1.1 | 1 / 0 / 1 | 1 | 0.07 s |"),
        ("codecs", "| Indexing over bare decoding with ORB, worst of 1 clips | 1.3 | 1.50 | no |"),
        ("daemon", "| Answers while jobs run, P99 | under 50 ms | 61 ms | no |"),
        ("daemon", "| Memory over the second half of 2000 jobs | level | +1.5 MB | yes |"),
        ("daemon", "| Idle: one core's share | under 1 % | 0.40 % | yes |"),
        ("daemon", "| Idle: memory | under 150 MB | 70 MB | yes |"),
        ("growth", "| Growth of indexing with length, as a power | about 1 | 1.01 | yes |"),
        ("growth", "| Growth of aligning with length, as a power | about 1 | 1.40 | no |"),
        ("growth", "| 10 minutes lined up with 10, both indexed | 2 s | 5.0 s | no |"),
        (
            "peer",
            "| Processor seconds of mtbsync 0.10.12 over ours, typical of 1 pairs | 100 | 100.0 | yes |",
        ),
        (
            "peer",
            "| Marker P90 of mtbsync 0.10.12 over ours, typical of 1 pairs | 5 | 2.0 | no |",
        ),
        ("sound", "| Sounds of 3 pairs that look good: P95 of the error | 1 ms | 37.00 ms | no |"),
        ("sound", "| Sounds that look good and are not, of 6 pairs | 0 | 2 | no |"),
        ("sound", "| Sounds: within the stated error | 88% | 67% | no |"),
        ("sound", "| Three cameras of 60 minutes lined up by sound: memory | 500 MB | 210 MB | yes |"),
        ("sound", "| wind | 2 | 21.00 / 39.00 | 1 | 6.00 / 6.00 | 2 | - | - | 2 | 50% |"),
        ("sound", "| a hall | 1 | - | 0 | 6.00 / 6.00 | 1 | - | - | 0 | - |"),
        ("sound", "| drift +20 ppm | 1.0000 ppm | 1.50 | 1.50 | - |"),
        ("sound", "| one speaker | 2 | 1 (10.5) | 1 | 2 (12.0) |"),
        ("sound", "| 60 | 2 of 2 | 8.0 / 5.0 | 210 | 3.00 |"),
    ],
)
def test_what_was_wanted_stands_beside_what_was_measured(part: str, line: str) -> None:
    assert line in _lines(part)


def test_what_was_not_measured_is_named_and_not_made_up() -> None:
    page = render({"growth": {**RESULTS["growth"], **_DONE}})
    assert "Not measured yet: accuracy, ablation, identify, speed, codecs, daemon, peer, sound." in page
    assert "## Accuracy" not in page
    assert "This took 1.5 minutes." in page


def test_a_page_of_nothing_can_be_written() -> None:
    assert "Not measured yet" in render({})


def test_a_table_in_markdown() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
