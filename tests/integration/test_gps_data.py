"""GPX files of two rides of one trail, read and laid on each other, against the known truth."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from mtbsync_engine.align.gps import GpsPrior, align_tracks, standing
from mtbsync_engine.model import FloatArray, Track
from mtbsync_engine.telemetry.read import read_track

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "sample"
SHARED = ROOT.parent / "shared" / "data"
PAIRS = [SAMPLE, SHARED / "pairs" / "forest_easy", SHARED / "pairs" / "other_trail"]
MARATHON = SHARED / "gps"


def tracks(folder: Path) -> tuple[Track, Track]:
    if not folder.exists():
        pytest.skip(f"needs {folder.name}, which is not part of the project")
    return read_track(folder / "new.gpx"), read_track(folder / "ref.gpx")


def truth(path: Path) -> tuple[FloatArray, FloatArray]:
    table = np.genfromtxt(path, delimiter=",", names=True)
    return table["t_new"], table["t_ref"]


def aligned(new: Track, ref: Track, **options: object) -> GpsPrior:
    prior = align_tracks(new, ref, **options)  # type: ignore[arg-type]
    assert prior is not None
    return prior


def errors(prior: GpsPrior, t_new_s: FloatArray, t_ref_s: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Absolute errors in reference seconds, their standard errors, and the share of times that is covered."""
    found_s, se_s = prior.at(t_new_s)
    known = np.isfinite(found_s)
    return np.abs(found_s - t_ref_s)[known], se_s[known], float(known.mean())


@pytest.mark.parametrize("method", ["local", "fastdtw"])
@pytest.mark.parametrize("folder", PAIRS, ids=lambda folder: folder.name)
def test_rides_through_the_forest_are_aligned_to_a_fraction_of_a_second(folder: Path, method: str) -> None:
    prior = aligned(*tracks(folder), method=method)
    off_s, _, covered = errors(prior, *truth(folder / "truth_map.csv"))
    assert prior.is_same_place
    assert prior.separation_m < 2.0
    assert covered > 0.95
    assert np.median(off_s) < 0.25
    assert np.percentile(off_s, 90) < 0.6
    assert off_s.max() < 1.0


def test_errors_are_as_large_as_they_are_said_to_be() -> None:
    ratios = []
    for folder in PAIRS:
        # These files' clocks are those of the videos, exactly.
        off_s, se_s, _ = errors(aligned(*tracks(folder), clock_se_s=0.0), *truth(folder / "truth_map.csv"))
        ratios.append(off_s / se_s)
    share = np.concatenate(ratios)
    # Two minutes of errors that last for many seconds are a dozen independent ones, hence the room.
    assert 0.60 < (share < 1).mean() < 0.90
    assert (share < 1.645).mean() > 0.87


@pytest.mark.parametrize("ref", PAIRS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("new", PAIRS, ids=lambda folder: folder.name)
def test_only_rides_of_one_trail_are_at_the_same_place(new: Path, ref: Path) -> None:
    prior = aligned(tracks(new)[0], tracks(ref)[1])
    assert prior.is_same_place == (new == ref)
    assert prior.valid.any() == (new == ref)


def test_a_sample_ridden_the_other_way_does_not_match() -> None:
    new, ref = tracks(SAMPLE)
    backwards = Track(
        t_s=new.t_s[-1] - new.t_s[::-1],
        east_m=new.east_m[::-1],
        north_m=new.north_m[::-1],
        ele_m=new.ele_m[::-1],
        accuracy_m=new.accuracy_m[::-1],
        origin_lat_deg=new.origin_lat_deg,
        origin_lon_deg=new.origin_lon_deg,
    )
    assert not aligned(backwards, ref).is_same_place


def test_the_stop_in_the_sample_is_seen_and_no_other() -> None:
    new, ref = tracks(SAMPLE)
    t_new_s, t_ref_s = truth(SAMPLE / "truth_map.csv")
    pace = np.gradient(t_ref_s, t_new_s)
    t_s = np.arange(0, new.t_s[-1], 0.1)
    stopped = np.interp(t_s, t_new_s, pace) < 0.1
    still = standing(new, t_s)
    assert still[stopped].mean() > 0.9
    assert not still[(t_s < t_s[stopped][0] - 1) | (t_s > t_s[stopped][-1] + 1)].any()
    assert not standing(ref, ref.t_s).any()


@pytest.fixture(scope="module")
def marathon() -> tuple[Track, Track]:
    if not MARATHON.exists():
        pytest.skip("needs the Green Marathon, which is not part of the project")
    return (
        read_track(MARATHON / "green_marathon_activity_4_15_17.gpx"),
        read_track(MARATHON / "green_marathon_segment.gpx"),
    )


@pytest.mark.parametrize("method", [pytest.param("local", marks=pytest.mark.long), "fastdtw"])
def test_a_marathon_run_three_times_slower_than_the_reference_is_followed_through_the_town(
    marathon: tuple[Track, Track], method: str
) -> None:
    prior = aligned(*marathon, method=method, clock_se_s=0.0)
    t_new_s, t_ref_s = truth(MARATHON / "gt_green_marathon.csv")
    # Start and finish are one place, and the nearest point to the start is the finish.
    after_start = t_new_s > 45
    off_s, se_s, covered = errors(prior, t_new_s[after_start], t_ref_s[after_start])
    assert prior.is_same_place
    assert covered > 0.95
    assert np.median(off_s) < 0.3
    assert np.percentile(off_s, 90) < 1.0
    assert np.percentile(off_s, 99) < 5.0
    assert 0.60 < (off_s < se_s).mean() < 0.85
    assert 0.85 < (off_s < 1.645 * se_s).mean() < 0.97


@pytest.mark.long
def test_a_marathon_takes_seconds(marathon: tuple[Track, Track]) -> None:
    start_s = time.process_time()
    aligned(*marathon)
    assert time.process_time() - start_s < 15  # three on a quiet machine
