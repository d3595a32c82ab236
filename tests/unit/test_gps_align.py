"""Two tracks are laid on each other in space, whatever the pace; tracks of different places are told apart.

The trails are made, so the truth is known to the centimetre. A ride knows at which metre of its trail it
was at every moment, and its track is that plus a receiver's errors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from mtbsync_engine.align.gps import GpsPrior, align_tracks, standing
from mtbsync_engine.model import FloatArray, Track

HZ = 10
Trail = FloatArray
# One standard error in each direction, and for how many seconds it lasts; 0: for the whole ride.
OPEN_SKY = ((1.0, 0.0), (0.7, 20.0))
FOREST = ((2.5, 0.0), (2.5, 60.0), (1.5, 10.0))
BETWEEN_HOUSES = ((10.0, 60.0), (1.0, 8.0))


# --- made trails and rides ------------------------------------------------------------------------------


def line(*corners: tuple[float, float]) -> Trail:
    """A trail (n, 2) in metres, east and north, with a point about every metre."""
    ends = np.array(corners, dtype=np.float64)
    legs = [
        a + (b - a) * np.linspace(0, 1, max(1, round(np.hypot(*(b - a)))), endpoint=False)[:, None]
        for a, b in pairwise(ends)
    ]
    return np.concatenate([*legs, ends[-1:]])


def winding(length_m: int, seed: int) -> Trail:
    """A trail with bends some thirty metres apart."""
    rng = np.random.default_rng(seed)
    turn = gaussian_filter1d(rng.normal(size=length_m), 12)
    heading = np.cumsum(0.035 * turn / turn.std())
    heading -= 0.5 * gaussian_filter1d(heading, 150)
    return np.cumsum(np.column_stack([np.cos(heading), np.sin(heading)]), axis=0)


def switchbacks(n_legs: int, apart_m: float = 8.0, length_m: float = 60.0) -> Trail:
    """Legs that run to and fro up a hillside."""
    xs = [0.0, length_m, length_m, 0.0] * n_legs
    return line(*((xs[k], k // 2 * apart_m) for k in range(2 * n_legs)))


def circle(radius_m: float) -> Trail:
    """Once round, counter-clockwise from its southernmost point, where it heads east."""
    angle = np.linspace(0, 2 * np.pi, round(2 * np.pi * radius_m))
    return radius_m * np.column_stack([np.sin(angle), 1 - np.cos(angle)])


@dataclass(frozen=True, eq=False)
class Ride:
    """A track, and the metre of the trail it was at at each of its times."""

    track: Track
    at_m: FloatArray

    def metre(self, t_s: FloatArray) -> FloatArray:
        return np.interp(t_s, self.track.t_s, self.at_m)


def ride(
    trail: Trail,
    speed_mps: float,
    seed: int,
    *,
    first_m: float = 0.0,
    last_m: float = np.inf,
    stops: tuple[tuple[float, float], ...] = (),
    pace_varies: float = 0.3,
    errors: tuple[tuple[float, float], ...] = OPEN_SKY,
    bias_m: tuple[float, float] = (0.0, 0.0),
) -> Ride:
    """Ride the trail between two of its metres, standing at `stops` (metre, seconds), GPS at 1 Hz."""
    rng = np.random.default_rng(seed)
    along_m = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(trail, axis=0).T))])
    last_m = min(last_m, along_m[-1])
    wave = gaussian_filter1d(rng.normal(size=round(40 * (last_m - first_m) / speed_mps * HZ)), 4 * HZ)
    pace = speed_mps * np.exp(pace_varies * wave / wave.std())
    at_m = first_m + np.concatenate([[0.0], np.cumsum(pace) / HZ])
    at_m = at_m[at_m <= last_m]
    for metre, seconds in stops:
        k = int(np.searchsorted(at_m, metre))
        at_m = np.insert(at_m, k, np.full(round(seconds * HZ), at_m[k]))
    t_s = np.arange(at_m.size) / HZ
    fix_s = np.arange(0, t_s[-1], 1.0)
    fixes = [
        np.interp(np.interp(fix_s, t_s, at_m), along_m, trail[:, axis])
        + bias_m[axis]
        + sum(lasting_error(rng, fix_s.size, *error) for error in errors)
        for axis in range(2)
    ]
    t_s = t_s[t_s <= fix_s[-1]]
    east_m, north_m = (PchipInterpolator(fix_s, axis)(t_s) for axis in fixes)
    n = t_s.size
    track = Track(t_s, east_m, north_m, np.full(n, np.nan), np.full(n, 3.0), 46.5, 7.9)
    return Ride(track, at_m[:n])


def lasting_error(rng: np.random.Generator, n: int, sigma_m: float, lasts_s: float) -> FloatArray:
    """An Ornstein-Uhlenbeck process at 1 Hz."""
    keeps = np.exp(-1 / lasts_s) if lasts_s else 1.0
    kicks = rng.normal(size=n) * sigma_m * np.sqrt(1 - keeps**2)
    kicks[0] = rng.normal() * sigma_m
    return lfilter([1.0], [1.0, -keeps], kicks)


def aligned(new: Ride, ref: Ride, **options: object) -> GpsPrior:
    prior = align_tracks(new.track, ref.track, **options)  # type: ignore[arg-type]
    assert prior is not None
    return prior


def error_m(prior: GpsPrior, new: Ride, ref: Ride) -> FloatArray:
    """How far along the trail the reference is at t_ref from where the new run is; nan where not valid."""
    return ref.metre(prior.t_ref_s) - new.metre(prior.t_new_s)


def typical_and_worst_m(prior: GpsPrior, new: Ride, ref: Ride) -> tuple[float, float]:
    off_m = np.abs(error_m(prior, new, ref)[prior.valid])
    return float(np.median(off_m)), float(off_m.max())


# --- tracks of one trail ----------------------------------------------------------------------------------


def test_a_track_laid_on_itself_is_the_identity() -> None:
    once = ride(winding(600, 1), 6, seed=1)
    prior = aligned(once, once, clock_se_s=0.0)
    assert prior.is_same_place
    assert prior.valid.mean() > 0.95
    np.testing.assert_allclose(prior.t_ref_s[prior.valid], prior.t_new_s[prior.valid], atol=0.1)
    assert prior.separation_m < 0.05


@pytest.mark.parametrize(("speed_new_mps", "speed_ref_mps"), [(5, 6), (2, 9), (9, 2)])
def test_pace_does_not_matter(speed_new_mps: float, speed_ref_mps: float) -> None:
    trail = winding(1000, 2)
    new, ref = ride(trail, speed_new_mps, seed=3), ride(trail, speed_ref_mps, seed=4)
    prior = aligned(new, ref)
    assert prior.valid.mean() > 0.95
    assert prior.overlap > 0.95
    typical_m, worst_m = typical_and_worst_m(prior, new, ref)
    assert typical_m < 1.5
    assert worst_m < 8


@pytest.mark.parametrize("method", ["local", "fastdtw"])
@pytest.mark.parametrize("bias_m", [(0.0, 0.0), (3.0, 4.0), (-4.0, 3.0)])
def test_legs_of_switchbacks_are_told_apart_even_with_five_metres_of_bias(
    bias_m: tuple[float, float], method: str
) -> None:
    trail = switchbacks(8)
    new, ref = ride(trail, 4, seed=5, bias_m=bias_m), ride(trail, 6, seed=6)
    prior = aligned(new, ref, method=method)
    assert prior.valid.mean() > 0.95
    assert typical_and_worst_m(prior, new, ref)[1] < 8  # a wrong leg would be 68 m off


@pytest.mark.parametrize("first_m", [0.0, 130.0, 250.0])
def test_part_of_the_switchbacks_is_found_among_all_of_them(first_m: float) -> None:
    trail = switchbacks(8)
    new = ride(trail, 4, seed=5, first_m=first_m, last_m=first_m + 200)
    ref = ride(trail, 6, seed=6)
    prior = aligned(new, ref)
    assert prior.valid.mean() > 0.95
    assert typical_and_worst_m(prior, new, ref)[1] < 8


def test_a_loop_ridden_twice_is_taken_in_order() -> None:
    loop = circle(60)
    trail = np.concatenate([line((-200, 0), (-1, 0)), loop, loop[1:], line((1, 0), (200, 10))])
    new, ref = ride(trail, 4, seed=7, first_m=150), ride(trail, 7, seed=8)
    prior = aligned(new, ref)
    assert prior.valid.mean() > 0.95
    assert typical_and_worst_m(prior, new, ref)[1] < 10  # the other lap is 377 m off


LAP = circle(60)


@pytest.mark.parametrize(("n_laps", "first"), [(1, 0), (1, 1), (2, 1)])
@pytest.mark.parametrize("seed", [70, 80])
def test_which_of_three_laps_is_not_guessed(n_laps: int, first: int, seed: int) -> None:
    three = np.concatenate([LAP, LAP[1:], LAP[1:]])
    lap_m = 2 * np.pi * 60
    new = ride(
        three, 4, seed, first_m=first * lap_m, last_m=min((first + n_laps) * lap_m, 3 * lap_m), errors=FOREST
    )
    prior = aligned(new, ride(three, 6, seed + 1, errors=FOREST))
    assert prior.is_same_place
    assert not prior.valid.any()


@pytest.mark.parametrize("seed", range(4))
def test_as_many_laps_as_the_reference_has_are_taken_in_order(seed: int) -> None:
    three = np.concatenate([LAP, LAP[1:], LAP[1:]])
    new = ride(three, 4, 90 + seed, first_m=LAP.shape[0] / 4 if seed % 2 else 0, errors=FOREST)
    prior = aligned(new, ref := ride(three, 6, 95 + seed, errors=FOREST))
    assert prior.valid.mean() > 0.95
    assert typical_and_worst_m(prior, new, ref)[1] < 15


@pytest.mark.parametrize("seed", range(3))
def test_a_figure_of_eight_is_crossed_straight_on(seed: int) -> None:
    eight = np.concatenate([LAP, (LAP * [1, -1])[1:]])
    new, ref = ride(eight, 4, seed, errors=FOREST), ride(eight, 6, 50 + seed, errors=FOREST)
    prior = aligned(new, ref)
    assert prior.valid.mean() > 0.95
    assert typical_and_worst_m(prior, new, ref)[1] < 15


@pytest.mark.parametrize("seed", range(4))
def test_a_hillside_of_switchbacks_twelve_metres_apart_with_four_metres_of_error(seed: int) -> None:
    hillside, astray = switchbacks(24, apart_m=12.0), ((4.0, 60.0),)
    new, ref = ride(hillside, 4, seed, errors=astray), ride(hillside, 6, 500 + seed, errors=astray)
    prior = aligned(new, ref)
    assert prior.valid.mean() > 0.95
    assert typical_and_worst_m(prior, new, ref)[1] < 25  # another leg would be 72 m off or more


@pytest.mark.parametrize("first_m", [0.0, 830.0])
def test_the_way_back_six_metres_beside_the_way_out_is_told_apart(first_m: float) -> None:
    trail = line((0, 0), (400, 40), (800, 0), (803, 0), (803, 6), (400, 46), (0, 6))
    astray = ((4.0, 60.0),)
    new, ref = ride(trail, 4, 71, first_m=first_m, errors=astray), ride(trail, 6, 72, errors=astray)
    prior = aligned(new, ref)
    assert prior.valid.mean() > 0.95
    assert typical_and_worst_m(prior, new, ref)[1] < 25


def test_a_corner_cut_short_leaves_the_rest_in_its_place() -> None:
    hairpin = line((0, 0), (200, 0), (200, 40), (0, 40))
    shortcut = line((0, 0), (170, 0), (200, 20), (170, 40), (0, 40))
    new, ref = ride(shortcut, 5, seed=73), ride(hairpin, 6, seed=74)
    prior = aligned(new, ref)
    metre = new.metre(prior.t_new_s)
    off_m = ref.metre(prior.t_ref_s) - metre
    before, after = metre < 160, metre > new.at_m[-1] - 160
    assert prior.valid[before].mean() > 0.9
    assert prior.valid[after].mean() > 0.9
    np.testing.assert_allclose(off_m[before & prior.valid], 0, atol=12)
    np.testing.assert_allclose(off_m[after & prior.valid], ref.at_m[-1] - new.at_m[-1], atol=15)


def test_first_fixes_far_off_cost_their_moments_and_no_more() -> None:
    trail = winding(1000, 75)
    new, ref = ride(trail, 5, seed=76), ride(trail, 6, seed=77)
    off_m = np.where(new.track.t_s < 15, 40 * (15 - new.track.t_s), 0.0)
    dense_s = np.arange(0, new.track.t_s[-1], 1 / 18)
    columns = (new.track.east_m + off_m, new.track.north_m - off_m, new.track.ele_m, new.track.accuracy_m)
    dense = (np.interp(dense_s, new.track.t_s, column) for column in columns)
    prior = align_tracks(Track(dense_s, *dense, 46.5, 7.9), ref.track)
    assert prior is not None
    assert prior.valid[prior.t_new_s > 17].mean() > 0.98
    assert not prior.valid[prior.t_new_s < 13].any()
    assert typical_and_worst_m(prior, new, ref)[1] < 12


@pytest.mark.parametrize("first_m", [0.0, 450.0, 700.0])
def test_the_way_out_and_the_way_back_are_told_apart(first_m: float) -> None:
    trail = line((0, 0), (300, 40), (600, 0), (603, 0), (300, 40), (0, 0))
    new, ref = ride(trail, 5, seed=9, first_m=first_m), ride(trail, 3, seed=10)
    prior = aligned(new, ref)
    assert prior.valid.mean() > 0.95
    assert typical_and_worst_m(prior, new, ref)[1] < 10


def test_while_the_new_run_stands_still_the_reference_time_does_too() -> None:
    trail = winding(1000, 11)
    new, ref = ride(trail, 5, seed=12, stops=((400, 60),)), ride(trail, 6, seed=13)
    prior = aligned(new, ref)
    still = np.abs(new.metre(prior.t_new_s) - 400) < 0.5
    t_ref_s = prior.t_ref_s[still]
    assert still.sum() > 100
    assert np.ptp(t_ref_s) < 1.5
    assert typical_and_worst_m(prior, new, ref)[1] < 8


def test_a_stop_of_the_reference_is_passed_at_once_and_admitted_to_be_uncertain() -> None:
    trail = winding(1000, 14)
    new, ref = ride(trail, 5, seed=15), ride(trail, 6, seed=16, stops=((500, 40),))
    prior = aligned(new, ref, clock_se_s=0.0)
    metre = new.metre(prior.t_new_s)
    t_ref_s, se_s = prior.t_ref_s[prior.valid], prior.se_s[prior.valid]
    assert np.diff(t_ref_s).max() > 5
    assert se_s[np.abs(metre[prior.valid] - 500).argmin()] > 3
    assert np.median(se_s) < 0.5
    assert typical_and_worst_m(prior, new, ref)[1] < 8


def test_a_bias_between_two_days_is_found_out_by_the_bends() -> None:
    trail = winding(1500, 17)
    new, ref = ride(trail, 5, seed=18, bias_m=(4.0, -3.0)), ride(trail, 6, seed=19)
    prior = aligned(new, ref)
    assert 1.5 < prior.separation_m < 5
    off_m = error_m(prior, new, ref)[prior.valid]
    assert np.median(np.abs(off_m)) < 1.0
    # On a straight trail nothing tells; there the error says so.
    straight = line((0, 0), (1500, 0))
    far = aligned(ride(straight, 5, seed=18, bias_m=(4.0, -3.0)), ride(straight, 6, seed=19))
    assert np.nanmedian(far.se_s * 6) > 3


def test_nothing_is_said_where_the_reference_never_was() -> None:
    trail = winding(1200, 20)
    new, ref = ride(trail, 5, seed=21), ride(trail, 6, seed=22, first_m=300, last_m=900)
    prior = aligned(new, ref)
    metre = new.metre(prior.t_new_s)
    assert not prior.valid[(metre < 290) | (metre > 910)].any()
    assert prior.valid[(metre > 310) & (metre < 890)].all()
    assert typical_and_worst_m(prior, new, ref)[1] < 8
    assert prior.is_same_place


def test_nothing_is_said_on_a_detour() -> None:
    trail = winding(1000, 23)
    aside = trail[500] + [80.0, -150.0]
    with_detour = np.concatenate(
        [trail[:500], line(tuple(trail[500]), tuple(aside), tuple(trail[500])), trail[500:]]
    )
    new, ref = ride(with_detour, 5, seed=24), ride(trail, 6, seed=25)
    prior = aligned(new, ref)
    metre = new.metre(prior.t_new_s)
    assert not prior.valid[(metre > 545) & (metre < 795)].any()
    after = prior.valid & (metre > 850)
    assert after.sum() > 150
    np.testing.assert_allclose(ref.metre(prior.t_ref_s[after]), metre[after] - 340, atol=8)


def test_a_short_ride_is_found_in_one_ten_times_as_long_and_the_other_way_round() -> None:
    trail = winding(1000, 26)
    start, end = tuple(trail[0]), tuple(trail[-1])
    before = line((start[0] - 2500, start[1] - 900), (start[0] - 200, start[1] - 300), start)
    after = line(end, (end[0] + 300, end[1] + 300), (end[0] + 3000, end[1] + 4000))
    long = ride(np.concatenate([before, trail, after]), 6, seed=27)
    short = ride(trail, 5, seed=28)
    before_m = np.hypot(*np.diff(before, axis=0).T).sum() + 1
    found = aligned(short, long)
    assert found.valid.mean() > 0.95
    np.testing.assert_allclose(
        long.metre(found.t_ref_s[found.valid]) - before_m, short.metre(found.t_new_s[found.valid]), atol=8
    )
    other = aligned(long, short)
    metre = long.metre(other.t_new_s) - before_m
    assert not other.valid[(metre < -10) | (metre > 1010)].any()
    assert other.valid[(metre > 10) & (metre < 990)].all()
    assert found.is_same_place
    assert other.is_same_place


def test_tracks_with_different_origins_meet_on_one_plane() -> None:
    trail = winding(800, 29)
    new, ref = ride(trail, 5, seed=30), ride(trail, 6, seed=31)
    # 0.01 degrees of latitude at 46.5 degrees are 1111.6 m on the ellipsoid.
    moved = replace(new.track, north_m=new.track.north_m - 1111.6, origin_lat_deg=46.51)
    prior = align_tracks(moved, ref.track)
    assert prior is not None
    assert typical_and_worst_m(prior, new, ref)[1] < 8


def test_a_long_gap_in_either_track_leaves_a_gap_in_what_is_said() -> None:
    trail = winding(1000, 32)
    new, ref = ride(trail, 5, seed=33), ride(trail, 6, seed=34)
    unknown = (new.track.t_s > 80) & (new.track.t_s < 110)
    track = replace(new.track, accuracy_m=np.where(unknown, 40.0, 3.0))
    prior = align_tracks(track, ref.track)
    assert prior is not None
    lost = (prior.t_new_s > 80.2) & (prior.t_new_s < 109.8)
    assert not prior.valid[lost].any()
    assert prior.valid[~lost].mean() > 0.95
    unknown = (ref.track.t_s > 60) & (ref.track.t_s < 80)
    track = replace(ref.track, accuracy_m=np.where(unknown, 40.0, 3.0))
    prior = align_tracks(new.track, track)
    assert prior is not None
    t_ref_s = prior.t_ref_s[prior.valid]
    assert not ((t_ref_s > 61.5) & (t_ref_s < 78.5)).any()
    assert typical_and_worst_m(prior, new, ref)[1] < 8


def test_a_long_stop_during_which_the_position_wanders_changes_nothing() -> None:
    wandering = ((2.0, 0.0), (3.0, 60.0))
    typical_m = []
    for seed in range(8):
        trail = winding(1000, seed)
        new = ride(trail, 5, seed=300 + seed, stops=((400, 200),), errors=wandering)
        ref = ride(trail, 6, seed=400 + seed, stops=((700, 200),), errors=wandering)
        prior = aligned(new, ref)
        assert prior.overlap > 0.95
        assert prior.valid.mean() > 0.85
        typical_m.append(typical_and_worst_m(prior, new, ref)[0])
    # As good as without a stop: what is seen of the offset while standing is not taken for new evidence.
    assert np.mean(typical_m) < 2.4


def test_a_fix_gone_astray_costs_its_moment_and_no_more() -> None:
    trail = winding(600, 43)
    new, ref = ride(trail, 5, seed=44), ride(trail, 6, seed=45)
    astray = (new.track.t_s > 40) & (new.track.t_s < 41)
    track = replace(new.track, north_m=new.track.north_m + np.where(astray, 500.0, 0.0))
    prior = align_tracks(track, ref.track)
    assert prior is not None
    around = (prior.t_new_s > 38) & (prior.t_new_s < 43)
    assert prior.valid[~around].mean() > 0.97
    off_m = error_m(prior, new, ref)[prior.valid & ~around]
    assert np.abs(off_m).max() < 8


def test_what_a_receiver_admits_of_a_stretch_is_believed() -> None:
    trail = winding(1000, 38)
    new, ref = ride(trail, 5, seed=39), ride(trail, 6, seed=40)
    t_s = new.track.t_s
    vague = (t_s > 60) & (t_s < 100)
    track = replace(new.track, accuracy_m=np.where(vague, 15.0, 3.0))
    prior = align_tracks(track, ref.track, clock_se_s=0.0)
    assert prior is not None
    among = (prior.t_new_s > 61) & (prior.t_new_s < 99)
    assert prior.valid[among].all()
    # At some six metres a second.
    assert np.median(prior.se_s[among]) > 15 / np.sqrt(2) / 6
    assert np.nanmedian(prior.se_s[~among]) < 0.4


def test_where_there_are_no_bends_what_the_receivers_claim_counts() -> None:
    straight = line((0, 0), (200, 0))
    new, ref = ride(straight, 5, seed=41, errors=()), ride(straight, 6, seed=42, errors=())
    said_s = {}
    for accuracy_m in (3.0, 12.0):
        claims = np.full(new.track.t_s.size, accuracy_m)
        prior = align_tracks(replace(new.track, accuracy_m=claims), ref.track, clock_se_s=0.0)
        assert prior is not None
        said_s[accuracy_m] = float(np.nanmedian(prior.se_s))
    assert 0.15 < said_s[3.0] < 0.6
    assert said_s[12.0] > 2 * said_s[3.0]


@pytest.mark.parametrize(
    ("trails", "receivers", "within_one", "within_90_percent"),
    [
        ("winding", OPEN_SKY, (0.65, 0.92), (0.90, 1.0)),
        ("winding", FOREST, (0.60, 0.85), (0.85, 0.98)),
        ("straight", OPEN_SKY, (0.60, 0.90), (0.85, 1.0)),
        # Bends that receivers make up look like the trail's own; the errors said are a little too small.
        ("straight", BETWEEN_HOUSES, (0.45, 0.80), (0.70, 0.95)),
    ],
    ids=["winding, open sky", "winding, forest", "straight, open sky", "straight, between houses"],
)
def test_errors_are_as_large_as_they_are_said_to_be(
    trails: str,
    receivers: tuple[tuple[float, float], ...],
    within_one: tuple[float, float],
    within_90_percent: tuple[float, float],
) -> None:
    z = []
    for seed in range(12):
        trail = winding(1500, seed) if trails == "winding" else line((0, 0), (1500, 0))
        new = ride(trail, 5, seed=100 + seed, errors=receivers)
        ref = ride(trail, 6, seed=200 + seed, errors=receivers)
        prior = aligned(new, ref, clock_se_s=0.0)
        t_true_s = np.interp(new.metre(prior.t_new_s), ref.at_m, ref.track.t_s)
        z.append(((prior.t_ref_s - t_true_s) / prior.se_s)[prior.valid])
    share = np.abs(np.concatenate(z))
    # Errors last for minutes, so that twelve rides hold but some dozens of independent ones: hence the room.
    assert within_one[0] < (share < 1).mean() < within_one[1]
    assert within_90_percent[0] < (share < 1.645).mean() <= within_90_percent[1]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    speed_new_mps=st.floats(2, 10),
    speed_ref_mps=st.floats(2, 10),
    first_m=st.floats(0, 200),
    stop_s=st.floats(0, 30),
)
def test_whatever_the_ride_the_map_never_runs_back_and_says_how_sure_it_is(
    seed: int, speed_new_mps: float, speed_ref_mps: float, first_m: float, stop_s: float
) -> None:
    trail = winding(500, seed)
    new = ride(trail, speed_new_mps, seed, first_m=first_m, stops=((350, stop_s),), errors=FOREST)
    ref = ride(trail, speed_ref_mps, seed + 1, errors=FOREST)
    prior = aligned(new, ref)
    assert prior.is_same_place
    assert (np.isfinite(prior.t_ref_s) == prior.valid).all()
    assert (np.isfinite(prior.se_s) == prior.valid).all()
    assert (np.diff(prior.t_ref_s[prior.valid]) >= 0).all()
    assert (prior.se_s[prior.valid] >= 0.3).all()
    assert ref.track.t_s[0] <= np.nanmin(prior.t_ref_s)
    assert np.nanmax(prior.t_ref_s) <= ref.track.t_s[-1]


# --- one place or two -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_receivers_that_err_between_houses_are_still_at_one_place(seed: int) -> None:
    trail = winding(1500, seed)
    new = ride(trail, 5, seed=300 + seed, errors=BETWEEN_HOUSES)
    ref = ride(trail, 6, seed=400 + seed, errors=BETWEEN_HOUSES)
    assert aligned(new, ref).is_same_place


@pytest.mark.parametrize("method", ["local", "fastdtw"])
@pytest.mark.parametrize("trail", [winding(1000, 40), line((0, 0), (1000, 0))])
@pytest.mark.parametrize("apart_m", [50.0, 100.0, 5000.0])
def test_a_parallel_trail_is_another_place(apart_m: float, trail: Trail, method: str) -> None:
    prior = aligned(
        ride(trail + np.array([0.0, apart_m]), 5, seed=41), ride(trail, 6, seed=42), method=method
    )
    assert not prior.is_same_place
    assert prior.separation_m > 0.3 * apart_m


def test_straight_trails_that_run_side_by_side_35_m_apart_are_two_places() -> None:
    trail = line((0, 0), (1000, 0))
    prior = aligned(ride(trail + np.array([0.0, 35.0]), 5, seed=41), ride(trail, 6, seed=42))
    assert prior.separation_m == pytest.approx(35, abs=5)
    assert not prior.is_same_place


def test_tracks_on_two_continents_are_of_different_places() -> None:
    trail = winding(1000, 43)
    new, ref = ride(trail, 5, seed=44), ride(trail, 6, seed=45)
    prior = align_tracks(replace(new.track, origin_lat_deg=40.0, origin_lon_deg=-105.3), ref.track)
    assert prior is not None
    assert not prior.valid.any()
    assert not prior.is_same_place
    assert prior.separation_m > 1e6


@pytest.mark.parametrize("seed", range(8))
def test_another_trail_in_the_same_wood_is_another_place(seed: int) -> None:
    one, other = winding(1000, 500 + seed), winding(1000, 600 + seed)
    turned = (other - other.mean(axis=0)) @ np.array([[0.0, 1.0], [-1.0, 0.0]]) + one.mean(axis=0)
    prior = aligned(ride(turned, 5, seed=46, errors=FOREST), ride(one, 6, seed=47, errors=FOREST))
    assert not prior.is_same_place


@pytest.mark.parametrize("method", ["local", "fastdtw"])
@pytest.mark.parametrize(
    "trail", [winding(1000, 48), line((0, 0), (800, 30)), switchbacks(3), switchbacks(12)]
)
def test_the_same_trail_ridden_the_other_way_does_not_match(trail: Trail, method: str) -> None:
    prior = aligned(ride(trail[::-1], 5, seed=49), ride(trail, 6, seed=50), method=method)
    assert not prior.is_same_place
    assert not prior.valid.any()


def test_a_rider_who_goes_nowhere_cannot_be_placed() -> None:
    trail = winding(400, 51)
    moving, waiting = ride(trail, 5, seed=52), ride(trail, 5, seed=53, last_m=5, stops=((4, 60),))
    assert align_tracks(moving.track, waiting.track) is None
    assert align_tracks(waiting.track, moving.track) is None


def test_a_track_that_is_uncertain_throughout_says_nothing() -> None:
    new, ref = ride(winding(400, 54), 5, seed=55), ride(winding(400, 54), 6, seed=56)
    vague = replace(new.track, accuracy_m=np.full(new.track.t_s.size, 60.0))
    assert align_tracks(vague, ref.track) is None


# --- asking -------------------------------------------------------------------------------------------


def test_asking_between_knots_interpolates_and_asking_outside_gives_nan() -> None:
    knots = np.array([0.0, 1.0, 2.0, 3.0])
    nan = np.nan
    prior = GpsPrior(
        t_new_s=knots,
        t_ref_s=np.array([10.0, 12.0, nan, 16.0]),
        se_s=np.array([0.5, 0.7, nan, 0.5]),
        valid=np.array([True, True, False, True]),
        separation_m=1.0,
        overlap=1.0,
    )
    t_ref_s, se_s = prior.at([-0.1, 0.0, 0.5, 1.0, 1.5, 2.5, 3.0, 3.1])
    np.testing.assert_allclose(t_ref_s, [nan, 10, 11, 12, nan, nan, 16, nan])
    np.testing.assert_allclose(se_s, [nan, 0.5, 0.6, 0.7, nan, nan, 0.5, nan])


def test_the_clocks_error_is_part_of_the_whole() -> None:
    trail = winding(600, 57)
    new, ref = ride(trail, 5, seed=58), ride(trail, 6, seed=59)
    exact, vague = aligned(new, ref, clock_se_s=0.0), aligned(new, ref, clock_se_s=2.0)
    np.testing.assert_allclose(vague.se_s, np.hypot(exact.se_s, 2.0))
    np.testing.assert_array_equal(vague.t_ref_s, exact.t_ref_s)


# --- standing still --------------------------------------------------------------------------------------


def test_a_stop_of_a_few_seconds_is_seen_and_riding_slowly_is_none() -> None:
    once = ride(winding(400, 60), 1.5, seed=61, stops=((200, 5),), pace_varies=0.0, errors=((0.5, 30.0),))
    t_s = np.arange(0, once.track.t_s[-1], 0.1)
    stop = t_s[np.abs(once.metre(t_s) - once.metre(np.array([200 / 1.5 + 1]))) < 0.01]
    still = standing(once.track, t_s)
    assert still[(t_s > stop[0] + 1) & (t_s < stop[-1] - 1)].all()
    assert not still[(t_s < stop[0] - 2) | (t_s > stop[-1] + 2)].any()


def test_a_sharp_hairpin_is_no_stop() -> None:
    hairpin = line((0, 0), (60, 0), (60, 2), (0, 2))
    once = ride(hairpin, 2.0, seed=62, pace_varies=0.0, errors=())
    assert not standing(once.track, once.track.t_s).any()


def test_nobody_is_said_to_stand_where_the_track_does_not_tell() -> None:
    once = ride(winding(300, 63), 5, seed=64, stops=((150, 60),), errors=())
    t_s = once.track.t_s
    assert standing(once.track, 45.0)
    assert not standing(once.track, [t_s[0] - 1, t_s[-1] + 1]).any()
    gap = (t_s > 40) & (t_s < 60)
    lost = replace(once.track, accuracy_m=np.where(gap, 40.0, 3.0))
    assert not standing(lost, t_s[gap]).any()
