"""The engine's stages as the benchmark calls them, and the indexes of runs, each made once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mtbsync_engine.align.fit import FitParams
from mtbsync_engine.align.match import match
from mtbsync_engine.align.refine import RefineParams
from mtbsync_engine.index.build import build_index
from mtbsync_engine.index.store import load_index
from mtbsync_engine.judge import Gates, Judged
from mtbsync_engine.media import plan_sampling, probe, sample_frames
from mtbsync_engine.model import Index, IndexParams, Matcher
from mtbsync_engine.pipeline import fit_and_judge

# What the engine can do with nothing but what comes with it, the default first.
MATCHERS = sorted(
    (matcher for matcher in Matcher if not matcher.needs_weights),
    key=lambda matcher: matcher is not IndexParams().matcher,
)


@cache
def index_of(video: Path, matcher: Matcher) -> Index:
    """The index of a video, made once while this program runs."""
    return make_index(video, matcher)


def make_index(video: Path, matcher: Matcher) -> Index:
    """Index a video."""
    return build_index(probe(video), IndexParams(matcher=matcher))


def decode(video: Path, matcher: Matcher) -> int:
    """Decode the pictures that an index is made of, and nothing else; how many there were."""
    params = IndexParams(matcher=matcher)
    recording = probe(video)
    plan = plan_sampling(recording, fps=params.fps, fast=params.fast)
    return sum(1 for _ in sample_frames(recording, plan, max_side=params.max_side_px))


def align_saved(new: Path, ref: Path) -> Judged:
    """Load the indexes of two runs and line them up."""
    return align(load_index(new), load_index(ref))


def align(
    new: Index,
    ref: Index,
    refine: RefineParams | None = RefineParams(),  # noqa: B008 (immutable)
    fit: FitParams = FitParams(),  # noqa: B008 (immutable)
) -> Judged:
    """Line two indexed runs up by what the cameras saw."""
    matching, _ = match(new, ref, refine)
    return fit_and_judge(matching, fit, Gates())
