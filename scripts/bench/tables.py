"""Rows of figures as tables in Markdown, and what several pages' parts say alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from mtbsync_engine.model import FloatArray

Row = dict[str, Any]

NOTHING = "-"
_MATCHERS = {"orb": "ORB", "xfeat": "XFeat"}


@dataclass(frozen=True)
class Finding:
    """A line of the summary: what was wanted of what, what was measured, and whether that is reached."""

    what: str
    wanted: str
    measured: str
    reached: bool


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def by(rows: list[Row], key: str) -> list[tuple[str, list[Row]]]:
    """Rows by their value of `key`, in the order in which the values come."""
    return [(value, list(group)) for value, group in groupby(rows, key=lambda row: row[key])]


def matcher_name(row: Row) -> str:
    """How people write the matcher that a row was measured with."""
    return _MATCHERS.get(row["matcher"], row["matcher"])


def pooled_off_s(rows: list[Row]) -> FloatArray:
    """The errors of all markers of all rows."""
    return np.array([off_s for row in rows for off_s in row["off_s"]], dtype=np.float64)


def share(rows: list[Row], part: str, whole: str) -> float:
    """Sum of `part` over sum of `whole`; nan where that is 0."""
    total = sum(row[whole] for row in rows)
    return sum(row[part] for row in rows) / total if total else math.nan


def percent(value: float) -> str:
    """A share for reading."""
    return NOTHING if math.isnan(value) else f"{value:.0%}"


def errors(row: Row) -> str:
    """Median / P90 / largest, in seconds."""
    return " / ".join(f"{row[key]:.3f}" for key in ("median_s", "p90_s", "max_s"))


def times(cost: Row) -> str:
    """Seconds of the processor / by the clock."""
    return f"{cost['cpu_s']:.1f} / {cost['wall_s']:.1f}"


def memory(cost: Row) -> str:
    """Peak memory in MB."""
    return f"{cost['peak_mb']:.0f}"
