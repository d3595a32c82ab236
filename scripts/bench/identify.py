"""Whether a run finds its trail among many, how long it takes, and what becomes of a run of none of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track
from scripts.bench import BUILD
from scripts.bench.indexed import MATCHERS, align, index_of
from scripts.bench.pairs import Pair, made_pairs, stored_pairs
from scripts.bench.results import Result
from scripts.bench.tables import Finding, Row, by, matcher_name, percent, table

from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.identify.decide import Identified, Tried, decide
from mtbsync_engine.identify.gallery import Gallery
from mtbsync_engine.identify.looks import N_BITS, Looks, looks_of
from mtbsync_engine.identify.shortlist import MOST_TRAILS, shortlist
from mtbsync_engine.model import Index, IndexParams, Matcher
from support.made import KINDS, recipe_of, render

HEADING = "Finding the trail"
_MORE_SEEDS = range(2, 54)
# What an index looks at; finding a trail needs no more.
_RATE = round(IndexParams().fps)
_N_TRAILS = (10, 50, 200)
_LOOKS_A_TRAIL = 300
# Of the bits of a rendered ride's looks, to make more trails as unlike it as other trails are.
_FLIPPED = 0.3


def run() -> Result:
    """Every pair's new run among the references of all, with each matcher; then among ever more trails."""
    pairs = [*stored_pairs(), *made_pairs(), *_more_pairs()]
    rows = [row for matcher in MATCHERS for row in _among_all(pairs, matcher)]
    return {
        "rows": rows,
        "n_trails": len({pair.trail for pair in pairs}),
        "grown": _grown(looks_of(index_of(pairs[0].new, MATCHERS[0]))),
    }


def _more_pairs() -> list[Pair]:
    """A pair on each of many more trails, the kinds of difficulty in turn."""
    return [
        _more_pair(KINDS[k % len(KINDS)], seed)
        for k, seed in enumerate(track(_MORE_SEEDS, "Rendering more trails"))
    ]


def _more_pair(kind: str, seed: int) -> Pair:
    folder = BUILD / "identify" / f"{kind}-{seed}"
    pair = Pair(f"{kind} {seed}", f"made {seed}", folder / "ref.mp4", folder / "new.mp4", folder / "none")
    recipe = recipe_of(kind, seed)
    for ride, path in ((recipe.ref, pair.ref), (recipe.new, pair.new)):
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part.mp4")
            render(ride, unfinished, _RATE)
            unfinished.replace(path)
    return pair


def _among_all(pairs: list[Pair], matcher: Matcher) -> list[Row]:
    trails = {pair.ref.as_posix(): pair for pair in pairs}
    gallery = Gallery(IndexParams(matcher=matcher))
    for trail_id, pair in trails.items():
        gallery.add(trail_id, "", looks_of(index_of(pair.ref, matcher)))
    rows = []
    for pair in track(pairs, f"Finding trails, {matcher.value}"):
        began = time.perf_counter()
        candidates = gallery.rank(looks_of(index_of(pair.new, matcher)))
        took_s = time.perf_counter() - began
        # What a library has that knows each trail once, and one that does not know this trail.
        others = {pair.trail: pair.ref.as_posix()} | {
            other.trail: trail_id for trail_id, other in trails.items() if other.trail != pair.trail
        }
        once = [c for c in candidates if c.trail_id in others.values()]
        strange = [c for c in once if c.trail_id != pair.ref.as_posix()]
        known = [c.trail_id for c in shortlist(once, frozenset(), {})]
        unknown = [c.trail_id for c in shortlist(strange, frozenset(), {})]
        tried = {
            trail_id: _tried(index_of(pair.new, matcher), trails[trail_id], matcher)
            for trail_id in {*known, *unknown}
        }
        rows.append(
            {
                "pair": pair.name,
                "matcher": matcher.value,
                "score": next((c.score for c in once if c.trail_id == pair.ref.as_posix()), 0.0),
                "next": strange[0].score if strange else 0.0,
                "place": known.index(pair.ref.as_posix()) + 1 if pair.ref.as_posix() in known else None,
                "found": _outcome(decide([tried[k] for k in known]), pair),
                "unknown": _outcome(decide([tried[k] for k in unknown]), pair),
                "took_s": took_s,
            }
        )
    return rows


def _tried(new: Index, ref: Pair, matcher: Matcher) -> Tried:
    try:
        return Tried.of(ref.ref.as_posix(), ref.name, align(new, index_of(ref.ref, matcher)))
    except AlignmentError as error:
        return Tried.failed(ref.ref.as_posix(), ref.name, error)


def _outcome(identified: Identified, pair: Pair) -> str:
    if identified.trail_id is None:
        return "nobody's"
    return "right" if Path(identified.trail_id) == pair.ref else "wrong"


def _grown(looks: Looks) -> list[Row]:
    """How long a long run takes among more and more trails."""
    random = np.random.default_rng(1)
    gallery = Gallery(looks.params)
    rows = []
    added_s = 0.0
    for n_trails in track(_N_TRAILS, "More and more trails"):
        while len(gallery.keys) < n_trails:
            trail = _other_trail(looks, random)
            began = time.perf_counter()
            gallery.add(str(len(gallery.keys)), "", trail)
            added_s += time.perf_counter() - began
        began = time.perf_counter()
        gallery.rank(_other_trail(looks, random))
        rows.append({"n_trails": n_trails, "added_s": added_s, "took_s": time.perf_counter() - began})
    return rows


def _other_trail(looks: Looks, random: np.random.Generator) -> Looks:
    """Looks of a long run that is as unlike `looks` as that of another trail."""
    rows = random.integers(0, looks.t_s.size, _LOOKS_A_TRAIL)
    flipped = np.packbits(random.random((len(looks.codes), _LOOKS_A_TRAIL, N_BITS)) < _FLIPPED, axis=2)
    t_s = np.arange(_LOOKS_A_TRAIL, dtype=np.float64)
    return Looks(looks.params, looks.fingerprint, t_s, looks.codes[:, rows] ^ flipped)


def findings(result: Result) -> list[Finding]:
    """The goals for the default matcher."""
    _, rows = by(result["rows"], "matcher")[0]
    n_wrong = sum(row["found"] == "wrong" for row in rows)
    n_let_in = sum(row["unknown"] != "nobody's" for row in rows)
    near = _share_within(rows, MOST_TRAILS)
    among = f"of {len(rows)} runs among {result['n_trails']} trails"
    return [
        Finding(f"The right trail in the shortlist, {among}", "99%", percent(near), near >= 0.99),
        Finding(f"Given to a wrong trail, {among}", "0", str(n_wrong), n_wrong == 0),
        Finding(f"Let in where their trail is not known, {among}", "0", str(n_let_in), n_let_in == 0),
    ]


def show(result: Result) -> Iterator[str]:
    """How well trails are found, and how long it takes."""
    yield (
        "The new run of every pair among the references of all, by looks alone: every pair that accuracy is "
        f"measured on, and {len(_MORE_SEEDS)} more rendered trails with the same difficulties in turn. "
        f"*First* and *in the shortlist* of {MOST_TRAILS}: where its trail comes. *Score*: how far the right "
        "trail stands above chance at least, and any other at most. *Given*: how many runs were then aligned "
        "and given to the right trail, to a wrong one, or to a person. *Unknown*: how many runs were let in "
        "while their own trail was left out."
    )
    heads = ("matcher", "runs", "first", "in the shortlist", "score", "others'", "given", "unknown", "time")
    yield table(heads, [_cells(rows) for _, rows in by(result["rows"], "matcher")])
    yield (
        f"How long a run of {_LOOKS_A_TRAIL} pictures takes among more and more trails of as many (looks of "
        "a rendered ride with three bits in ten flipped), and how long it took to add them all."
    )
    yield table(
        ("trails", "finding / s", "adding / s"),
        [(str(row["n_trails"]), f"{row['took_s']:.2f}", f"{row['added_s']:.1f}") for row in result["grown"]],
    )


def _cells(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    given = [sum(row["found"] == outcome for row in rows) for outcome in ("right", "wrong", "nobody's")]
    return (
        matcher_name(rows[0]),
        str(len(rows)),
        percent(_share_within(rows, 1)),
        percent(_share_within(rows, MOST_TRAILS)),
        f"{min(row['score'] for row in rows):.1f}",
        f"{max(row['next'] for row in rows):.1f}",
        " / ".join(map(str, given)),
        str(sum(row["unknown"] != "nobody's" for row in rows)),
        f"{np.median([row['took_s'] for row in rows]):.2f} s",
    )


def _share_within(rows: list[Row], n_most: int) -> float:
    return sum(row["place"] is not None and row["place"] <= n_most for row in rows) / len(rows)
