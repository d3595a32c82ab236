"""Rides of which one leaves the trail for a few metres: a corner cut, or a detour, in truer pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mtbsync_engine.index.build import build_index
from mtbsync_engine.media import probe
from mtbsync_engine.model import FloatArray, IndexParams
from support.forest import Copy, Trail
from support.lens import Camera, filmed
from support.made import SIZE, Pace, Ride
from support.trails import STEP_S, Filmed
from support.videos import write_video

# Just the pictures that an index wants.
_RATE = 3
_LENGTH_M = 180
# A part of the same wood that no reference comes by.
_ELSEWHERE_M = 400
_MPS = 4.5


def reference(folder: Path, seed: int, start_m: float, end_m: float) -> Filmed:
    """A ride that keeps to trail `seed`."""
    ride = Ride(Trail(seed, _LENGTH_M), start_m, end_m, Camera(seed=2 * seed))
    return _filmed(folder / f"ref-{seed}.mp4", ride, _every_step_m(ride))


def parting(
    folder: Path,
    seed: int,
    start_m: float,
    end_m: float,
    *,
    at_m: int,
    skipped_m: int = 0,
    extra_m: int = 0,
    stop_before_m: float | None = None,
    stop_s: float = 5.0,
) -> Filmed:
    """A ride on another day that leaves the trail at `at_m` for `extra_m` metres elsewhere and comes back
    `skipped_m` further on; it may stand still for `stop_s`, `stop_before_m` metres before it leaves."""
    elsewhere = (Copy(at_m, _ELSEWHERE_M, extra_m),) if extra_m else ()
    onwards = Copy(at_m + extra_m, at_m + skipped_m, 10 * _LENGTH_M)
    trail = Trail(seed, _LENGTH_M + extra_m - skipped_m, (*elsewhere, onwards))
    camera, pace = Camera(seed=2 * seed + 1, gain=0.9), Pace(1.1 * _MPS)
    ride = Ride(trail, start_m, end_m + extra_m - skipped_m, camera, pace, day=1)
    if stop_before_m is not None:
        rests_at_s = float(np.searchsorted(_every_step_m(ride), at_m - stop_before_m)) * STEP_S
        ride = replace(ride, pace=replace(pace, stops_s=((rests_at_s, rests_at_s + stop_s),)))
    ridden_m = _every_step_m(ride)
    place_m = np.where(ridden_m < at_m, ridden_m, ridden_m - extra_m + skipped_m)
    place_m[(ridden_m >= at_m) & (ridden_m < at_m + extra_m)] = np.nan
    return _filmed(folder / f"new-{seed}.mp4", ride, place_m)


def _every_step_m(ride: Ride) -> FloatArray:
    """Where on its own trail a ride is every `STEP_S`; made rides know it every millisecond."""
    return ride.positions_m()[:: round(STEP_S * 1000)]


def _filmed(path: Path, ride: Ride, place_m: FloatArray) -> Filmed:
    ridden_m = _every_step_m(ride)
    moments = np.arange(0, (ridden_m.size - 1) * STEP_S, 1 / _RATE)
    places = ridden_m[np.round(moments / STEP_S).astype(int)]
    pictures = (
        filmed(ride.camera, ride.trail, at_m, t_s, SIZE, lateral_m=lateral_m, day=ride.day)
        for t_s, at_m, lateral_m in zip(
            moments.tolist(), places.tolist(), ride.lateral_m(places).tolist(), strict=True
        )
    )
    index = build_index(probe(write_video(path, pictures, _RATE, gop=_RATE)), IndexParams())
    # The last picture lasts a while longer than the ride does.
    beyond = np.full(round(2 / _RATE / STEP_S), np.nan)
    return Filmed(path, index, np.concatenate([place_m, beyond]))
