"""Seconds and memory of each stage, each in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
from rich.progress import track
from scripts.bench.alone import call_alone
from scripts.bench.indexed import MATCHERS, align_saved, decode, make_index
from scripts.bench.pairs import Pair, made_pairs, stored_pairs
from scripts.bench.results import Result
from scripts.bench.tables import Finding, Row, matcher_name, memory, table, times

from mtbsync_engine.index.store import save_index
from mtbsync_engine.media import plan_sampling, probe
from mtbsync_engine.model import IndexParams, Matcher

HEADING = "Speed"
_KINDS = ("variable_speed",)


def run() -> Result:
    """Decoding, indexing and aligning of every stored pair and a made one, with each matcher."""
    pairs = [*stored_pairs(), *made_pairs((0,), _KINDS)]
    wanted = [(pair, matcher) for pair in pairs for matcher in MATCHERS]
    return {"rows": [_measure(pair, matcher) for pair, matcher in track(wanted, "Speed")]}


def _measure(pair: Pair, matcher: Matcher) -> dict[str, Any]:
    n_described, decoding = call_alone(decode, pair.new, matcher)
    new, indexing = call_alone(make_index, pair.new, matcher)
    ref, _ = call_alone(make_index, pair.ref, matcher)
    with TemporaryDirectory() as saved:
        places = Path(saved, "new.npz"), Path(saved, "ref.npz")
        for index, place in zip((new, ref), places, strict=True):
            save_index(index, place)
        _, aligning = call_alone(align_saved, *places)
    return {
        "pair": pair.name,
        "matcher": matcher.value,
        "new_s": new.duration_s,
        "ref_s": ref.duration_s,
        "n_decoded": _n_decoded(pair, matcher),
        "n_described": n_described,
        "decoding": asdict(decoding),
        "indexing": asdict(indexing),
        "aligning": asdict(aligning),
    }


def _n_decoded(pair: Pair, matcher: Matcher) -> int:
    """How many of the new run's pictures an index has decoded."""
    params = IndexParams(matcher=matcher)
    plan = plan_sampling(probe(pair.new), fps=params.fps, fast=params.fast)
    with av.open(str(pair.new)) as file:
        is_key = [packet.is_keyframe for packet in file.demux(video=0) if packet.size]
    return sum(is_key) if plan.key_frames_only else len(is_key)


def findings(result: Result) -> list[Finding]:
    """None: the goals are for what cameras write, and for long rides."""
    return []


def show(result: Result) -> Iterator[str]:
    """A table of the stages."""
    yield (
        "Indexing of the new run and alignment with the reference, both indexed, each in a process of "
        "its own. *Pictures*: decoded, and described. Times are seconds of the processor / by the clock; "
        "memory is the most that the process held, in MB."
    )
    heads = ("pair", "matcher", "footage", "pictures", "decoding alone", "indexing", "MB", "aligning", "MB")
    yield table(heads, [_cells(row) for row in result["rows"]])


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row["pair"],
        matcher_name(row),
        f"{row['new_s']:.0f} s on {row['ref_s']:.0f} s",
        f"{row['n_decoded']}, {row['n_described']}",
        times(row["decoding"]),
        times(row["indexing"]),
        memory(row["indexing"]),
        times(row["aligning"]),
        memory(row["aligning"]),
    )
