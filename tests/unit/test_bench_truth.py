"""The benchmark's own arithmetic: markers from a truth, errors of placed ones, and what others wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scripts.bench.accuracy import crosses
from scripts.bench.growth import exponents
from scripts.bench.pairs import Pair
from scripts.bench.peer import read_placed
from scripts.bench.truth import from_rows, summary


def test_a_place_shown_for_a_while_is_right_at_any_of_its_moments() -> None:
    truth = from_rows(np.array([0.0, 1.0, 2.0, 3.0]), np.array([5.0, 6.0, 6.0, 7.0]))
    assert truth.t_ref.tolist() == [5.0, 6.0, 7.0]
    assert truth.off_s(np.array([0.5, 1.7, 2.5])).tolist() == [0.5, 0.0, 0.5]
    assert truth.off_s(np.array([0.0, 0.75, np.nan]))[:2].tolist() == [0.0, 0.25]
    assert np.isnan(truth.off_s(np.array([0.0, 0.0, np.nan]))[2])


def test_one_marker_for_each_second() -> None:
    t_ref = np.array([0.4, 0.9, 1.0, 1.5, 2.0, 3.5])
    truth = from_rows(t_ref + 2, t_ref).every(1.0)
    assert truth.t_ref.tolist() == pytest.approx([0.4, 1.0, 2.0, 3.5])
    assert truth.first_s.tolist() == pytest.approx([2.4, 3.0, 4.0, 5.5])


def test_errors_that_are_not_known_do_not_count() -> None:
    assert summary(np.array([0.1, np.nan, 0.3])) == pytest.approx(
        {"median_s": 0.2, "p90_s": 0.28, "max_s": 0.3}
    )
    assert np.isnan(summary(np.array([np.nan]))["p90_s"])


def test_only_different_trails_are_crossed_and_every_run_is() -> None:
    nowhere = Path()
    pairs = [Pair(f"{trail}{k}", trail, nowhere, nowhere, nowhere) for trail in "abc" for k in range(2)]
    found = crosses(pairs)
    assert {new.name for new, _ in found} == {pair.name for pair in pairs}
    assert all(new.trail != ref.trail for new, ref in found)
    assert len(set(found)) == len(found)


def test_growth_with_the_square_of_length_is_told_from_linear() -> None:
    rows = [
        {"minutes": m, "indexing": {"cpu_s": 3.0 * m}, "aligning": {"cpu_s": 0.1 * m**2}} for m in (1, 5, 60)
    ]
    assert exponents(rows) == pytest.approx({"indexing": 1.0, "aligning": 2.0})


def test_markers_that_a_program_placed_are_read_by_their_number(tmp_path: Path) -> None:
    path = tmp_path / "placed.csv"
    path.write_text("marker_id,t_ref,t_new_est,name\n2,3.0,4.5,c\n0,1.0,2.25,a\n1,2.0,,b\n", encoding="utf-8")
    placed = read_placed(path, "t_new_est", 4)
    assert placed[[0, 2]].tolist() == [2.25, 4.5]
    assert np.isnan(placed[[1, 3]]).all()
