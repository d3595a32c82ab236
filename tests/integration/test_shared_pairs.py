"""Accuracy on footage of known truth: the sample that comes with the project, and pairs that do not."""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from mtbsync_engine.align.fit import FitParams
from mtbsync_engine.align.match import match
from mtbsync_engine.align.refine import RefineParams
from mtbsync_engine.evaluate import evaluate, read_truth
from mtbsync_engine.index.build import build_index
from mtbsync_engine.judge import Gates, Judged
from mtbsync_engine.media import probe
from mtbsync_engine.model import Decision, Index, IndexParams
from mtbsync_engine.pipeline import fit_and_judge

_ROOT = Path(__file__).parents[2]
_PAIRS = _ROOT.parent / "shared" / "data" / "pairs"
_FOLDERS = {
    "sample": _ROOT / "data" / "sample",
    "forest_easy": _PAIRS / "forest_easy",
    "other_trail": _PAIRS / "other_trail",
    "corridor": _PAIRS / "corridor",
}
_RENDERED = ("sample", "forest_easy", "other_trail")


def _folder(name: str) -> Path:
    folder = _FOLDERS[name]
    if not folder.is_dir():
        pytest.skip(f"{name} is not on this machine")
    return folder


@lru_cache
def _index(name: str, which: str) -> Index:
    return build_index(probe(_folder(name) / f"{which}.mp4"), IndexParams())


@lru_cache
def _judged(name: str) -> Judged:
    matching, _ = match(_index(name, "new"), _index(name, "ref"), RefineParams())
    return fit_and_judge(matching, FitParams(), Gates())


@pytest.mark.parametrize("name", _RENDERED)
def test_rendered_rides_are_placed_to_a_frame_or_two(name: str) -> None:
    folder = _folder(name)
    judged = _judged(name)
    result = evaluate(judged.alignment.time_map, *read_truth(folder / "truth_map.csv"), frame_s=1 / 30)
    assert judged.verdict.decision is Decision.ACCEPT
    assert result.covered > 0.97
    for summary in (result.marker, result.place):
        assert summary.median_s <= 0.1
        assert summary.p90_s <= 0.3
    # The goals that the project has set itself.
    assert result.place.median_s <= 1 / 30
    assert result.place.p90_s <= 0.1
    assert result.calibration >= 0.85
    assert result.n_unflagged == 0


def test_a_real_corridor_is_followed_as_well_as_its_truth_is_known() -> None:
    folder = _folder("corridor")
    judged = _judged("corridor")
    # Its truth is given to two pictures of a fifth of a second.
    result = evaluate(judged.alignment.time_map, *read_truth(folder / "truth_map.csv"), frame_s=1 / 5)
    assert judged.verdict.decision is not Decision.REJECT
    assert judged.alignment.matching.margin > 0.6
    assert result.covered > 0.95
    assert result.place.median_s <= 0.4
    assert result.place.p90_s <= 0.6


@pytest.mark.parametrize("name", _RENDERED)
def test_looks_alone_carry_the_result_when_no_key_points_are_compared(name: str) -> None:
    folder = _folder(name)
    matching, _ = match(_index(name, "new"), _index(name, "ref"), None)
    judged = fit_and_judge(matching, FitParams(), Gates())
    result = evaluate(judged.alignment.time_map, *read_truth(folder / "truth_map.csv"), frame_s=1 / 30)
    assert judged.verdict.decision is Decision.REVIEW
    assert result.place.median_s <= 0.1
    assert result.place.p90_s <= 0.3
    assert result.calibration >= 0.85


@pytest.mark.parametrize(("new_name", "ref_name"), list(permutations(_FOLDERS, 2)))
def test_different_trails_are_rejected_with_reasons(new_name: str, ref_name: str) -> None:
    for new_which, ref_which in product(("new", "ref"), repeat=2):
        matching, _ = match(_index(new_name, new_which), _index(ref_name, ref_which), None)
        assert matching.margin < 0.2
    verdict = fit_and_judge(matching, FitParams(), Gates()).verdict
    assert verdict.decision is Decision.REJECT
    assert "no better than chance" in verdict.reasons[0]


@pytest.mark.parametrize("name", _RENDERED)
def test_a_ride_played_backwards_is_rejected(name: str) -> None:
    new, ref = _index(name, "new"), _index(name, "ref")
    counts = np.diff(new.first_point)[::-1]
    backwards = Index(
        params=new.params,
        fingerprint="backwards",
        duration_s=new.duration_s,
        t_s=new.t_s[-1] - new.t_s[::-1],
        appearance=new.appearance[::-1],
        points=np.concatenate([new.local(k)[0] for k in reversed(range(new.t_s.size))]),
        descriptors=np.concatenate([new.local(k)[1] for k in reversed(range(new.t_s.size))]),
        first_point=np.cumsum([0, *counts]),
    )
    matching, _ = match(backwards, ref, None)
    assert fit_and_judge(matching, FitParams(), Gates()).verdict.decision is Decision.REJECT
