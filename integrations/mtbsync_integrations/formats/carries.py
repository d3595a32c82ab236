"""What a format has a place for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mtbsync_integrations.formats.colours import RGB
from mtbsync_integrations.timeline import MarkerKind


def any_text(text: str) -> str:
    """`text` as it is, for formats that hold any."""
    return text


@dataclass(frozen=True)
class Carries:
    """What a format has a place for; each format module declares one as `CARRIES`.

    Markers:
        palette: the format's colours, empty where it has none, None where it takes any. A marker without a
            colour gets `default_colour`.
        name, comment: give a text as the format can hold it. Without `comment` it has no comments.
        lengths: of more than one frame.
        kinds: those it tells apart.
        one_a_frame: a second marker on a frame has to move.
        whole_seconds: a marker moves back to the second that it is in.
        opening: names a marker that is added where none stands on the first frame.
        ids: a marker's own.
        sync: what mtbsync knows of a marker that it carried over; with `sync_of_all` only where it knows it
            of every one.
        clip_markers: some stand on clips; else they all move to the timeline. With `media_frames` each on a
            frame of its clip's medium.

    The timeline:
        start, drop_frame: its start timecode, and that it counts drop-frame.
        default_size: that of its pictures where none is known; None where the format has no size.

    Clips:
        n_tracks: how many tracks there may be: 0 for a list of markers, None for any number.
        track_names, clip_name: whether tracks have names, and a clip's as the format can hold it.
        generators: clips without a medium.
        speeds: other than the medium's own.
        drifts: speeds that differ by some millionths, exactly and of sound too.
        any_cut: a clip may begin between two frames.
        timecode_only: a medium is known by its reel and timecode alone, as on a tape.
        medium: what is kept of it, of name, url, start, rate, n_frames, size, has_audio and reel.
    """

    palette: Mapping[str, RGB] | None = None
    default_colour: str = ""
    name: Callable[[str], str] = any_text
    comment: Callable[[str], str] | None = any_text
    lengths: bool = False
    kinds: frozenset[MarkerKind] = frozenset({MarkerKind.STANDARD})
    one_a_frame: bool = False
    whole_seconds: bool = False
    opening: str = ""
    ids: bool = False
    sync: bool = False
    sync_of_all: bool = False
    clip_markers: bool = False
    media_frames: bool = False
    start: bool = True
    drop_frame: bool = True
    default_size: tuple[int, int] | None = None
    n_tracks: int | None = 0
    track_names: bool = False
    clip_name: Callable[[str], str] = any_text
    generators: bool = False
    speeds: bool = False
    drifts: bool = False
    any_cut: bool = False
    timecode_only: bool = False
    medium: frozenset[str] = frozenset()
