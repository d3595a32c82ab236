"""What programs said of where one camera's sound lies on another's, held against the truth.

A row tells of one pair: its `condition`, the true `offset_s` and `drift_ppm` (offset None for two events),
`both_hear_s` as begin and end on the other's clock, and the `answers` by program.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scripts.bench.heard import Hearing
from scripts.bench.tables import NOTHING, Row, by, share

from mtbsync_engine.confidence import Trust, trust_of
from mtbsync_engine.model import FloatArray
from mtbsync_engine.session import PPM

# Of one pair: `offset_s`, `drift_ppm`, `score` or None, `error_ms` as stated or None, `took_s`; or why it
# `failed`. Marked, it has also `off_ms` in the middle of what both heard and `worst_ms` anywhere in it.
Answer = dict[str, Any]

# One picture at 25 a second: further off, people see it.
RIGHT_MS = 40.0


def truth_of(hearing: Hearing) -> Row:
    """The truth's part of a row."""
    is_one_event = hearing.offset_s is not None
    return {
        "condition": hearing.condition,
        "offset_s": hearing.offset_s,
        "drift_ppm": hearing.drift_ppm,
        "both_hear_s": hearing.both_hear_s if is_one_event else None,
    }


def marked(answer: Answer, truth: Row) -> Answer:
    """The answer with its errors, if there is a truth."""
    if "failed" in answer or truth["offset_s"] is None:
        return answer
    begin_s, end_s = truth["both_hear_s"]
    t_cam_s = np.array([begin_s, (begin_s + end_s) / 2, end_s])
    off_ms = 1000 * np.abs(_to_master(answer, t_cam_s) - _to_master(truth, t_cam_s))
    return {**answer, "off_ms": float(off_ms[1]), "worst_ms": float(off_ms.max())}


def _to_master(row: Row, t_cam_s: FloatArray) -> FloatArray:
    """The moments (N,) on the master's clock."""
    t_master_s: FloatArray = row["offset_s"] + (1.0 + row["drift_ppm"] * PPM) * t_cam_s
    return t_master_s


def by_condition(rows: list[Row]) -> list[tuple[str, list[Row]]]:
    """In the order in which the conditions come first."""
    order = list(dict.fromkeys(row["condition"] for row in rows))
    return by(sorted(rows, key=lambda row: order.index(row["condition"])), "condition")


def of_pairs(rows: list[Row], who: str) -> list[Answer]:
    """The answers that a program gave."""
    answers = [row["answers"][who] for row in rows if who in row["answers"]]
    return [answer for answer in answers if "failed" not in answer]


def is_right(answer: Answer) -> bool:
    """Whether it is off by no more than a picture."""
    return bool(answer["off_ms"] <= RIGHT_MS)


def trusts(answers: list[Answer], trust: Trust) -> list[Answer]:
    """Those that by their score are to be trusted so."""
    return [a for a in answers if a["score"] is not None and trust_of(a["score"]) is trust]


def stated(answers: list[Answer]) -> float:
    """Of those that state an error, the share that keep to it at every moment."""
    kept = [
        {"kept": answer["worst_ms"] <= answer["error_ms"], "all": 1}
        for answer in answers
        if answer["error_ms"] is not None
    ]
    return share(kept, "kept", "all")


def errors_ms(answers: list[Answer]) -> str:
    """Median / P95 of the errors."""
    off_ms = [answer["off_ms"] for answer in answers]
    return " / ".join(f"{np.percentile(off_ms, q):.2f}" for q in (50, 95)) if off_ms else NOTHING
