"""Cameras of one event lined up by their sound: how far off, with what confidence, and what an hour costs.

Other people's programs are given the same files in the same run.
"""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.progress import track
from scripts.bench.alone import call_alone
from scripts.bench.answers import (
    RIGHT_MS,
    Answer,
    by_condition,
    errors_ms,
    is_right,
    marked,
    of_pairs,
    stated,
    trusts,
    truth_of,
)
from scripts.bench.heard import (
    DRIFT_STEP_PPM,
    LATE_S,
    Hearing,
    cameras,
    is_there,
    long_hearings,
    short_hearings,
    stranger_hearings,
)
from scripts.bench.listeners import LISTENERS, TAKE_S, ask, write_wav
from scripts.bench.results import Result
from scripts.bench.tables import NOTHING, Finding, Row, memory, percent, table, times

from mtbsync_engine.align.event import Evidence, line_up
from mtbsync_engine.align.sound import match_sounds
from mtbsync_engine.confidence import Trust
from mtbsync_engine.media.sound import read_wav
from mtbsync_engine.session import Placement
from mtbsync_engine.timing import Rate

HEADING = "Sound"
OURS = "ours"
_EVERYBODY = [OURS, *(listener.name for listener in LISTENERS)]
_SEEDS = (0, 1, 2, 3)
_LONG_SEED = 100
_MINUTES = (10, 60)
_P95_GOAL_MS, _DRIFT_GOAL_PPM, _WALL_GOAL_S, _MEMORY_GOAL_MB = 1.0, 2.0, 20.0, 500.0
_STATED_GOAL = 0.88


def run() -> Result:
    """Every pair by every program, then three cameras of each length."""
    if not is_there():
        return {"rows": [], "grown": [], "missing": {}}
    asked = {
        "event": short_hearings(_SEEDS),
        "long": long_hearings(_LONG_SEED),
        "strangers": stranger_hearings(_SEEDS),
    }
    rows: list[Row] = []
    pairs: list[tuple[Path, Path]] = []
    with TemporaryDirectory() as folder:
        for kind, hearings in asked.items():
            for hearing in track(hearings, f"Hearing: {kind}"):
                pairs.append(_written(Path(folder), len(pairs), hearing))
                rows.append({"kind": kind, **truth_of(hearing), "answers": {OURS: _own(*pairs[-1])}})
        missing = _ask_others(rows, pairs)
    for row in rows:
        row["answers"] = {who: marked(answer, row) for who, answer in row["answers"].items()}
    return {"rows": rows, "grown": [_grown(m) for m in track(_MINUTES, "Three cameras")], "missing": missing}


def _written(folder: Path, number: int, hearing: Hearing) -> tuple[Path, Path]:
    master = write_wav(folder / f"{number}-master.wav", hearing.master)
    return master, write_wav(folder / f"{number}-other.wav", hearing.other)


def _own(master: Path, other: Path) -> Answer:
    began = time.perf_counter()
    match = match_sounds(read_wav(master), read_wav(other))
    took_s = time.perf_counter() - began
    return {"failed": "nothing tells"} if match is None else {**_placed(match.placement), "took_s": took_s}


def _placed(placement: Placement) -> Answer:
    return {
        "offset_s": placement.offset_s,
        "drift_ppm": placement.drift_ppm,
        "score": placement.score,
        "error_ms": None if placement.error_s is None else 1000 * placement.error_s,
    }


def _ask_others(rows: list[Row], pairs: list[tuple[Path, Path]]) -> dict[str, str]:
    """Puts their answers into the rows; gives why some cannot be had here, by their names."""
    missing = {}
    for listener in track(LISTENERS, "Other programs"):
        try:
            answers = ask(listener, pairs)
        except subprocess.CalledProcessError as error:
            missing[listener.name] = f"exit status {error.returncode}"
            continue
        for row, answer in zip(rows, answers, strict=True):
            row["answers"][listener.name] = answer
    return missing


def _grown(minutes: int) -> Row:
    """Three cameras for that long, lined up in a process of its own."""
    duration_s = minutes * 60.0
    with TemporaryDirectory() as folder:
        heard = enumerate(cameras(_LONG_SEED, duration_s))
        paths = [write_wav(Path(folder, f"{k}.wav"), sound) for k, sound in heard]
        placed, cost = call_alone(_line_up, paths)
    worst_ms = [_grown_worst_ms(answer, k, duration_s) for k, answer in placed.items()]
    return {
        "minutes": minutes,
        "n_placed": len(placed),
        "worst_ms": max(worst_ms, default=np.inf),
        "cost": asdict(cost),
    }


def _grown_worst_ms(answer: Answer, k: int, duration_s: float) -> float:
    truth = {
        "offset_s": k * LATE_S,
        "drift_ppm": k * DRIFT_STEP_PPM,
        "both_hear_s": (0.0, duration_s - k * LATE_S),
    }
    worst_ms: float = marked(answer, truth)["worst_ms"]
    return worst_ms


def _line_up(paths: list[Path]) -> dict[int, Answer]:
    """Where the cameras lie on the first, by their numbers."""
    found = line_up({str(k): _evidence(path) for k, path in enumerate(paths)}, "0")
    return {int(label): _placed(placement) for label, placement in found.placements.items()}


def _evidence(path: Path) -> Evidence:
    """Nothing but the sound."""
    sound = read_wav(path)
    return Evidence(
        sound=sound,
        rate=Rate(Fraction(25)),
        start_timecode=None,
        created_utc=None,
        duration_s=sound.duration_s,
    )


def findings(result: Result) -> list[Finding]:
    """That what looks good is right, for an event, for an hour, and for strangers."""
    if not result["rows"]:
        return []
    event, long, strangers = (of_pairs(_of(result, kind), OURS) for kind in ("event", "long", "strangers"))
    good = trusts(event + long, Trust.LOOKS_GOOD)
    n_wrong = sum(not is_right(answer) for answer in good) + len(trusts(strangers, Trust.LOOKS_GOOD))
    p95_ms = float(np.percentile([answer["off_ms"] for answer in good], 95))
    drift_off_ppm = max(_drift_off_ppm(row) for row in _of(result, "long"))
    kept = stated(event + long)
    last = result["grown"][-1]
    wall_s, peak_mb = last["cost"]["wall_s"], last["cost"]["peak_mb"]
    hour = f"Three cameras of {last['minutes']} minutes lined up by sound"
    return [
        Finding(
            f"Sounds of {len(good)} pairs that look good: P95 of the error",
            f"{_P95_GOAL_MS:.0f} ms",
            f"{p95_ms:.2f} ms",
            p95_ms <= _P95_GOAL_MS,
        ),
        Finding(
            f"Sounds that look good and are not, of {len(result['rows'])} pairs",
            "0",
            f"{n_wrong}",
            n_wrong == 0,
        ),
        Finding("Sounds: within the stated error", "88%", percent(kept), kept >= _STATED_GOAL),
        Finding(
            "Sounds of 20 minutes whose clocks differ: error of the drift",
            f"{_DRIFT_GOAL_PPM:.0f} ppm",
            f"{drift_off_ppm:.4f} ppm",
            drift_off_ppm <= _DRIFT_GOAL_PPM,
        ),
        Finding(hour, f"{_WALL_GOAL_S:.0f} s", f"{wall_s:.0f} s", wall_s <= _WALL_GOAL_S),
        Finding(
            f"{hour}: memory",
            f"{_MEMORY_GOAL_MB:.0f} MB",
            f"{peak_mb:.0f} MB",
            peak_mb <= _MEMORY_GOAL_MB,
        ),
    ]


def show(result: Result) -> Iterator[str]:
    """Tables of pairs by condition, of long ones, of strangers, and of three cameras."""
    if not result["rows"]:
        yield "This is measured on recordings that lie beside the project; they did not here."
        return
    finder, syncstart = LISTENERS
    yield (
        "Real recordings of speech, cut anew into events that last as long as is wanted, heard by two "
        "cameras with a microphone each: half a minute on a minute. What a line names befalls the other "
        "camera's sound. Errors are median / P95 in ms, in the middle of what both heard; *right* is up to "
        f"{RIGHT_MS:.0f} ms. *Good*: looks good, by the score. *Stated*: within the stated nine-in-ten "
        "error at every moment. Every program reads the same WAV files."
    )
    yield (
        f"`{finder.requirements[0]}` runs with the defaults of its command line; its own documentation "
        f"trusts scores above 10, as we do. `{syncstart.requirements[0]}` takes {TAKE_S} s of each file, "
        "as its default of 20 s would miss most, and gives no score. Neither tells of drift. Each has an "
        "environment of its own."
    )
    for name, why in result["missing"].items():
        yield f"{name} could not be had here ({why})."
    event = _of(result, "event")
    heads = ["condition", "pairs", *(f"{who}{what}" for who in _EVERYBODY for what in ("", ": right"))]
    yield table([*heads, "good", "stated"], [_event_cells(*group) for group in by_condition(event)])
    yield f"Typical seconds for a pair: {', '.join(f'{who} {_took_s(event, who)}' for who in _EVERYBODY)}."
    yield "### Twenty minutes, with clocks that differ"
    yield "The largest error at any moment, in ms; an offset without a drift is right at one moment only."
    heads = ["condition", "drift off by", *_EVERYBODY]
    yield table(heads, [_long_cells(row) for row in _of(result, "long")])
    yield "### Two events"
    yield (
        "What has nothing in common must not look good. In brackets the highest score. "
        f"{syncstart.name} gives an offset for each, and nothing to doubt it by."
    )
    heads = ["condition", "pairs", "ours: good", "ours: worth a look", f"{finder.name}: good"]
    yield table(heads, [_stranger_cells(*group) for group in by_condition(_of(result, "strangers"))])
    yield "### Three cameras"
    yield (
        "Two laid on the third by sound alone: seconds of the processor / by the clock, the most memory held "
        "in MB, and the largest error at any moment in ms."
    )
    yield table(
        ("minutes", "placed", "seconds", "MB", "error"), [_grown_cells(row) for row in result["grown"]]
    )


def _event_cells(condition: str, rows: list[Row]) -> list[str]:
    cells = [condition, f"{len(rows)}"]
    for who in _EVERYBODY:
        answers = of_pairs(rows, who)
        was_asked = any(who in row["answers"] for row in rows)
        cells += [errors_ms(answers), f"{sum(map(is_right, answers))}" if was_asked else NOTHING]
    ours = of_pairs(rows, OURS)
    return [*cells, f"{len(trusts(ours, Trust.LOOKS_GOOD))}", percent(stated(ours))]


def _drift_off_ppm(row: Row) -> float:
    """nan where we found nothing."""
    off_ppm = [abs(answer["drift_ppm"] - row["drift_ppm"]) for answer in of_pairs([row], OURS)]
    return off_ppm[0] if off_ppm else math.nan


def _long_cells(row: Row) -> list[str]:
    worst_ms = [[answer["worst_ms"] for answer in of_pairs([row], who)] for who in _EVERYBODY]
    return [
        row["condition"],
        f"{_drift_off_ppm(row):.4f} ppm",
        *(f"{ms[0]:.2f}" if ms else NOTHING for ms in worst_ms),
    ]


def _stranger_cells(condition: str, rows: list[Row]) -> list[str]:
    ours, finder = of_pairs(rows, OURS), of_pairs(rows, LISTENERS[0].name)
    worth = len(trusts(ours, Trust.REVIEW))
    return [condition, f"{len(rows)}", _n_good(ours), f"{worth}", _n_good(finder)]


def _n_good(answers: list[Answer]) -> str:
    if not answers:
        return NOTHING
    return f"{len(trusts(answers, Trust.LOOKS_GOOD))} ({max(answer['score'] for answer in answers):.1f})"


def _grown_cells(row: Row) -> list[str]:
    placed = f"{row['n_placed']} of 2"
    return [f"{row['minutes']}", placed, times(row["cost"]), memory(row["cost"]), f"{row['worst_ms']:.2f}"]


def _took_s(rows: list[Row], who: str) -> str:
    took_s = [answer["took_s"] for answer in of_pairs(rows, who)]
    return f"{np.median(took_s):.2f}" if took_s else NOTHING


def _of(result: Result, kind: str) -> list[Row]:
    return [row for row in result["rows"] if row["kind"] == kind]
