"""How far a map is from the truth, counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtbsync_engine.errors import InputError
from mtbsync_engine.evaluate import evaluate, read_truth
from mtbsync_engine.model import TimeMap

_FRAME_S = 1 / 30


def _map(offset_s: float = 5.0, slope: float = 1.0, se_s: float = 0.1, until_s: float = 20.0) -> TimeMap:
    t_new = np.linspace(0, 20, 41)
    return TimeMap(t_new, offset_s + slope * t_new, np.full(41, se_s), ((0.0, until_s),))


def test_a_perfect_map_has_no_error() -> None:
    t_new = np.linspace(1, 19, 19)
    result = evaluate(_map(), t_new, t_new + 5, frame_s=_FRAME_S)
    assert (result.n, result.covered, result.calibration, result.n_unflagged) == (19, 1.0, 1.0, 0)
    for summary in (result.marker, result.place):
        assert summary.max_s < 1e-9
        assert (summary.within_frame, summary.within_100_ms, summary.within_300_ms) == (1.0, 1.0, 1.0)


def test_an_offset_shows_in_full() -> None:
    t_new = np.linspace(2, 18, 17)
    result = evaluate(_map(5.2), t_new, t_new + 5, frame_s=_FRAME_S)
    for summary in (result.marker, result.place):
        assert (summary.median_s, summary.p90_s, summary.max_s) == pytest.approx((0.2, 0.2, 0.2))
        assert (summary.within_frame, summary.within_100_ms, summary.within_300_ms) == (0.0, 0.0, 1.0)


def test_markers_err_by_the_new_clock_and_places_by_the_reference_s() -> None:
    t_new = np.linspace(5, 15, 11)
    result = evaluate(_map(5.4, slope=2.0), t_new, 5 + 2 * t_new, frame_s=_FRAME_S)
    assert result.place.median_s == pytest.approx(0.4)
    assert result.marker.median_s == pytest.approx(0.2)


def test_shares_are_of_what_was_judged() -> None:
    t_new = np.array([2.0, 4.0, 6.0, 8.0, 10.0])
    off_s = np.array([0.02, 0.05, 0.2, 0.25, 1.0])
    result = evaluate(_map(), t_new, t_new + 5 + off_s, frame_s=_FRAME_S)
    assert result.marker.within_frame == pytest.approx(0.2)
    assert result.marker.within_100_ms == pytest.approx(0.4)
    assert result.marker.within_300_ms == pytest.approx(0.8)
    assert result.marker.median_s == pytest.approx(0.2)
    assert result.marker.p90_s == pytest.approx(0.7)
    assert result.marker.max_s == pytest.approx(1.0)


def test_calibration_is_the_share_within_what_was_stated() -> None:
    t_new = np.array([2.0, 4.0, 6.0, 8.0, 10.0])
    off_s = np.array([0.02, 0.16, -0.17, 0.2, 0.9])
    result = evaluate(_map(), t_new, t_new + 5 + off_s, frame_s=_FRAME_S)
    # Stated are 0.1645 s.
    assert result.calibration == pytest.approx(0.4)


def test_what_is_badly_off_and_trusted_is_counted() -> None:
    t_new = np.array([2.0, 4.0, 6.0, 8.0])
    off_s = np.array([0.4, 0.6, -0.6, 3.0])
    assert evaluate(_map(), t_new, t_new + 5 + off_s, frame_s=_FRAME_S).n_unflagged == 3
    assert evaluate(_map(se_s=0.5), t_new, t_new + 5 + off_s, frame_s=_FRAME_S).n_unflagged == 0


def test_what_the_map_does_not_cover_counts_for_coverage_alone() -> None:
    t_new = np.linspace(0, 19, 20)
    result = evaluate(_map(5.2, until_s=9.9), t_new, t_new + 5, frame_s=_FRAME_S)
    # At t_new 0 the map, 0.2 s ahead, does not reach back to where the truth is.
    assert result.n == 9
    assert result.covered == pytest.approx(0.45)
    assert result.marker.max_s == pytest.approx(0.2)


def test_a_truth_of_another_ride_is_refused() -> None:
    with pytest.raises(InputError, match="covers none"):
        evaluate(_map(), np.array([50.0, 51.0]), np.array([90.0, 91.0]), frame_s=_FRAME_S)


@pytest.mark.parametrize("head", ["", "\ufeff"], ids=["plain", "with a byte order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_truth_is_read_by_its_column_names(tmp_path: Path, head: str, end: str) -> None:
    path = tmp_path / "truth.csv"
    rows = ["place,t_ref,t_new", "root,6.5,1.25", "drop,7.5,2.5"]
    path.write_text(head + end.join(rows) + end, encoding="utf-8", newline="")
    t_new, t_ref = read_truth(path)
    assert t_new.tolist() == [1.25, 2.5]
    assert t_ref.tolist() == [6.5, 7.5]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"t_new,t_ref\n",
        b"t_new,t_ref\n1,2\n",
        b"new,ref\n1,2\n3,4\n",
        b"t_new,t_ref\n1,2\n3\n",
        b"t_new,t_ref\n1,2\n3,soon\n",
        b"t_new,t_ref\n1,2\n3,nan\n",
        b"t_new,t_ref\n1,2\n3,1e999\n",
        b"\xff\xfe\x00",
        b"t_new,t_ref\n1,2\n\x00,3\n",
    ],
    ids=[
        "empty",
        "header only",
        "one row",
        "other columns",
        "a short row",
        "words",
        "nan",
        "infinite",
        "not text",
        "a NUL",
    ],
)
def test_a_truth_that_is_malformed_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "truth.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"truth\.csv"):
        read_truth(path)


def test_a_truth_that_is_missing_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"truth\.csv cannot be read"):
        read_truth(tmp_path / "truth.csv")
