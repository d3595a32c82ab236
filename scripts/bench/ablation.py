"""What each part of the alignment brings: every pair again without it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.progress import track
from scripts.bench.accuracy import errors_of
from scripts.bench.indexed import MATCHERS, align, index_of
from scripts.bench.pairs import Pair, made_pairs, stored_pairs
from scripts.bench.results import Result
from scripts.bench.tables import NOTHING, Finding, Row, by, percent, pooled_off_s, share, table

from mtbsync_engine.align.fit import FitParams
from mtbsync_engine.align.refine import RefineParams
from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.model import IndexParams, Matcher, Model

HEADING = "What each part brings"


@dataclass(frozen=True)
class Variant:
    """A way to line runs up. `without` is entered for the time of it: what it takes away or replaces in the
    engine, as by `partial(mock.patch.object, module, name, replacement)`."""

    name: str
    matcher: Matcher = IndexParams().matcher
    refine: RefineParams | None = RefineParams()  # noqa: RUF009 (immutable)
    fit: FitParams = FitParams()  # noqa: RUF009 (immutable)
    without: Callable[[], AbstractContextManager[Any]] = nullcontext


VARIANTS = (
    Variant("as it is"),
    *(Variant(f"key points by {matcher.value}", matcher=matcher) for matcher in MATCHERS[1:]),
    Variant("whole pictures only", refine=None),
    Variant("one constant pace", fit=FitParams(model=Model.AFFINE)),
)


def run() -> Result:
    """Every variant on every pair."""
    pairs = [*stored_pairs(), *made_pairs()]
    wanted = [(variant, pair) for variant in VARIANTS for pair in pairs]
    return {"rows": [_measure(variant, pair) for variant, pair in track(wanted, "Ablation")]}


def _measure(variant: Variant, pair: Pair) -> dict[str, Any]:
    row = {"variant": variant.name, "pair": pair.name}
    with variant.without():
        new, ref = (index_of(video, variant.matcher) for video in (pair.new, pair.ref))
        try:
            judged = align(new, ref, variant.refine, variant.fit)
        except AlignmentError as error:
            return {**row, "failed": str(error)}
    return {**row, **errors_of(judged, pair)}


def findings(result: Result) -> list[Finding]:
    """None: what a part brings has no goal."""
    return []


def show(result: Result) -> Iterator[str]:
    """A table of the variants, and one of the pairs by variant."""
    yield (
        "Every pair again with a part of the alignment taken away or replaced. Errors are in seconds, of "
        "all placed markers together; *typical P90* is the median over pairs. *Accepted* and *rejected* "
        "count pairs."
    )
    variants = by(result["rows"], "variant")
    heads = ("variant", "accepted", "rejected", "placed", "median", "P90", "typical P90", "missed", "stated")
    yield table(heads, [_cells(name, rows) for name, rows in variants])
    yield "P90 of each pair's markers, in seconds:"
    pairs = [row["pair"] for row in variants[0][1]]
    columns = [{row["pair"]: _p90(row) for row in rows} for _, rows in variants]
    heads = ("pair", *(name for name, _ in variants))
    yield table(heads, [(pair, *(column[pair] for column in columns)) for pair in pairs])


def _cells(name: str, rows: list[Row]) -> tuple[str, ...]:
    found = [row for row in rows if "failed" not in row]
    placed = [row for row in found if row["n_placed"]]
    off_s = pooled_off_s(placed)
    decisions = [row["decision"] for row in found]
    return (
        name,
        str(decisions.count("accept")),
        str(len(rows) - len(found) + decisions.count("reject")),
        percent(share(found, "n_placed", "n")),
        *(f"{np.percentile(off_s, q):.3f}" if placed else NOTHING for q in (50, 90)),
        f"{statistics.median(row['marker']['p90_s'] for row in placed):.3f}" if placed else NOTHING,
        str(sum(row["n_missed"] for row in found)),
        percent(share(placed, "n_within", "n_placed")),
    )


def _p90(row: Row) -> str:
    return f"{row['marker']['p90_s']:.3f}" if row.get("n_placed") else "none placed"
