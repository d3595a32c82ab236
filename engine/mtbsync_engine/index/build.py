"""From pictures to an index."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mtbsync_engine.errors import MediaError
from mtbsync_engine.index.appearance import describe_appearance, make_appearance_descriptor
from mtbsync_engine.index.local import LocalDescriber
from mtbsync_engine.media import plan_sampling, sample_frames
from mtbsync_engine.model import Index, IndexParams, Recording

MIN_PICTURES = 4
# Below this spread of grey values a picture shows nothing, whatever the noise in it.
_MIN_CONTRAST = 2.0


def build_index(
    recording: Recording,
    params: IndexParams,
    *,
    n_threads: int | None = None,
    on_picture: Callable[[float], None] = lambda t_s: None,
) -> Index:
    """Look at a recording and describe what it shows.

    `on_picture` is called with each picture's time in seconds, for progress.

    Raises:
        MediaError: the video cannot be decoded, is too short, or shows nothing that can be recognised.
    """
    hog = make_appearance_descriptor()
    local = LocalDescriber(params.n_features, params.clahe)
    times, looks, points, descriptors, contrasts = [], [], [], [], []
    plan = plan_sampling(recording, fps=params.fps, fast=params.fast)
    for picture in sample_frames(recording, plan, max_side=params.max_side_px, n_threads=n_threads):
        xy, bits = local.describe(picture.gray)
        times.append(picture.t_s)
        looks.append(describe_appearance(hog, picture.gray))
        points.append(xy)
        descriptors.append(bits)
        contrasts.append(float(picture.gray.std()))
        on_picture(picture.t_s)
    name = recording.path.name
    if len(times) < MIN_PICTURES:
        raise MediaError(
            f"{name} is too short to line up: {len(times)} pictures were taken from it and "
            f"{MIN_PICTURES} are needed; choose a longer clip or a higher --fps."
        )
    if max(contrasts) < _MIN_CONTRAST:
        raise MediaError(
            f"{name} shows one flat colour from beginning to end, so there is nothing to recognise."
        )
    if not any(len(p) for p in points):
        raise MediaError(f"{name} has no detail that could be recognised; was the lens covered or fogged?")
    return Index(
        params=params,
        fingerprint=recording.fingerprint,
        duration_s=recording.duration_s,
        t_s=np.array(times),
        appearance=np.array(looks),
        points=np.concatenate(points),
        descriptors=np.concatenate(descriptors),
        first_point=np.cumsum([0, *map(len, points)]),
    )
