"""Made rides: their truth is where the riders were, and their pictures show it."""

from __future__ import annotations

import numpy as np
import pytest

from support.lens import filmed
from support.made import KINDS, recipe_of, true_times

_SMALL = (96, 54)


@pytest.mark.parametrize("kind", KINDS)
def test_at_true_times_both_riders_are_at_one_place(kind: str) -> None:
    recipe = recipe_of(kind, 3)
    t_new, t_ref = true_times(recipe)
    new_m, ref_m = (
        ride.positions_m()[np.round(t_s / 0.001).astype(int)]
        for ride, t_s in ((recipe.new, t_new), (recipe.ref, t_ref))
    )
    assert t_new.size > 100
    assert recipe.place_m(new_m) == pytest.approx(ref_m, abs=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_ride_and_another_seed_another(kind: str) -> None:
    def first_picture(seed: int) -> np.ndarray:
        ride = recipe_of(kind, seed).new
        return filmed(ride.camera, ride.trail, 40.0, 8.0, _SMALL, season=ride.season, day=ride.day)

    assert np.array_equal(first_picture(1), first_picture(1))
    assert np.abs(first_picture(1).astype(float) - first_picture(2)).mean() > 10


def test_a_second_lap_and_a_look_alike_show_what_was_shown_before() -> None:
    for kind, first_m, again_m in (("two_laps", 50.0, 110.0), ("look_alikes", 22.0, 62.0)):
        ride = recipe_of(kind, 1).ref
        plain = recipe_of("lens", 1).ref
        then, again = (
            filmed(ride.camera, ride.trail, m, 1.0, _SMALL).astype(float) for m in (first_m, again_m)
        )
        elsewhere = filmed(plain.camera, plain.trail, again_m, 1.0, _SMALL)
        assert np.abs(again - then).mean() < 0.5 * np.abs(elsewhere - then).mean()


def test_a_rider_at_rest_stays_where_he_is() -> None:
    positions = recipe_of("stop_in_new", 0).new.positions_m()
    assert np.ptp(positions[14_100:19_900]) == 0
    assert (np.diff(positions[:13_000]) > 0).all()
