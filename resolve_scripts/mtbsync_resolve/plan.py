"""What to add, change and take away so that a timeline shows the wanted markers: pure decisions.

Every marker that mtbsync writes carries in its customData `mtbsync:RUN/ID#STAMP`. `RUN/ID`, the key, says
which marker it is. The stamp is a checksum of how it looked when it was written, so a marker that no longer
fits its stamp was changed by the user, and is theirs from then on. Nothing needs to be remembered elsewhere.
"""

from typing import Container, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

PREFIX = "mtbsync:"
# The largest prime below 2**32: with bytes times 257 every step stays exact in Lua's doubles too.
_MODULUS = 4294967291


class Marker(NamedTuple):
    """A timeline marker; `frame` counts from the timeline's start, `n_frames` is its length."""

    frame: int
    colour: str
    name: str
    note: str
    n_frames: int
    custom_data: str = ""


class Step(NamedTuple):
    """One change: `before` goes, `after` comes. Without `before` it adds, without `after` it takes away."""

    before: Optional[Marker]
    after: Optional[Marker]


class Plan(NamedTuple):
    """The steps, and the markers that did not get what was wanted.

    `kept` were changed by the user and stay as they are. `removed` were taken away by the user and stay
    away. `shifted` stand on another frame than the wanted one, as that was taken; each with the number of
    frames. `unplaced` found no free frame within reach, or lie outside the timeline.
    """

    steps: List[Step]
    kept: List[Marker]
    removed: List[Marker]
    shifted: List[Tuple[Marker, int]]
    unplaced: List[Marker]


class Undo(NamedTuple):
    """The steps back, and the markers left alone because the user has changed something there since."""

    steps: List[Step]
    refused: List[Marker]


def key_of(marker: Marker) -> str:
    """`RUN/ID` of a marker that mtbsync wrote; empty for anybody else's."""
    if not marker.custom_data.startswith(PREFIX):
        return ""
    return marker.custom_data[len(PREFIX) :].rpartition("#")[0]


def run_of(key: str) -> str:
    """The run that a key belongs to."""
    return key.partition("/")[0]


def stamped(key: str, marker: Marker) -> Marker:
    """The marker as mtbsync writes it under `key`."""
    fields = (str(marker.frame), marker.colour, str(marker.n_frames), marker.name, marker.note)
    stamp = 0
    for byte in "\n".join(fields).encode("utf-8", "replace"):
        stamp = (stamp * 257 + byte) % _MODULUS
    return marker._replace(custom_data=f"{PREFIX}{key}#{stamp:08x}")


def is_untouched(marker: Marker) -> bool:
    """Whether mtbsync wrote the marker and nobody has changed it since."""
    key = key_of(marker)
    return bool(key) and stamped(key, marker) == marker


def plan(
    wanted: Dict[str, Marker],
    present: Sequence[Marker],
    runs: Container[str],
    n_frames: int,
    reach: int,
    removed: Container[str] = (),
) -> Plan:
    """How the timeline's markers, `present`, become the `wanted` ones, by key.

    Only untouched markers of `runs` are changed or taken away. Of two on one frame the first (by frame,
    then key) keeps it; the other looks for a free frame up to `reach` later, then up to `reach` earlier,
    within the timeline's `n_frames`. `removed` are keys that the user has taken away.

    Applying the steps and planning again gives no steps.
    """
    own: List[Marker] = []
    others: List[Marker] = []
    for marker in present:
        (own if is_untouched(marker) and run_of(key_of(marker)) in runs else others).append(marker)
    own_keys = {key_of(m) for m in own}
    changed_keys = {key_of(m) for m in others} - own_keys
    absent = {key for key in wanted if key in removed and key not in own_keys | changed_keys}
    open_keys = sorted(set(wanted) - changed_keys - absent, key=lambda key: (wanted[key].frame, key))

    frames = _assign(
        [(wanted[key].frame, key) for key in open_keys], {m.frame for m in others}, n_frames, reach
    )
    targets = {key: stamped(key, wanted[key]._replace(frame=frame)) for key, frame in frames.items()}
    steps: List[Step] = []
    settled = {key_of(m) for m in own if targets.get(key_of(m)) == m}
    for marker in own:
        key = key_of(marker)
        if targets.get(key) == marker:
            continue
        if key in targets and key not in settled:
            settled.add(key)
            steps.append(Step(marker, targets[key]))
        else:
            steps.append(Step(marker, None))
    steps += [Step(None, targets[key]) for key in open_keys if key in targets and key not in settled]
    return Plan(
        steps=steps,
        kept=[m for m in others if key_of(m) in changed_keys and key_of(m) in wanted],
        removed=[wanted[key] for key in sorted(absent)],
        shifted=[
            (wanted[key], frames[key] - wanted[key].frame)
            for key in open_keys
            if key in frames and frames[key] != wanted[key].frame
        ],
        unplaced=[wanted[key] for key in open_keys if key not in frames],
    )


def undo(done: Sequence[Step], present: Sequence[Marker]) -> Undo:
    """How to take back the steps that were `done`, as far as the user has not been there since.

    What was added goes, what was changed or taken away comes back exactly as it was. A marker is refused
    when the user has changed or removed it, or has put another on the frame it would return to.
    """
    at = {m.frame: m for m in present}
    keys = {key_of(m) for m in present}
    back: List[Step] = []
    refused: List[Marker] = []
    for before, after in done:
        if after is None:
            back.append(Step(None, before))
        elif at.get(after.frame) == after:
            back.append(Step(after, before))
        elif before is not None or key_of(after) in keys:
            refused.append(after)
    while True:
        leaving = {step.before.frame for step in back if step.before is not None}
        blocked = [s for s in back if s.after and s.after.frame in at and s.after.frame not in leaving]
        if not blocked:
            return Undo(back, refused)
        refused += [m for step in blocked for m in (step.before or step.after,) if m]
        back = [step for step in back if step not in blocked]


def written_keys(pushes: Iterable[Sequence[Step]]) -> List[str]:
    """The keys that pushes, oldest first, have left on a timeline."""
    keys: Dict[str, bool] = {}
    for steps in pushes:
        for before, after in steps:
            if after is not None:
                keys[key_of(after)] = True
            elif before is not None:
                keys.pop(key_of(before), None)
    return list(keys)


def _assign(
    wishes: Sequence[Tuple[int, str]], taken: Iterable[int], n_frames: int, reach: int
) -> Dict[str, int]:
    """A frame for each key that can have one: first come all whose own frame is free, then the others."""
    occupied = set(taken)
    frames: Dict[str, int] = {}
    crowded: List[Tuple[int, str]] = []
    for frame, key in wishes:
        if not 0 <= frame < n_frames:
            continue
        if frame in occupied:
            crowded.append((frame, key))
        else:
            occupied.add(frame)
            frames[key] = frame
    for frame, key in crowded:
        later = range(frame + 1, min(frame + reach, n_frames - 1) + 1)
        earlier = range(frame - 1, max(frame - reach, 0) - 1, -1)
        free = next((f for way in (later, earlier) for f in way if f not in occupied), None)
        if free is not None:
            occupied.add(free)
            frames[key] = free
    return frames
