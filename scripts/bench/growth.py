"""How seconds and memory grow with the length of the rides, up to an hour against an hour."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from rich.progress import track
from scripts.bench import BUILD, ROOT
from scripts.bench.alone import call_alone
from scripts.bench.indexed import align_saved, make_index
from scripts.bench.results import Result, content_key
from scripts.bench.tables import Finding, Row, memory, table, times

from mtbsync_engine.index.store import save_index
from mtbsync_engine.model import IndexParams
from support.scene import View, seen_by
from support.videos import write_video

HEADING = "Growth with length"
MINUTES = (1, 2, 5, 10, 30, 60)
# Just the pictures that an index wants: at a camera's rate an hour would take a day to render.
RATE = 3
SIZE = (320, 180)
_GOAL_MINUTES, _GOAL_S = 10, 2.0
_GOAL_MB = 500.0
_POWER_GOAL = 1.1
_SEED = 4711
_MPS = 5.0
_VIEWS = {
    "ref": View(seed=1, noise=2.0),
    "new": View(seed=2, lateral_m=0.2, shake_px=2.0, gain=0.85, noise=2.0),
}


def run() -> Result:
    """Both rides of each length, indexed and lined up with the default matcher."""
    folder = _rendered()
    rows = [_measure(folder, minutes) for minutes in track(MINUTES, "Growth")]
    return {"rows": rows, "exponents": exponents(rows)}


def exponents(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The power of length that each stage's processor seconds grow by: 1 is linear."""
    log_length = np.log([row["minutes"] for row in rows])
    return {
        stage: float(np.polyfit(log_length, np.log([row[stage]["cpu_s"] for row in rows]), 1)[0])
        for stage in ("indexing", "aligning")
    }


def _measure(folder: Path, minutes: int) -> dict[str, Any]:
    matcher = IndexParams().matcher
    new, indexing = call_alone(make_index, folder / f"new-{minutes}.mp4", matcher)
    ref, _ = call_alone(make_index, folder / f"ref-{minutes}.mp4", matcher)
    n_pictures = len(new.t_s)
    with TemporaryDirectory() as saved:
        places = Path(saved, "new.npz"), Path(saved, "ref.npz")
        for index, place in zip((new, ref), places, strict=True):
            save_index(index, place)
        judged, aligning = call_alone(align_saved, *places)
    return {
        "minutes": minutes,
        "n_pictures": n_pictures,
        "decision": judged.verdict.decision.value,
        "indexing": asdict(indexing),
        "aligning": asdict(aligning),
    }


def _rendered() -> Path:
    """The folder with rides of every length: the first minutes of one pair that lasts an hour."""
    drawn_by = [ROOT / "tests" / "support" / name for name in ("scene.py", "videos.py")]
    ridden = [(_ref_m(t_s), _new_m(t_s)) for t_s in range(60)]
    folder = BUILD / "growth" / content_key(drawn_by, MINUTES, RATE, SIZE, _SEED, _VIEWS, ridden)
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name, position_m in (("ref", _ref_m), ("new", _new_m)):
            _render(folder, name, position_m, _VIEWS[name])
        (folder / "done").touch()
    return folder


def _render(folder: Path, name: str, position_m: Callable[[float], float], view: View) -> None:
    whole = folder / f"{name}-{MINUTES[-1]}.mp4"
    n_pictures = MINUTES[-1] * 60 * RATE

    def pictures() -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:
        for k in track(range(n_pictures), f"Rendering an hour: {name}"):
            yield seen_by(view, k / RATE, position_m(k / RATE), _SEED, SIZE)

    write_video(whole, pictures(), RATE, gop=RATE)
    for minutes in MINUTES[:-1]:
        _cut(whole, folder / f"{name}-{minutes}.mp4", minutes * 60.0)


def _cut(whole: Path, part: Path, end_s: float) -> None:
    """Copy the packets of the first `end_s` seconds; without B-frames they stand in the order of time."""
    with av.open(str(whole)) as source, av.open(str(part), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is None or packet.pts * packet.time_base >= end_s:
                break
            packet.stream = stream
            target.mux(packet)


def _ref_m(t_s: float) -> float:
    return _MPS * t_s


def _new_m(t_s: float) -> float:
    """Now faster, now slower by a third, and never further off than some ten seconds."""
    return 3.0 + _MPS * (t_s + 10.0 * math.sin(t_s / 30.0))


def findings(result: Result) -> list[Finding]:
    """That time is linear, memory flat, and ten minutes are lined up at once."""
    rows = {row["minutes"]: row for row in result["rows"]}
    found = [
        Finding(f"Growth of {stage} with length, as a power", "about 1", f"{power:.2f}", power <= _POWER_GOAL)
        for stage, power in result["exponents"].items()
    ]
    seconds = rows[_GOAL_MINUTES]["aligning"]["wall_s"]
    what = f"{_GOAL_MINUTES} minutes lined up with {_GOAL_MINUTES}, both indexed"
    found.append(Finding(what, f"{_GOAL_S:g} s", f"{seconds:.1f} s", seconds <= _GOAL_S))
    for stage in result["exponents"]:
        peak_mb = rows[MINUTES[-1]][stage]["peak_mb"]
        what = f"Memory for {stage} {MINUTES[-1]} minutes"
        found.append(Finding(what, f"{_GOAL_MB:g} MB", f"{peak_mb:.0f} MB", peak_mb <= _GOAL_MB))
    return found


def show(result: Result) -> Iterator[str]:
    """A table by length."""
    yield (
        "Two rides of one rendered trail in small pictures, three a second, all of which are looked at: "
        "this is how the work on pictures grows, not what decoding costs. Indexing of the new run, and "
        "alignment of both; seconds of the processor / by the clock, and the most memory held, in MB."
    )
    heads = ("minutes", "pictures", "verdict", "indexing", "MB", "aligning", "MB")
    yield table(heads, [_cells(row) for row in result["rows"]])
    powers = ", ".join(f"{stage} {power:.2f}" for stage, power in result["exponents"].items())
    yield f"The power of length that processor seconds grow by (1 is linear): {powers}."


def _cells(row: Row) -> tuple[str, ...]:
    return (
        str(row["minutes"]),
        str(row["n_pictures"]),
        row["decision"],
        times(row["indexing"]),
        memory(row["indexing"]),
        times(row["aligning"]),
        memory(row["aligning"]),
    )
