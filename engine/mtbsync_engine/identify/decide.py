"""Which of the trails that a run was really aligned with it belongs to, or that a person must say."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mtbsync_engine.align.match import CHANCE_MARGIN
from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.judge import Judged
from mtbsync_engine.model import Decision

# A trail that fits this much as well as the best may be the one. Two trails that share a stretch both fit
# there, and only the right one goes on to fit the rest of the run.
_ABOUT_AS_WELL = 0.8


@dataclass(frozen=True)
class Tried:
    """What came of aligning a run with a trail, for a person to choose by.

    `decision` and `reasons` are the verdict's; `margin` and `coverage` the alignment's quality; `n_verified`
    how many moments were confirmed by their key points, and `error_s` what half of all markers stay below in
    nine cases of ten.
    """

    trail_id: str
    name: str
    decision: Decision
    reasons: tuple[str, ...]
    margin: float
    coverage: float
    n_verified: int
    error_s: float

    @classmethod
    def of(cls, trail_id: str, name: str, judged: Judged) -> Tried:
        """The numbers of a judged alignment with the trail called `name`."""
        return cls(
            trail_id=trail_id,
            name=name,
            decision=judged.verdict.decision,
            reasons=judged.verdict.reasons,
            margin=judged.quality.margin,
            coverage=judged.quality.coverage,
            n_verified=int((judged.alignment.matching.pairs.n_inliers > 0).sum()),
            error_s=judged.quality.median_error_s,
        )

    @classmethod
    def failed(cls, trail_id: str, name: str, error: AlignmentError) -> Tried:
        """A trail that the run could not be lined up with at all."""
        return cls(
            trail_id=trail_id,
            name=name,
            decision=Decision.REJECT,
            reasons=(str(error),),
            margin=0.0,
            coverage=0.0,
            n_verified=0,
            error_s=math.inf,
        )

    @property
    def fit(self) -> float:
        """How much of the run it explains, from 0 to 1: the share that lines up, less what chance does.

        Where GPS alone says so, chance does as well as the pictures, and the smallest margin stands for it.
        """
        return self.coverage * max(CHANCE_MARGIN, self.margin)


@dataclass(frozen=True)
class Identified:
    """The trail that a run belongs to, None where a person must say or it is none of them; why, in words;
    and all trails that were tried, those that fit best first."""

    trail_id: str | None
    reasons: tuple[str, ...]
    tried: tuple[Tried, ...]


def decide(candidates: Iterable[Tried]) -> Identified:
    """The one trail whose details fit and that no other comes close to; none where it would be a guess."""
    tried = tuple(sorted(candidates, key=_from_best))
    fitting = [one for one in tried if one.decision is not Decision.REJECT]
    if not fitting:
        return Identified(None, _why_none_fits(tried), tried)
    best = fitting[0]
    as_well = [one.name for one in fitting if one.fit >= _ABOUT_AS_WELL * best.fit]
    if len(as_well) > 1:
        how_many = "Two" if len(as_well) == 2 else str(len(as_well))
        reason = f"{how_many} trails fit about as well: {_listed(as_well, 'and')}; say which it is."
        return Identified(None, (reason,), tried)
    # Whole pictures alone have lined a run up with another trail; and by GPS it may be the trail beside.
    if best.n_verified == 0:
        reason = (
            f"{best.name} may fit, but no picture could be verified by its details; say whether it is that."
        )
        return Identified(None, (reason,), tried)
    return Identified(best.trail_id, (_praise(best, fitting[1:]),), tried)


def _why_none_fits(tried: tuple[Tried, ...]) -> tuple[str, ...]:
    if not tried:
        return (
            "No known trail looks like this run or passes where it was ridden. Choose its trail, or make it "
            "the first run of a new one.",
        )
    names = [one.name for one in tried]
    neither = (
        f"It does not fit {names[0]}." if len(names) == 1 else f"It fits neither {_listed(names, 'nor')}."
    )
    return (neither, *(f"{tried[0].name}: {reason}" for reason in tried[0].reasons[:1]))


def _from_best(one: Tried) -> tuple[bool, float, str]:
    return one.decision is Decision.REJECT, -one.fit, one.trail_id


def _praise(best: Tried, others: list[Tried]) -> str:
    lines_up = f"{best.coverage:.0%} of the run lines up with {best.name}"
    if not others:
        return f"{lines_up}, and no other trail fits."
    return f"{lines_up}; the next best, {others[0].name}, fits {others[0].fit / best.fit:.0%} as well."


def _listed(names: list[str], last: str) -> str:
    return f" {last} ".join(filter(None, (", ".join(names[:-1]), names[-1])))
