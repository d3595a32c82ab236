"""The existing mtbsync 0.10.12 from PyPI on the same pairs, as its users run it, and ours beside it.

Each is given the videos and the reference's markers, one for each second of it, and starts from nothing. The
peer takes many minutes for a minute of video, so what it did is kept, by the content of the videos.
"""

from __future__ import annotations

import csv
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track
from scripts.bench import BUILD
from scripts.bench.alone import Cost, run_alone
from scripts.bench.foreign import ffmpeg_folder, program_of, python_with
from scripts.bench.pairs import Pair, made_pairs, stored_pairs
from scripts.bench.results import Result, content_key, load, save
from scripts.bench.tables import NOTHING, Finding, Row, errors, table
from scripts.bench.truth import Truth, summary, truth_of

from mtbsync_engine.model import FloatArray

HEADING = "The existing mtbsync"
VERSION = "0.10.12"
_HOME = BUILD / "peer"
_CPU_LIMIT_S = 20 * 60.0
_KINDS = ("variable_speed", "season")
_MARKER_STEP_S = 1.0
# Raised whenever the same videos would be run or read otherwise.
_PROCEDURE = 2
_OWN = Path(sys.executable).with_name("mtbsync")
# Where every picture has as many key points as the next, as it is with much detail, the peer's index becomes
# one block that it cannot use: "No valid matches found". This makes of it the list that it was meant to be.
_REPAIR_INDEX = """
import numpy as np
kept = dict(np.load("index.npz", allow_pickle=True))
is_block = kept["desc"].ndim > 1
for name, dtype in (("kpts", np.float32), ("desc", np.uint8)):
    rows = np.empty(len(kept[name]), dtype=object)
    for k, row in enumerate(kept[name]):
        rows[k] = np.asarray(row, dtype=dtype)
    kept[name] = rows
np.savez_compressed("index.npz", **kept)
print(is_block)
"""
# The peer's own fit of the pairs that it found, but with nothing refused.
_OPEN_GATES = """
import csv, json, sys
from mtbsync.match.timewarp import fit_timewarp
with open("pairs_raw.csv", newline="") as file:
    pairs = [(float(row["t_new"]), float(row["t_ref"])) for row in csv.DictReader(file)]
fit = fit_timewarp(pairs, max_ppm=float("inf"), min_inlier_frac=0.0)
del fit["warp"]
with open("timewarp.json", "w") as file:
    json.dump(fit, file)
"""


def run(*, kept_only: bool = False) -> Result:
    """Both programs on every stored pair and a few made ones; with `kept_only` on those that the peer has
    been through before."""
    pairs = [*stored_pairs(), *made_pairs((0,), _KINDS)]
    wanted = [pair for pair in pairs if not kept_only or _kept_at(pair).exists()]
    rows = []
    for pair in track(wanted, "The peer"):
        truth = truth_of(pair).every(_MARKER_STEP_S)
        rows.append({"pair": pair.name, "peer": _kept_peer(pair, truth), "own": _own(pair, truth)})
    return {"rows": rows, "left_out": [pair.name for pair in pairs if pair not in wanted]}


def _kept_at(pair: Pair) -> Path:
    key = content_key([pair.ref, pair.new, pair.truth], VERSION, _CPU_LIMIT_S, _PROCEDURE)
    return _HOME / f"{key}.json"


def _kept_peer(pair: Pair, truth: Truth) -> dict[str, Any]:
    """What the peer does on a pair, measured unless it was before."""
    kept = load(_kept_at(pair))
    if kept is None:
        kept = {"name": pair.name, **_peer(pair, truth)}
        save(_kept_at(pair), kept)
    return kept


def _peer(pair: Pair, truth: Truth) -> dict[str, Any]:
    program, tools = _installed()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        costs: list[Cost] = []

        def run_step(*words: str | Path) -> str | None:
            """Why it failed, or None."""
            left_s = _CPU_LIMIT_S - sum(cost.cpu_s for cost in costs)
            ran = run_alone([program, *words], cwd=folder, path=tools, cpu_limit_s=left_s)
            costs.append(ran.cost)
            if ran.status is None:
                return "It was stopped at the limit."
            return None if ran.status == 0 else ran.output.strip()[-300:]

        def run_inside(code: str) -> str:
            done = subprocess.run(
                [program_of(program, "python"), "-c", code],
                cwd=folder,
                check=True,
                capture_output=True,
                encoding="utf-8",
            )
            return done.stdout.strip()

        repaired = False
        failed = run_step("index", "--reference", pair.ref, "--out", "index.npz")
        if failed is None:
            repaired = run_inside(_REPAIR_INDEX) == "True"
            videos = ("--reference", pair.ref, "--new", pair.new)
            failed = run_step("sync", *videos, "--index", "index.npz", "--out", "pairs.csv")
        if failed is not None:
            return {"failed": failed, "repaired": repaired, "cost": _summed(costs)}
        refused = not (folder / "timewarp.json").exists()
        if refused:
            run_inside(_OPEN_GATES)
        markers = _write_markers(folder / "markers.csv", truth)
        run_step(
            "transfer-markers",
            *("--ref-markers", markers, "--timewarp-json", "timewarp.json", "--out", "placed.csv"),
        )
        placed = read_placed(folder / "placed.csv", "t_new_est", len(truth.t_ref))
        return {
            "repaired": repaired,
            "refused": refused,
            **summary(truth.off_s(placed)),
            "cost": _summed(costs),
        }


def _own(pair: Pair, truth: Truth) -> dict[str, Any]:
    """This project's own program, from the videos to the markers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        markers = _write_markers(folder / "markers.csv", truth)
        ran = run_alone(
            [_OWN, "sync", "-r", pair.ref, "-n", pair.new, "-m", markers, "-o", folder / "out"],
            cwd=folder,
            cpu_limit_s=_CPU_LIMIT_S,
        )
        if not (folder / "out" / "new_markers.csv").exists():
            return {"failed": ran.output.strip()[-300:], "cost": asdict(ran.cost)}
        placed = read_placed(folder / "out" / "new_markers.csv", "t_new", len(truth.t_ref))
        n_placed = int(np.isfinite(placed).sum())
        return {"n_placed": n_placed, **summary(truth.off_s(placed)), "cost": asdict(ran.cost)}


def _write_markers(path: Path, truth: Truth) -> Path:
    rows = "".join(f"{k},marker {k},{t_ref:.4f}\n" for k, t_ref in enumerate(truth.t_ref))
    path.write_text("marker_id,name,t_ref\n" + rows, encoding="ascii", newline="\n")
    return path


def read_placed(path: Path, column: str, n_markers: int) -> FloatArray:
    """Times in `column` by marker number, nan for markers that got none."""
    t_new = np.full(n_markers, np.nan)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row[column]:
                t_new[int(row["marker_id"])] = float(row[column])
    return t_new


def _summed(costs: list[Cost]) -> dict[str, float]:
    """What programs cost that ran one after the other."""
    return {
        "wall_s": sum(cost.wall_s for cost in costs),
        "cpu_s": sum(cost.cpu_s for cost in costs),
        "peak_mb": max(cost.peak_mb for cost in costs),
    }


def _installed() -> tuple[Path, Path | None]:
    """The peer's program in an environment of its own, and the folder of ffmpeg unless the system has it."""
    python = python_with("peer-venv", f"mtbsync=={VERSION}")
    return program_of(python, "mtbsync"), ffmpeg_folder(python)


def findings(result: Result) -> list[Finding]:
    """How far the peer is left behind."""
    both = [row for row in result["rows"] if "failed" not in row["peer"] and "failed" not in row["own"]]
    if not both:
        return []
    slower = statistics.median(_ratio(row, "cpu_s") for row in both)
    farther = statistics.median(_ratio(row, "p90_s") for row in both)
    us = f"mtbsync {VERSION} over ours, typical of {len(both)} pairs"
    return [
        Finding(f"Processor seconds of {us}", "100", f"{slower:.1f}", slower >= 100),
        Finding(f"Marker P90 of {us}", "5", f"{farther:.1f}", farther >= 5),
    ]


def show(result: Result) -> Iterator[str]:
    """A table of the pairs."""
    yield (
        f"mtbsync {VERSION} from PyPI in an environment of its own, by its commands `index`, `sync` and "
        "`transfer-markers` with their defaults; ours by `sync`. Each starts from nothing: videos and a "
        "marker for each second in, placed markers out. Errors are median / P90 / largest in seconds; "
        "times are processor seconds with all that is started."
    )
    yield (
        "*Repaired*: every picture has as many key points as the next, and of those its index becomes a "
        'block that it cannot use; as released it ends here with "No valid matches found", so the index was '
        "put right for it. *Refused*: its gates let nothing through, so it places no marker; the errors "
        "are then those of its own fit with the gates opened (any drift, any share of inliers). "
        f"*Failed*: it ends with an error, or is stopped after {_CPU_LIMIT_S / 60:.0f} minutes of the "
        "processor. What it did on this machine is kept by the content of the videos; ours is measured "
        "each time."
    )
    heads = (
        "pair",
        VERSION,
        "its errors",
        "our errors",
        "its time",
        "our time",
        "ratio of times",
        "ratio of P90",
    )
    yield table(heads, [_cells(row) for row in result["rows"]])
    if result["left_out"]:
        yield f"Not measured here yet: {', '.join(result['left_out'])}."


def _cells(row: Row) -> tuple[str, ...]:
    peer, own = row["peer"], row["own"]
    failed = "failed" in peer
    return (
        row["pair"],
        ("repaired, " if peer["repaired"] else "")
        + ("failed" if failed else "refused" if peer["refused"] else "placed"),
        NOTHING if failed else errors(peer),
        NOTHING if "failed" in own else errors(own),
        f"{peer['cost']['cpu_s']:.0f}",
        f"{own['cost']['cpu_s']:.1f}",
        f"{_ratio(row, 'cpu_s'):.1f}",
        NOTHING if failed or "failed" in own else f"{_ratio(row, 'p90_s'):.1f}",
    )


def _ratio(row: Row, key: str) -> float:
    """The peer's over ours."""
    peer, own = (row[who]["cost"] if key == "cpu_s" else row[who] for who in ("peer", "own"))
    ratio: float = peer[key] / own[key]
    return ratio
