"""Where a recording went, how high and how fast, in numbers that a page can draw."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter1d

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.sync import telemetry_of
from mtbsync_daemon.tasks.footage import located, track_file
from mtbsync_engine.model import FloatArray, Track
from mtbsync_engine.telemetry.track import TRACK_HZ, VAGUEST_M

_MOST_POINTS = 2000
# Receivers that give a position a second jump from one to the next; over two seconds that evens out.
_SPEED_OVER_S = 2.0
_NOTHING: dict[str, Any] = {
    "t_s": [],
    "east_m": [],
    "north_m": [],
    "ele_m": [],
    "speed_mps": [],
    "origin": None,
}


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """`recording` as in `tasks.footage`.

    Gives `t_s` on the recording's clock and, at these moments, `east_m` and `north_m` of `origin` (latitude,
    longitude), `ele_m` (None where unknown) and `speed_mps`, which is the mean over two seconds (None where
    nobody knows where the rider was). At most 2000 points; none, and no origin, where there is no track.

    Raises:
        AwayError: the recording is not there.
        MediaError: it cannot be read.
    """
    recording = located(params["recording"])
    with work.stage("Reading the track"):
        file = track_file(recording, params["recording"], work)
        track = telemetry_of(recording, file).track
    if track is None:
        return _NOTHING
    # A track may go on for a day, of which the video shows minutes.
    shown = np.flatnonzero((track.t_s >= 0) & (track.t_s <= recording.duration_s))
    if shown.size < 2:
        return _NOTHING
    if shown.size > _MOST_POINTS:
        shown = shown[np.linspace(0, shown.size - 1, _MOST_POINTS).round().astype(np.int64)]
    return {
        "t_s": track.t_s[shown].tolist(),
        "east_m": track.east_m[shown].tolist(),
        "north_m": track.north_m[shown].tolist(),
        "ele_m": _known(track.ele_m[shown]),
        "speed_mps": _known(_speed_mps(track)[shown]),
        "origin": [track.origin_lat_deg, track.origin_lon_deg],
    }


def _speed_mps(track: Track) -> FloatArray:
    """Mean speed over two seconds around each moment (N,); nan across long gaps."""
    n = round(_SPEED_OVER_S * TRACK_HZ) + 1
    mean_mps: FloatArray = uniform_filter1d(track.speed_mps, n, mode="nearest")
    return np.where(track.accuracy_m <= VAGUEST_M, mean_mps, np.nan)


def _known(values: FloatArray) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
