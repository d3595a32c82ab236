"""How a camera turned about the vertical, from its gyroscope and from which way is up."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from mtbsync_engine.model import FloatArray, Motion
from mtbsync_engine.telemetry.track import cell_means

# Turns of a rider last half a second and more; what is quicker is shaking.
MOTION_HZ = 20.0
# Slower than this a head or a bicycle tilts; quicker are bumps, brakes and bends.
_TILT_HZ = 0.5
# The Gaussian that halves the power there.
_TILT_S = np.sqrt(np.log(2)) / (2 * np.pi * _TILT_HZ)
_SHORTEST_FILTERED = 30


def up_from_acceleration(t_s: FloatArray, acceleration: FloatArray) -> FloatArray:
    """Which way is up at each `t_s` (N,), for acceleration (N, 3) in any unit along any three axes.

    An accelerometer at rest shows the push of the ground, upward. Bumps and brakes are taken out by a
    low-pass of 0.5 Hz that shifts nothing in time. Shape (N, 3).
    """
    rate_hz = (t_s.size - 1) / (t_s[-1] - t_s[0]) if t_s.size > 1 else 0.0
    if t_s.size < _SHORTEST_FILTERED or rate_hz <= 4 * _TILT_HZ:
        return np.broadcast_to(acceleration.mean(axis=0), acceleration.shape)
    up: FloatArray = gaussian_filter1d(acceleration, _TILT_S * rate_hz, axis=0, mode="nearest")
    return up


def turning(t_s: FloatArray, gyro_radps: FloatArray, t_up_s: FloatArray, up: FloatArray) -> Motion | None:
    """The turn about the vertical at 20 Hz at most, from rates (N, 3) at `t_s` and `up` (M, 3) at `t_up_s`.

    Both are along the same three axes, whichever those are: the rate about the vertical is their scalar
    product, which no change of axes alters. None where there is nothing to tell it from.
    """
    if t_s.size == 0 or t_up_s.size == 0:
        return None
    up_then = np.stack([np.interp(t_s, t_up_s, up[:, k]) for k in range(3)], axis=1)
    length = np.linalg.norm(up_then, axis=1)
    turn_radps = (gyro_radps * up_then).sum(axis=1) / np.where(length > 0, length, np.nan)
    known = np.isfinite(turn_radps)
    if not known.any():
        return None
    mean = cell_means(t_s[known], 1 / MOTION_HZ)
    return Motion(mean(t_s[known]), mean(turn_radps[known]))
