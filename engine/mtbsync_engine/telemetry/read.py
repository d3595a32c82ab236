"""What there is besides pictures: the camera's own notes, and tracks in files apart."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from mtbsync_engine.errors import TelemetryError
from mtbsync_engine.media.data import read_data
from mtbsync_engine.model import Chapter, Motion, Recording, Telemetry, Track
from mtbsync_engine.telemetry.fit import read_fit
from mtbsync_engine.telemetry.gopro import PAYLOAD_BEGINS, ChapterNotes, read_chapter
from mtbsync_engine.telemetry.gpx import read_fixes
from mtbsync_engine.telemetry.highlights import read_highlights
from mtbsync_engine.telemetry.other import OtherNotes, read_other
from mtbsync_engine.telemetry.track import (
    Dropped,
    Fixes,
    increasing,
    place_by_date,
    posix_s,
    thinned,
    track_from_fixes,
    usable,
)

# Counts changes of what is read from the same file.
STAGE_VERSION = 1

_HEAD_BYTES = 4096
_FIT_MARK = b".FIT"
# The last packet of a chapter may reach beyond its pictures.
_BEYOND_S = 10.0


@dataclass(frozen=True, eq=False)
class CameraNotes:
    """What a camera noted in its video, and how it came about.

    `camera` names what wrote it, None where nothing was found. `fixes` are those that count, on the
    recording's clock, and `dropped` tells of the others. `start_utc_s` is the POSIX second of the first
    picture by GPS, None where that is not known. `n_damaged` is how many pieces could not be read.
    """

    telemetry: Telemetry
    camera: str | None = None
    fixes: Fixes | None = None
    dropped: Dropped = field(default_factory=Dropped)
    start_utc_s: float | None = None
    n_damaged: int = 0


def read_telemetry(recording: Recording) -> Telemetry:
    """What the camera noted besides pictures: see `read_camera`."""
    return read_camera(recording).telemetry


def read_camera(recording: Recording) -> CameraNotes:
    """What the camera noted in the recording's own files.

    That is a GoPro's telemetry and HiLights, joined over chapters. Where there is no such telemetry, and the
    package telemetry-parser is installed, what that finds in other makes. What is damaged is left out.

    Raises:
        MediaError: a file cannot be read.
    """
    highlights_s = tuple(
        chapter.offset_s + t_s
        for chapter in recording.chapters
        for t_s in read_highlights(chapter.path)
        if t_s <= chapter.duration_s
    )
    chapters = [_gopro(chapter) for chapter in recording.chapters]
    found = [(c, notes) for c, notes in zip(recording.chapters, chapters, strict=True) if notes is not None]
    notes = _joined_gopro(found) if found else _joined_other(recording)
    return replace(notes, telemetry=replace(notes.telemetry, highlights_s=highlights_s))


def read_track(path: Path, recording_start_utc: datetime | None = None, offset_s: float = 0.0) -> Track:
    """The track in a GPX or FIT file, on the clock of the recording it goes with.

    The first picture was taken at `recording_start_utc` where that lies within the file's times; else the
    file's first fix that counts is taken to be the first picture. `offset_s` is then added to every time.

    Raises:
        TelemetryError: see `read_fixes` and `read_fit`; or the file is of neither kind, or fewer than two of
            its fixes can be believed.
    """
    track = place_by_date(_fixes_of(path), recording_start_utc, offset_s)
    if track is None:
        raise TelemetryError(
            f"'{path.name}' holds no two positions that can be believed; the receiver had no view of the sky."
        )
    return track


def _fixes_of(path: Path) -> Fixes:
    suffix = path.suffix.lower()
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        if suffix not in (".gpx", ".fit"):
            raise TelemetryError(
                f"'{path}' cannot be read as a track ({error.strerror}); check the path."
            ) from None
        # The reader that its name asks for says what is wrong.
        head = b""
    if head[8:12] == _FIT_MARK or suffix == ".fit":
        return read_fit(path)
    if b"<gpx" in head or suffix == ".gpx":
        return read_fixes(path)
    raise TelemetryError(f"'{path}' is neither a GPX nor a FIT file; export the ride as one of those.")


def _gopro(chapter: Chapter) -> ChapterNotes | None:
    """What a GoPro noted in a chapter: in the original, else in its proxy."""
    for path in dict.fromkeys((chapter.path, chapter.picture_path)):
        # A time beyond the chapter's end is damaged, and may be years away.
        packets = (
            p
            for p in read_data(path, PAYLOAD_BEGINS)
            if p.t_s + p.duration_s <= chapter.duration_s + _BEYOND_S
        )
        notes = read_chapter(packets)
        if notes is not None:
            return notes
    return None


def _joined_gopro(found: list[tuple[Chapter, ChapterNotes]]) -> CameraNotes:
    fixes = _one_after_the_other([notes.fixes.later(chapter.offset_s) for chapter, notes in found])
    believed, dropped = usable(fixes)
    start_utc_s = np.concatenate([notes.utc_at_zero_s - chapter.offset_s for chapter, notes in found])
    return CameraNotes(
        Telemetry(_track(believed), _joined_motion([(chapter, notes.motion) for chapter, notes in found])),
        camera="GoPro",
        fixes=believed,
        dropped=dropped,
        start_utc_s=float(np.median(start_utc_s)) if start_utc_s.size else None,
        n_damaged=sum(notes.n_damaged for _, notes in found),
    )


def _joined_other(recording: Recording) -> CameraNotes:
    """Positions of other makes have dates only, so they are placed by those, as a file apart is."""
    read = [(chapter, read_other(chapter.path)) for chapter in recording.chapters]
    found = [(chapter, notes) for chapter, notes in read if notes is not None]
    if not found:
        return CameraNotes(Telemetry())
    motion = _joined_motion([(chapter, notes.motion) for chapter, notes in found])
    believed, dropped, start_utc_s = _other_fixes(recording, [notes for _, notes in found])
    return CameraNotes(
        Telemetry(_track(believed), motion),
        camera=found[0][1].camera,
        fixes=believed,
        dropped=dropped,
        start_utc_s=start_utc_s,
    )


def _other_fixes(recording: Recording, found: list[OtherNotes]) -> tuple[Fixes | None, Dropped, float | None]:
    parts = [notes.fixes for notes in found if notes.fixes is not None]
    if not parts:
        return None, Dropped(), None
    believed, dropped = usable(_one_after_the_other(parts))
    if not len(believed):
        return believed, dropped, None
    created = recording.created_utc
    start_s = posix_s(created) if created and believed.covers(created) else float(believed.t_s[0])
    return believed.later(-start_s), dropped, start_s


def _one_after_the_other(parts: list[Fixes]) -> Fixes:
    columns = (np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Fixes))
    fixes = Fixes(*columns)
    return fixes.at(increasing(fixes.t_s))


def _joined_motion(parts: list[tuple[Chapter, Motion | None]]) -> Motion | None:
    moved = [(chapter.offset_s + motion.t_s, motion.turn_radps) for chapter, motion in parts if motion]
    if not moved:
        return None
    t_s = np.concatenate([t for t, _ in moved])
    later = increasing(t_s)
    return Motion(t_s[later], np.concatenate([turn for _, turn in moved])[later])


def _track(fixes: Fixes | None) -> Track | None:
    """The track through fixes on the recording's clock; None when there are fewer than two."""
    return None if fixes is None or len(fixes) < 2 else track_from_fixes(thinned(fixes), 0.0)
