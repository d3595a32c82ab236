"""From pictures to an index."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from mtbsync_engine.errors import MediaError
from mtbsync_engine.index.describe import describers
from mtbsync_engine.index.description import Describer, Description
from mtbsync_engine.media import Picture, plan_sampling, sample_frames
from mtbsync_engine.model import Index, IndexParams, Recording, Weights

MIN_PICTURES = 4
# Below this spread of grey values a picture shows nothing, whatever the noise in it.
_MIN_CONTRAST = 2.0
# Pictures that wait for a describer, for each of them: enough that neither side stands idle for long.
_WAITING = 4


def build_index(
    recording: Recording,
    params: IndexParams,
    *,
    weights: Weights | None = None,
    n_threads: int | None = None,
    on_picture: Callable[[float], None] = lambda t_s: None,
) -> Index:
    """Look at a recording and describe what it shows.

    `weights` is where the networks of a matcher that needs them lie. `on_picture` is called with each
    picture's time in seconds, for progress.

    Raises:
        MediaError: the video cannot be decoded, is too short, or shows nothing that can be recognised.
        MatcherError: what `params` ask for does not run on this computer, or a network cannot be used.
    """
    make_describer = describers(params, weights)
    plan = plan_sampling(recording, fps=params.fps, fast=params.fast)
    pictures = sample_frames(recording, plan, max_side=params.max_side_px, n_threads=n_threads)
    times: list[float] = []
    looks, points = [], []
    # One array that grows: an hour's descriptors joined at the end would lie in memory twice.
    descriptors = bytearray()
    dtype: np.dtype[Any] = np.dtype(np.uint8)
    width = 1
    shows_something = False
    for picture, described in _described(pictures, make_describer, n_threads or os.cpu_count() or 1):
        times.append(picture.t_s)
        looks.append(described.look)
        points.append(described.points)
        descriptors += described.descriptors.tobytes()
        dtype, width = described.descriptors.dtype, described.descriptors.shape[1]
        shows_something = shows_something or float(picture.gray.std()) >= _MIN_CONTRAST
        on_picture(picture.t_s)
    name = recording.path.name
    if len(times) < MIN_PICTURES:
        raise MediaError(
            f"{name} is too short to line up: {len(times)} pictures were taken from it and "
            f"{MIN_PICTURES} are needed; choose a longer clip or a higher --fps."
        )
    if not shows_something:
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
        descriptors=np.frombuffer(descriptors, dtype).reshape(-1, width),
        first_point=np.cumsum([0, *map(len, points)]),
    )


def _described(
    pictures: Iterable[Picture], make_describer: Callable[[], Describer], n_threads: int
) -> Iterator[tuple[Picture, Description]]:
    """Pictures with their descriptions, in order, described on other threads while the next are decoded."""
    own = threading.local()

    def describe(picture: Picture) -> Description:
        describer: Describer | None = getattr(own, "describer", None)
        if describer is None:
            describer = own.describer = make_describer()
        return describer.describe(picture.gray)

    with ThreadPoolExecutor(n_threads) as pool:
        waiting: deque[tuple[Picture, Future[Description]]] = deque()
        for picture in pictures:
            waiting.append((picture, pool.submit(describe, picture)))
            if len(waiting) > _WAITING * n_threads:
                first, description = waiting.popleft()
                yield first, description.result()
        for first, description in waiting:
            yield first, description.result()
