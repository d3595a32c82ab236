"""The whole way from two videos to markers, on rides whose every moment is known."""

from __future__ import annotations

import math
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtbsync_engine.align.fit import FitParams
from mtbsync_engine.align.match import match
from mtbsync_engine.align.refine import RefineParams
from mtbsync_engine.judge import Gates
from mtbsync_engine.markers import transfer
from mtbsync_engine.model import Decision, Marker
from mtbsync_engine.pipeline import fit_and_judge
from support.partings import parting, reference
from support.scene import View
from support.trails import Filmed, Outcome, film, line_up

_TRAIL, _OTHER_TRAIL = 5, 61
_MPS = 5.0
REFINEMENT = pytest.mark.parametrize("refine", [RefineParams(), None], ids=["key points", "looks alone"])


def _steady(t_s: float) -> float:
    return _MPS * t_s


def _with_stop(t_s: float) -> float:
    """Steady, but for a rest of 4 s after 8 s."""
    return _MPS * (t_s - min(max(t_s - 8.0, 0.0), 4.0))


def _varying(t_s: float) -> float:
    """Between 0.6 and 1.6 times the pace of the reference, twice over."""
    period_s = 8.0
    return _MPS * (1.1 * t_s + 0.5 * period_s / (2 * math.pi) * (1 - math.cos(2 * math.pi * t_s / period_s)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trails")


@pytest.fixture(scope="module")
def steady(folder: Path) -> Filmed:
    return film(folder / "steady.mp4", _steady, 20, _TRAIL)


@pytest.fixture(scope="module")
def stopping(folder: Path) -> Filmed:
    return film(folder / "stopping.mp4", _with_stop, 20, _TRAIL)


@pytest.fixture(scope="module")
def long(folder: Path) -> Filmed:
    return film(folder / "long.mp4", _steady, 75, _TRAIL)


def _share_of_shown_supported(outcome: Outcome) -> float:
    return float((outcome.supported & outcome.shown).sum() / outcome.shown.sum())


@REFINEMENT
def test_a_stop_in_the_new_run(steady: Filmed, stopping: Filmed, refine: RefineParams | None) -> None:
    outcome = line_up(stopping, steady, refine=refine)
    outcome.assert_accurate()
    assert _share_of_shown_supported(outcome) > 0.97


@REFINEMENT
def test_a_stop_in_the_reference(steady: Filmed, stopping: Filmed, refine: RefineParams | None) -> None:
    outcome = line_up(steady, stopping, refine=refine)
    outcome.assert_accurate()
    assert _share_of_shown_supported(outcome) > 0.97
    # Wherever in its rest the reference has a marker, it is placed.
    assert np.isfinite(outcome.marker_off_s[round(8.2 / 0.2) : round(11.8 / 0.2)]).all()


@REFINEMENT
def test_a_pace_that_varies(folder: Path, steady: Filmed, refine: RefineParams | None) -> None:
    outcome = line_up(film(folder / "varying.mp4", _varying, 16, _TRAIL), steady, refine=refine)
    outcome.assert_accurate()
    assert _share_of_shown_supported(outcome) > 0.97


@pytest.mark.long
@REFINEMENT
def test_the_middle_third_of_a_long_reference(
    folder: Path, long: Filmed, refine: RefineParams | None
) -> None:
    third = film(folder / "third.mp4", lambda t: 25 * _MPS + 6.0 * t, 20, _TRAIL)
    outcome = line_up(third, long, refine=refine)
    outcome.assert_accurate()
    assert outcome.shown.all()
    assert _share_of_shown_supported(outcome) > 0.97
    placed = np.flatnonzero(np.isfinite(outcome.judged.alignment.time_map.to_new(np.arange(0, 75, 0.05))))
    assert 24.5 < placed[0] * 0.05 < 25.5
    assert 48.5 < placed[-1] * 0.05 < 49.5


@REFINEMENT
def test_a_reference_ten_times_as_long(folder: Path, long: Filmed, refine: RefineParams | None) -> None:
    short = film(folder / "short.mp4", lambda t: 50 * _MPS + 4.4 * t, 7.5, _TRAIL)
    outcome = line_up(short, long, refine=refine)
    outcome.assert_accurate()
    assert _share_of_shown_supported(outcome) > 0.95


@REFINEMENT
def test_another_line_shake_light_and_noise(
    folder: Path, steady: Filmed, refine: RefineParams | None
) -> None:
    evening = View(seed=4, lateral_m=0.5, shake_px=6.0, gain=0.6, noise=8.0)
    outcome = line_up(
        film(folder / "evening.mp4", lambda t: 3 + 4.4 * t, 20, _TRAIL, view=evening), steady, refine=refine
    )
    outcome.assert_accurate()
    assert _share_of_shown_supported(outcome) > 0.95


@pytest.mark.parametrize("back_m", [0.0, 6 * _MPS], ids=["back where it left", "back further on"])
@REFINEMENT
def test_a_detour_is_not_supported(
    folder: Path, steady: Filmed, refine: RefineParams | None, back_m: float
) -> None:
    detour_s = (8.0, 14.0)

    def position_m(t_s: float) -> float:
        return 2 + _steady(t_s) - (6 * _MPS - back_m) * (t_s >= detour_s[1])

    detour = film(
        folder / f"detour{back_m}.mp4", position_m, 19 if back_m else 24, _TRAIL, elsewhere_s=detour_s
    )
    outcome = line_up(detour, steady, refine=refine)
    outcome.assert_accurate()
    assert _share_of_shown_supported(outcome) > 0.93
    inside = (outcome.t_new > detour_s[0] + 1) & (outcome.t_new < detour_s[1] - 1)
    assert not outcome.supported[inside].any()


_PART_AT_M = 90


@pytest.fixture(scope="module")
def wooded(folder: Path) -> Filmed:
    return reference(folder, 1101, 50, 130)


@pytest.mark.parametrize(
    "way",
    [
        {"skipped_m": 3, "stop_before_m": 1.0},
        {"skipped_m": 20},
        {"extra_m": 6},
        {"extra_m": 10},
        {"extra_m": 6, "stop_before_m": 1.0},
    ],
    ids=["a stop before a short cut", "a short cut", "a detour", "a longer detour", "a stop before a detour"],
)
def test_where_the_runs_part_for_a_few_metres_no_marker_is_wrong_unasked(
    folder: Path, wooded: Filmed, way: dict[str, Any]
) -> None:
    outcome = line_up(parting(folder, 1101, 54, 128, at_m=_PART_AT_M, **way), wooded)
    assert outcome.judged.verdict.decision is Decision.ACCEPT
    assert not ((outcome.marker_off_s > 0.5) & ~outcome.flagged).any()
    # Away from there markers are right, and nobody is asked to look.
    parts, meets = (wooded.when_s(np.array([_PART_AT_M + on]))[0] for on in (0.0, way.get("skipped_m", 0)))
    t_ref_s = np.arange(0, wooded.duration_s, 0.2)
    away = np.isfinite(outcome.marker_off_s) & ((t_ref_s < parts - 4) | (t_ref_s > meets + 4))
    assert away.sum() > 15
    assert outcome.marker_off_s[away].max() < 0.15
    assert not outcome.flagged[away].any()


@pytest.mark.parametrize("n_laps", [2, 4])
def test_one_lap_on_a_reference_of_several_waits_for_a_person(folder: Path, n_laps: int) -> None:
    lap_m = 50.0
    ref = film(folder / f"laps{n_laps}.mp4", lambda t: _MPS * t % lap_m, n_laps * lap_m / _MPS, _TRAIL)
    new = film(
        folder / "lap.mp4", lambda t: 1.1 * _MPS * t, 8, _TRAIL, view=View(seed=3, gain=0.9, noise=2.0)
    )
    judged = line_up(new, ref).judged
    assert judged.verdict.decision is Decision.REVIEW
    assert f"fits {n_laps} places of the reference" in judged.verdict.reasons[0]
    assert len(judged.alignment.matching.elsewhere) == n_laps - 1
    placed = transfer(
        [Marker(str(k), "", k * lap_m / _MPS + 4.0) for k in range(n_laps)],
        judged.alignment.time_map,
        judged.verdict.decision,
    )
    (t_new,) = (marker.t_new for marker in placed if marker.t_new is not None)
    assert t_new == pytest.approx(4.0 / 1.1, abs=0.1)
    assert all(marker.needs_review for marker in placed)


@pytest.mark.parametrize("elsewhere_s", [(0.0, 10.0), (14.0, 24.0)], ids=["joins late", "leaves early"])
def test_what_lies_beyond_the_shared_trail_is_not_supported(
    folder: Path, long: Filmed, elsewhere_s: tuple[float, float]
) -> None:
    name = f"elsewhere{elsewhere_s[0]:.0f}.mp4"
    joining = film(folder / name, lambda t: 40 * _MPS + _MPS * t, 24, _TRAIL, elsewhere_s=elsewhere_s)
    outcome = line_up(joining, long)
    outcome.assert_accurate()
    assert _share_of_shown_supported(outcome) > 0.93
    inside = (outcome.t_new > elsewhere_s[0] + (elsewhere_s[0] > 0)) & (outcome.t_new < elsewhere_s[1] - 1)
    assert not outcome.supported[inside].any()


@pytest.fixture(scope="module")
def others(folder: Path) -> list[Filmed]:
    """Rides of four more trails, from 6 s to 20 s."""
    paces = [(_steady, 6), (_varying, 10), (_with_stop, 15), (_steady, 20)]
    return [
        film(folder / f"other{k}.mp4", pace, duration_s, _OTHER_TRAIL + k)
        for k, (pace, duration_s) in enumerate(paces)
    ]


def test_different_trails_are_rejected_with_a_reason(steady: Filmed, others: list[Filmed]) -> None:
    for new, ref in permutations([steady, *others], 2):
        matching, _ = match(new.index, ref.index, None)
        assert matching.margin < 0.2
        verdict = fit_and_judge(matching, FitParams(), Gates()).verdict
        assert verdict.decision is Decision.REJECT
        assert "no better than chance" in verdict.reasons[0]


def test_different_trails_get_no_markers(steady: Filmed, others: list[Filmed]) -> None:
    outcome = line_up(others[-1], steady)
    assert outcome.judged.verdict.decision is Decision.REJECT
    assert np.isnan(outcome.marker_off_s).all()
    assert outcome.flagged.all()
