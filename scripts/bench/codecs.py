"""Indexing against bare decoding of the same pictures, for what cameras write."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from scripts.bench import BUILD
from scripts.bench.alone import call_alone
from scripts.bench.indexed import MATCHERS, decode, make_index
from scripts.bench.results import Result, content_key
from scripts.bench.tables import Finding, Row, by, matcher_name, table

from mtbsync_engine.model import Matcher
from support.forest import Trail, picture
from support.videos import write_video

HEADING = "Codecs"
_RATIO_GOAL = {Matcher.ORB: 1.3, Matcher.XFEAT: 2.0}
_REPEATS = 3
_N_SCENES = 24
# The scenes are drawn at this width and enlarged.
_DRAWN = (960, 540)
_GRAIN = 6.0
_SEED = 77


@dataclass(frozen=True)
class Clip:
    """What a camera writes, at megabits a second as GoPro's, with a key frame every `gop_s`."""

    name: str
    codec: str
    size: tuple[int, int]
    rate: int
    mbps: int
    gop_s: float = 0.5
    duration_s: int = 6


CLIPS = (
    Clip("H.264 1080p60", "libx264", (1920, 1080), 60, 60),
    Clip("HEVC 1080p60", "libx265", (1920, 1080), 60, 60),
    Clip("H.264 4K30", "libx264", (3840, 2160), 30, 100),
    Clip("HEVC 4K30", "libx265", (3840, 2160), 30, 100),
    # So cheap that a few seconds of it would measure how long the libraries take to start.
    Clip("LRV: H.264 768x432 30", "libx264", (768, 432), 30, 4, duration_s=60),
    Clip("the same, a key frame a second", "libx264", (768, 432), 30, 4, gop_s=1.0, duration_s=60),
)


def run() -> Result:
    """Every clip with each matcher."""
    wanted = [(clip, matcher) for matcher in MATCHERS for clip in CLIPS]
    return {"rows": [_measure(clip, matcher) for clip, matcher in track(wanted, "Codecs")]}


def _measure(clip: Clip, matcher: Matcher) -> dict[str, Any]:
    video = _written(clip)
    times, _ = call_alone(_timed, video, matcher)
    return {"clip": clip.name, "matcher": matcher.value, "footage_s": clip.duration_s, **times}


def _timed(video: Path, matcher: Matcher) -> dict[str, float]:
    """Median seconds of decoding and of indexing, by the clock and of the processor, taken in turns."""
    decode(video, matcher)  # the file is in memory from here on, and the libraries are loaded
    decoding, indexing = [], []
    for _ in range(_REPEATS):
        decoding.append(_seconds(decode, video, matcher))
        indexing.append(_seconds(make_index, video, matcher))
    names = ("wall_s", "cpu_s")
    return {
        f"{stage}_{name}": statistics.median(values)
        for stage, runs in (("decoding", decoding), ("indexing", indexing))
        for name, values in zip(names, zip(*runs, strict=True), strict=True)
    }


def _seconds(function: Callable[..., object], *args: object) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    function(*args)
    return time.perf_counter() - wall, time.process_time() - cpu


def _written(clip: Clip) -> Path:
    """The clip's file, encoded now if it is not there yet."""
    path = BUILD / "codecs" / f"{content_key([], clip, _SEED)}.mp4"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part.mp4")
        write_video(
            unfinished,
            _pictures(clip),
            clip.rate,
            gop=round(clip.rate * clip.gop_s),
            codec=clip.codec,
            bit_rate=clip.mbps * 1_000_000,
        )
        unfinished.replace(path)
    return path


def _pictures(clip: Clip) -> Iterator[NDArray[np.uint8]]:
    """A ride whose view drifts and shakes under fresh grain, so that no encoder finds it trivial."""
    rng = np.random.default_rng(_SEED)
    trail = Trail(_SEED, _N_SCENES)
    grains = [rng.normal(128, _GRAIN, (clip.size[1], clip.size[0])).astype(np.uint8) for _ in range(3)]
    n_pictures = clip.duration_s * clip.rate
    scale = clip.size[0] / _DRAWN[0]
    scene = -1
    for k in range(n_pictures):
        place, at = divmod(k * _N_SCENES, n_pictures)
        if place != scene:
            scene, drawn = place, picture(trail, float(place), _DRAWN, 0.6 * _DRAWN[0])
        zoom = scale * (1.05 + 0.05 * at / n_pictures)
        shift = rng.normal(0, 2, 2) - 0.5 * (zoom / scale - 1) * np.array(clip.size)
        to_clip = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
        large = cv2.warpAffine(drawn, to_clip, clip.size, borderMode=cv2.BORDER_REFLECT_101)
        grain = cv2.cvtColor(np.roll(grains[k % 3], k * 37), cv2.COLOR_GRAY2RGB)
        yield cv2.addWeighted(large, 1.0, grain, 1.0, -128)


def findings(result: Result) -> list[Finding]:
    """The goal for indexing, by the slowest clip."""
    found = []
    for matcher, rows in by(result["rows"], "matcher"):
        worst, goal = max(map(_ratio, rows)), _RATIO_GOAL[Matcher(matcher)]
        what = f"Indexing over bare decoding with {matcher_name(rows[0])}, worst of {len(rows)} clips"
        found.append(Finding(what, f"{goal:g}", f"{worst:.2f}", worst <= goal))
    return found


def show(result: Result) -> Iterator[str]:
    """A table of the clips."""
    goals = " and ".join(f"{goal:g} with {matcher_name({'matcher': m})}" for m, goal in _RATIO_GOAL.items())
    yield (
        "Seconds to decode the pictures that an index wants, and to make the index, by the clock; "
        f"medians of {_REPEATS}. The goal for their ratio is {goals}. *Pace*: seconds of footage indexed "
        "in a second."
    )
    heads = ("clip", "matcher", "decoding", "indexing", "ratio", "ratio of processor seconds", "pace")
    yield table(heads, [_cells(row) for row in result["rows"]])


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row["clip"],
        matcher_name(row),
        f"{row['decoding_wall_s']:.2f}",
        f"{row['indexing_wall_s']:.2f}",
        f"{_ratio(row):.2f}",
        f"{row['indexing_cpu_s'] / row['decoding_cpu_s']:.2f}",
        f"{row['footage_s'] / row['indexing_wall_s']:.0f}",
    )


def _ratio(row: Row) -> float:
    ratio: float = row["indexing_wall_s"] / row["decoding_wall_s"]
    return ratio
