"""Measure accuracy and speed on the pairs with known truth, and write docs/benchmarks.md.

Seconds on one machine mean little on another, so indexing is also given as a ratio to the bare decoder on the
same pictures in the same run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from mtbsync_engine.align.fit import FitParams
from mtbsync_engine.align.match import match
from mtbsync_engine.align.refine import RefineParams
from mtbsync_engine.evaluate import Evaluation, evaluate, read_truth
from mtbsync_engine.index.build import build_index
from mtbsync_engine.judge import Gates, Judged
from mtbsync_engine.media import plan_sampling, probe, sample_frames
from mtbsync_engine.model import Index, IndexParams, Recording, Track
from mtbsync_engine.pipeline import fit_and_judge
from mtbsync_engine.telemetry.gpx import read_gpx

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "benchmarks.md"
# Pairs that lie beside a checkout are measured too, where there are any.
FOLDERS = (ROOT / "data", ROOT.parent / "shared" / "data" / "pairs")
PARAMS = IndexParams()
PAGE = """\
# Benchmarks

Written by `make bench` on {cores} cores; {memory_mb:.0f} MB in use at the end, after clips of about a minute.

## Accuracy

Errors are median / P90 / largest, in seconds. *Markers*: t_new for a known t_ref, which is what an editor
sees; where the new run stands still it shows one place for seconds, so large errors there are expected, and
flagged. *Places*: t_ref for a known t_new. *Within*: places within one frame, 0.1 s, 0.3 s. *Stated*: share
of markers within their stated nine-in-ten error. *Missed*: moments half a second off or more without a flag.
The corridor is real footage, and its truth is known to 0.4 s only.

| pair | GPS tracks | verdict | margin | markers | places | within | stated | missed |
|---|---|---|---|---|---|---|---|---|
{accuracy}

## Different trails

Every new run against every reference of another trail, without GPS: all must be rejected.

| new run | reference | verdict | margin |
|---|---|---|---|
{crossed}

## Speed

Seconds of footage (both runs), of decoding alone, of indexing (decoding and describing), their ratio, and
seconds to line the two up once indexed. The goals, not reached yet: a ratio of 1.3, and ten minutes lined up
with ten in two seconds.

| pair | footage | decoding | indexing | ratio | aligning |
|---|---|---|---|---|---|
{speed}
"""


@dataclass(frozen=True)
class Run:
    """One video, indexed: how long it is, and the seconds that decoding and indexing took."""

    recording: Recording
    index: Index
    track: Track | None
    decode_s: float
    index_s: float


def measure_run(video: Path) -> Run:
    recording = probe(video)
    began = time.perf_counter()
    plan = plan_sampling(recording, fps=PARAMS.fps)
    for _ in sample_frames(recording, plan, max_side=PARAMS.max_side_px):
        pass
    decoded = time.perf_counter()
    index = build_index(recording, PARAMS)
    indexed = time.perf_counter()
    gpx = video.with_suffix(".gpx")
    track = read_gpx(gpx) if gpx.exists() else None
    return Run(recording, index, track, decoded - began, indexed - decoded)


def align(new: Run, ref: Run, *, gps: str) -> tuple[Judged, float]:
    """The alignment with tracks of `both` runs, the reference's `one`, or `none`; and its seconds."""
    began = time.perf_counter()
    track_new = new.track if gps == "both" else None
    track_ref = None if gps == "none" else ref.track
    matching, _ = match(new.index, ref.index, RefineParams(), track_new=track_new, track_ref=track_ref)
    judged = fit_and_judge(matching, FitParams(), Gates())
    return judged, time.perf_counter() - began


def accuracy_row(name: str, gps: str, judged: Judged, found: Evaluation) -> str:
    marker, place = found.marker, found.place
    cells = (
        name,
        gps,
        judged.verdict.decision.value,
        f"{judged.quality.margin:.2f}",
        f"{marker.median_s:.3f} / {marker.p90_s:.3f} / {marker.max_s:.3f}",
        f"{place.median_s:.3f} / {place.p90_s:.3f} / {place.max_s:.3f}",
        f"{place.within_frame:.0%} / {place.within_100_ms:.0%} / {place.within_300_ms:.0%}",
        f"{found.calibration:.0%}",
        str(found.n_unflagged),
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    folders = [path for folder in FOLDERS if folder.is_dir() for path in sorted(folder.iterdir())]
    pairs = {path.name: path for path in folders if (path / "truth_map.csv").exists()}
    runs = {name: (measure_run(p / "ref.mp4"), measure_run(p / "new.mp4")) for name, p in pairs.items()}
    accuracy, speed, crossed = [], [], []
    for name, (ref, new) in runs.items():
        t_new, t_ref = read_truth(pairs[name] / "truth_map.csv")
        for gps in ("both", "one", "none") if new.track and ref.track else ("none",):
            judged, align_s = align(new, ref, gps=gps)
            found = evaluate(
                judged.alignment.time_map,
                t_new,
                t_ref,
                frame_s=float(1 / new.recording.rate.fps),
                decision=judged.verdict.decision,
            )
            accuracy.append(accuracy_row(name, gps, judged, found))
        seconds = ref.recording.duration_s + new.recording.duration_s
        decode_s, index_s = ref.decode_s + new.decode_s, ref.index_s + new.index_s
        speed.append(
            f"| {name} | {seconds:.0f} | {decode_s:.2f} | {index_s:.2f} | {index_s / decode_s:.2f} "
            f"| {align_s:.2f} |"
        )
    for new_name, (_, new) in runs.items():
        for ref_name, (ref, _) in runs.items():
            if new_name != ref_name:
                judged, _ = align(new, ref, gps="none")
                verdict, margin = judged.verdict.decision.value, judged.quality.margin
                crossed.append(f"| {new_name} | {ref_name} | {verdict} | {margin:.2f} |")
    page = PAGE.format(
        cores=psutil.cpu_count(),
        memory_mb=psutil.Process().memory_info().rss / 2**20,
        accuracy="\n".join(accuracy),
        crossed="\n".join(crossed),
        speed="\n".join(speed),
    )
    OUT.write_text(page, encoding="utf-8", newline="\n")
    print(f"Written: {OUT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
