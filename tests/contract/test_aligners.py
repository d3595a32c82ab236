"""What every way of lining runs up owes: each model, by each matcher's key points and without any."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mtbsync_engine.align.fit import FitParams, fit
from mtbsync_engine.align.match import match
from mtbsync_engine.align.refine import RefineParams
from mtbsync_engine.model import Decision, Matcher, Model
from support.trails import Filmed, Outcome, described_by, film, line_up

_TRAIL = 23
_MPS = 5.0


@dataclass(frozen=True)
class Way:
    """How two rides are lined up."""

    model: Model
    matcher: Matcher
    refine: RefineParams | None

    def line_up(self, new: Filmed, ref: Filmed) -> Outcome:
        new, ref = (described_by(self.matcher, run) for run in (new, ref))
        return line_up(new, ref, model=self.model, refine=self.refine)

    def __str__(self) -> str:
        return f"{self.model}, {self.matcher}, {'looks alone' if self.refine is None else 'key points'}"


_COMPARED = [(Matcher.XFEAT, RefineParams()), (Matcher.ORB, RefineParams()), (Matcher.XFEAT, None)]


@pytest.fixture(params=[Way(model, *compared) for model in Model for compared in _COMPARED], ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    way: Way = request.param
    return way


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("aligners")


@pytest.fixture(scope="module")
def ref(folder: Path) -> Filmed:
    return film(folder / "ref.mp4", lambda t: _MPS * t, 18, _TRAIL)


@pytest.fixture(scope="module")
def later(folder: Path) -> Filmed:
    """Begins 3.43 s into the reference and rides on beyond its end."""
    return film(folder / "later.mp4", lambda t: _MPS * (t + 3.43), 18, _TRAIL)


@pytest.fixture(scope="module")
def within(folder: Path) -> Filmed:
    """Begins 4.1 s later than the reference, at 0.9 of its pace, and ends earlier."""
    return film(folder / "within.mp4", lambda t: _MPS * (4.1 + 0.9 * t), 12, _TRAIL)


@pytest.fixture(scope="module")
def elsewhere(folder: Path) -> Filmed:
    return film(folder / "elsewhere.mp4", lambda t: _MPS * t, 15, _TRAIL + 1)


def _assert_kept(outcome: Outcome) -> None:
    """The promises that hold for every aligner and every pair that lines up."""
    outcome.assert_accurate()
    time_map = outcome.judged.alignment.time_map
    assert outcome.judged.verdict.decision is not Decision.REJECT
    assert (np.diff(time_map.t_new) > 0).all()
    assert (np.diff(time_map.t_ref) > 0).all()
    assert time_map.support[0][0] >= 0
    assert time_map.support[-1][1] <= outcome.judged.alignment.matching.duration_new_s
    shown_and_supported = (outcome.supported & outcome.shown).sum() / outcome.shown.sum()
    assert shown_and_supported > 0.95
    # Half a sampling interval is all that a map may go on by beyond what is shared.
    invented = outcome.supported & ~outcome.shown
    assert invented[: invented.size // 2].sum() * 0.05 <= 0.25
    assert invented[invented.size // 2 :].sum() * 0.05 <= 0.25
    stated = 1.645 * time_map.error_ref_s(outcome.t_new)
    known = np.isfinite(outcome.place_off_s)
    assert (outcome.place_off_s[known] <= stated[known]).mean() >= 0.85


def test_a_run_lies_on_itself(ref: Filmed, way: Way) -> None:
    outcome = way.line_up(ref, ref)
    _assert_kept(outcome)
    assert np.nanmax(outcome.place_off_s) < 0.1
    assert outcome.judged.alignment.time_map.slope(9.0) == pytest.approx(1, abs=0.01)


def test_a_run_that_begins_later(ref: Filmed, later: Filmed, way: Way) -> None:
    outcome = way.line_up(later, ref)
    _assert_kept(outcome)
    assert outcome.judged.alignment.time_map.to_ref(5.0) == pytest.approx(8.43, abs=0.1)


def test_a_run_that_begins_earlier(ref: Filmed, later: Filmed, way: Way) -> None:
    outcome = way.line_up(ref, later)
    _assert_kept(outcome)
    assert outcome.judged.alignment.time_map.to_ref(8.43) == pytest.approx(5.0, abs=0.1)


def test_a_run_that_begins_later_and_ends_earlier(ref: Filmed, within: Filmed, way: Way) -> None:
    outcome = way.line_up(within, ref)
    _assert_kept(outcome)
    assert outcome.judged.alignment.time_map.slope(6.0) == pytest.approx(0.9, abs=0.05)


def test_a_run_that_covers_more_than_the_reference(ref: Filmed, within: Filmed, way: Way) -> None:
    _assert_kept(way.line_up(ref, within))


def test_there_and_back_agree(ref: Filmed, within: Filmed, way: Way) -> None:
    there = way.line_up(within, ref).judged.alignment.time_map
    back = way.line_up(ref, within).judged.alignment.time_map
    moments = np.arange(0.5, 11, 0.25)
    off = np.abs(back.to_ref(there.to_ref(moments)) - moments)
    assert np.isfinite(off).all()
    assert np.percentile(off, 90) < 0.2


def test_the_same_input_gives_the_same_map(ref: Filmed, within: Filmed, way: Way) -> None:
    new_index, ref_index = (described_by(way.matcher, run).index for run in (within, ref))
    first, second = (
        fit(match(new_index, ref_index, way.refine)[0], FitParams(model=way.model)).time_map for _ in range(2)
    )
    for name in ("t_new", "t_ref", "se_s"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.support == second.support


def test_another_trail_is_rejected(ref: Filmed, elsewhere: Filmed, way: Way) -> None:
    judged = way.line_up(elsewhere, ref).judged
    assert judged.verdict.decision is Decision.REJECT
    assert judged.alignment.matching.margin < 0.2
