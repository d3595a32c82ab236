"""All cameras that recorded one event, laid on one of them.

Sound tells first, and through other cameras where two of them hear too little in common. Where a camera has
no sound, or none that tells, its timecode, the time in its file and at last its pictures have a say; none of
them ever makes a placement look good.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from threadpoolctl import threadpool_limits

from mtbsync_engine.align.fit import FitParams, fit
from mtbsync_engine.align.match import CHANCE_MARGIN, match
from mtbsync_engine.align.refine import RefineParams
from mtbsync_engine.align.sound import match_indexed
from mtbsync_engine.confidence import FAIR_SCORE, Method, Trust
from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.index.sound import SoundIndex, best_first, index_sound
from mtbsync_engine.model import Index, Model
from mtbsync_engine.session import PPM, LineUp, Placement, Sound, SoundMatch
from mtbsync_engine.timing import Rate, Timecode, frame_start_s

# What a clock that somebody set tells, and what one that the camera came with tells. Neither ever looks good.
_TIMECODE_SCORE = 6.0
_CREATED_SCORE = 3.0
_MOST_OF_PICTURES = 7.0
# Files name whole seconds, and cameras' clocks are set by hand.
_CREATED_ERROR_S = 2.0
# What the line through sightings a third of a second apart errs by, over half a minute and more.
_MOST_PACE_ERROR = 0.02
_N_THREADS = 2
# How far a normal error strays in nine cases of ten, in standard errors.
_NINE_IN_TEN = 1.645


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of one camera's recording of `duration_s`: its `sound` if it has any, its pictures'
    `rate`, and the clocks that it was stamped with. `index` makes or loads the index of its pictures, if
    asked; it raises an AlignmentError where they show nothing to go by."""

    sound: Sound | None
    rate: Rate
    start_timecode: Timecode | None
    created_utc: datetime | None
    duration_s: float
    index: Callable[[], Index] | None = None


def line_up(
    cameras: Mapping[str, Evidence],
    wanted_master: str | None = None,
    on_step: Callable[[float], None] = lambda n_done: None,
) -> LineUp:
    """Lay all `cameras`, by label, on one of them: on `wanted_master`, else on the one that sounds best of
    those that heard what others heard, else, where none has any sound, on the longest. The order of the
    labels decides what nothing else does.

    `on_step` is told after how many of the cameras it is done.

    Raises:
        AlignmentError: there is no camera, or none that is called `wanted_master`.
    """
    heard = _heard(cameras)
    qualities = {label: index.quality for label, index in heard.items()}
    if wanted_master is not None and wanted_master not in cameras:
        raise AlignmentError(f"There is no camera called {wanted_master} to lay the others on.")
    on_step(1)
    master, found = _laid_on_one(cameras, heard, wanted_master, lambda n_done: on_step(1 + n_done))
    placements: dict[str, Placement] = {}
    missing: dict[str, str] = {}
    for label in sorted(set(cameras) - {master}):
        told = found.get(label)
        placement = _best_of(told, cameras[master], cameras[label])
        if placement is None:
            missing[label] = _why_nothing(heard.get(label), heard.get(master))
        else:
            placements[label] = placement
    on_step(len(cameras))
    return LineUp(
        master, qualities, placements, {label: found[label].correlation for label in sorted(found)}, missing
    )


def _heard(cameras: Mapping[str, Evidence]) -> dict[str, SoundIndex]:
    """What each camera that has sound sounds like."""
    sounds = {label: cameras[label].sound for label in sorted(cameras)}
    there = {label: sound for label, sound in sounds.items() if sound is not None}
    # The products are small: more threads in each of them would only wait for each other.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(_N_THREADS) as threads:
        return dict(zip(there, threads.map(index_sound, there.values()), strict=True))


def _laid_on_one(
    cameras: Mapping[str, Evidence],
    heard: Mapping[str, SoundIndex],
    wanted_master: str | None,
    on_step: Callable[[int], None],
) -> tuple[str, dict[str, SoundMatch]]:
    """The master, and what the sounds tell of every other camera as placements on it.

    The one that sounds best may have recorded elsewhere: where its sound places fewer than half of the
    others, the next are tried, and the one that places most is taken.
    """
    if wanted_master is not None:
        return wanted_master, _by_sound(wanted_master, heard, on_step)
    candidates = best_first({label: index.quality for label, index in heard.items() if index.tells})
    if not candidates:
        return _longest(cameras), {}
    tried: list[tuple[int, str, dict[str, SoundMatch]]] = []
    for label in candidates:
        found = _by_sound(label, heard, on_step)
        n_placed = sum(told.placement.score >= FAIR_SCORE for told in found.values())
        tried.append((n_placed, label, found))
        # Of two, either fits the other as well.
        if 2 * n_placed >= len(candidates) - 1 or len(candidates) == 2:
            break
    _, master, found = max(tried, key=lambda one: one[0])
    return master, found


def _longest(cameras: Mapping[str, Evidence]) -> str:
    if not cameras:
        raise AlignmentError("There is no camera to line up.")
    return min(cameras, key=lambda label: (-cameras[label].duration_s, label))


def _by_sound(
    master: str, heard: Mapping[str, SoundIndex], on_step: Callable[[int], None]
) -> dict[str, SoundMatch]:
    """What the sounds tell of every camera but the `master`, as placements on that."""
    found: dict[str, SoundMatch] = {}
    if master not in heard:
        return found
    others = [label for label in sorted(heard) if label != master]
    for number, label in enumerate(others):
        told = match_indexed(heard[master], heard[label])
        if told is not None:
            found[label] = told
        on_step(number + 1)
    tried: set[tuple[str, str]] = set()
    while True:
        # Best first, so that a chain hangs on what is surest.
        sure = sorted(
            (label for label in found if _is_good(found[label])), key=lambda a: (-found[a].placement.score, a)
        )
        unsure = [label for label in others if heard[label].tells and label not in sure]
        pairs = [(a, b) for b in unsure for a in sure if (a, b) not in tried]
        if not pairs:
            return found
        for between, label in pairs:
            tried.add((between, label))
            link = match_indexed(heard[between], heard[label])
            if link is None:
                continue
            chained = _chained(found[between].placement, link, between)
            if label not in found or chained.placement.score > found[label].placement.score:
                found[label] = chained


def _is_good(told: SoundMatch) -> bool:
    return told.placement.trust is Trust.LOOKS_GOOD


def _chained(first: Placement, link: SoundMatch, between: str) -> SoundMatch:
    """`link` lies on the camera `between`, which lies on the master as `first` says."""
    second = link.placement
    pace = 1.0 + first.drift_ppm * PPM
    errors_s = [error_s for error_s in (first.error_s, second.error_s) if error_s is not None]
    placement = replace(
        second,
        offset_s=first.to_master(second.offset_s),
        drift_ppm=(pace * (1.0 + second.drift_ppm * PPM) - 1.0) / PPM,
        # A chain is as strong as its weakest link.
        score=min(first.score, second.score),
        error_s=math.hypot(*errors_s) if len(errors_s) == 2 else None,
        through=between,
    )
    return replace(link, placement=placement)


def _best_of(told: SoundMatch | None, master: Evidence, other: Evidence) -> Placement | None:
    """What tells most: sound that is worth looking at, then clocks, then pictures, and sound at last."""
    if told is not None and told.placement.score >= FAIR_SCORE:
        return told.placement
    by_timecode = _by_timecode(master, other)
    if by_timecode is not None:
        return by_timecode
    by_created = _by_created(master, other)
    if by_created is not None:
        return by_created
    by_picture = _by_picture(master, other)
    if by_picture is not None:
        return by_picture
    return told.placement if told is not None and told.placement.score > 0 else None


def _by_timecode(master: Evidence, other: Evidence) -> Placement | None:
    """The cameras' timecodes, if both count alike: only clocks that were set together run so."""
    first, second = master.start_timecode, other.start_timecode
    if first is None or second is None:
        return None
    if (first.rate, first.drop_frame) != (second.rate, second.drop_frame):
        return None
    # A count that begins with the recording begins at an hour, and tells nothing of the time.
    if any(timecode.frame % (timecode.frames_per_day // 24) == 0 for timecode in (first, second)):
        return None
    frames = second.frame - first.frame
    half_a_day = first.frames_per_day // 2
    # Past midnight the count begins again.
    frames = (frames + half_a_day) % first.frames_per_day - half_a_day
    offset_s = frame_start_s(frames, first.rate)
    if not _may_overlap(offset_s, master, other):
        return None
    reason = "The sounds do not tell: it rests on the timecodes, which are right if they were set together."
    error_s = frame_start_s(1, first.rate)
    return Placement(offset_s, 0.0, _TIMECODE_SCORE, error_s, Method.TIMECODE, reason)


def _by_created(master: Evidence, other: Evidence) -> Placement | None:
    """The times in the files, if by these both recorded at once."""
    if master.created_utc is None or other.created_utc is None:
        return None
    offset_s = (other.created_utc - master.created_utc).total_seconds()
    if not _may_overlap(offset_s, master, other):
        return None
    reason = "The sounds do not tell: it rests on the times in the files, as the cameras' clocks were set."
    return Placement(offset_s, 0.0, _CREATED_SCORE, _CREATED_ERROR_S, Method.CREATED, reason)


def _may_overlap(offset_s: float, master: Evidence, other: Evidence) -> bool:
    return -other.duration_s < offset_s < master.duration_s


def _by_picture(master: Evidence, other: Evidence) -> Placement | None:
    """Where the other camera sees what the master saw, at the same pace."""
    if master.index is None or other.index is None:
        return None
    try:
        matching, _ = match(other.index(), master.index(), RefineParams())
        time_map = fit(matching, FitParams(model=Model.AFFINE)).time_map
    except AlignmentError:
        return None
    pace = float(np.diff(time_map.t_ref[[0, -1]])[0] / np.diff(time_map.t_new[[0, -1]])[0])
    # Cameras that ran at once do not differ more; a ride that was ridden twice does.
    if matching.margin < CHANCE_MARGIN or abs(pace - 1.0) > _MOST_PACE_ERROR:
        return None
    middle_s = float(time_map.t_new[[0, -1]].mean())
    offset_s = float(np.interp(middle_s, time_map.t_new, time_map.t_ref)) - middle_s
    score = _MOST_OF_PICTURES * matching.margin
    error_s = _NINE_IN_TEN * float(time_map.se_s.max())
    reason = "The sounds do not tell: it rests on what both cameras saw."
    return Placement(offset_s, 0.0, score, error_s, Method.PICTURE, reason)


def _why_nothing(index: SoundIndex | None, of_master: SoundIndex | None) -> str:
    if index is None or of_master is None:
        whose = "It has no sound" if index is None else "The master has no sound"
        return f"{whose}, and neither clocks nor pictures tell where it lies."
    if index.tells and of_master.tells:
        return (
            "Its sound fits no offset better than others, and neither clocks nor pictures tell where it lies."
        )
    whose = "The master's sound" if index.tells else "Its sound"
    return f"{whose} is silent or too short, and neither clocks nor pictures tell where it lies."
