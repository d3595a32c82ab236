"""What a recording is: its files, rate, size, length, timecode and date."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from itertools import islice
from pathlib import Path

from mtbsync_engine.errors import MediaError, TimecodeError
from mtbsync_engine.media.chapters import chapter_names, proxy_name
from mtbsync_engine.media.container import OpenVideo, decoded, open_video, quarter_turns
from mtbsync_engine.media.fingerprint import fingerprint
from mtbsync_engine.model import Chapter, Recording
from mtbsync_engine.timing import Rate, Timecode

_CAMERA_RATES = tuple(
    Fraction(rate)
    for nominal in (24, 30, 48, 60, 120, 240)
    for rate in (Fraction(nominal * 1000, 1001), nominal)
) + tuple(Fraction(rate) for rate in (15, 25, 50, 100, 200))
# Rates a thousandth apart (29.97 and 30) stay apart; a clip's last duration, rounded, does not matter.
_SAME_RATE = Fraction(1, 4000)
_DROPPED_FRAMES = Fraction(1, 20)
# Two frames, and room for rounding.
_PROXY_SLACK_FRAMES = 2.5
_MICROSECONDS = 1_000_000
_MATROSKA_DURATION = re.compile(r"(\d+):(\d{2}):(\d{2}(?:\.\d+)?)")


@dataclass(frozen=True)
class _Facts:
    """What one file says about itself."""

    path: Path
    n_bytes: int
    rate: Rate
    width: int
    height: int
    duration_s: float
    start_timecode: Timecode | None
    created_utc: datetime | None
    has_audio: bool
    codec: str

    def continues(self, other: _Facts) -> bool:
        return (self.rate, self.width, self.height) == (other.rate, other.width, other.height)


def probe(path: Path, *, use_proxy: bool = True) -> Recording:
    """The recording that `path` belongs to, whichever of its chapters that is.

    Chapters are the files of the same folder that `chapter_names` finds, as long as they agree in
    rate and size. A camera's proxy serves for pictures when it is as long as the original, to two
    frames; one that is not, or cannot be read, is left aside. Rate, size, timecode and date are the
    original's; the timecode is None where the file has none or one that does not exist at its rate. The
    date is the file's own, which cameras often write in local time.

    Raises:
        MediaError: a file is missing, unreadable, damaged, or holds fewer than two pictures.
    """
    siblings = _names_beside(path)
    files = _chapters_of(path, siblings)
    chapters: list[Chapter] = []
    offset_s = 0.0
    for facts in files:
        picture_path = _proxy_of(facts, siblings) if use_proxy else None
        chapters.append(
            Chapter(facts.path, picture_path or facts.path, offset_s, facts.duration_s, facts.n_bytes)
        )
        offset_s += facts.duration_s
    first = files[0]
    return Recording(
        chapters=tuple(chapters),
        rate=first.rate,
        width=first.width,
        height=first.height,
        start_timecode=first.start_timecode,
        created_utc=first.created_utc,
        fingerprint=fingerprint(facts.path for facts in files),
        has_audio=first.has_audio,
        codec=first.codec,
    )


def _names_beside(path: Path) -> list[str]:
    try:
        return [entry.name for entry in path.parent.iterdir()]
    except OSError:
        # A folder that cannot be listed shows nothing beside the file; the file may still open.
        return []


def _chapters_of(path: Path, siblings: list[str]) -> list[_Facts]:
    given = _inspect(path)
    names = chapter_names(path.name, siblings)
    place = names.index(path.name)
    files = [given]
    for name in names[place + 1 :]:
        following = _inspect(path.with_name(name))
        if not following.continues(given):
            break
        files.append(following)
    for name in reversed(names[:place]):
        preceding = _inspect(path.with_name(name))
        if not preceding.continues(given):
            break
        files.insert(0, preceding)
    return files


def _proxy_of(original: _Facts, siblings: list[str]) -> Path | None:
    name = proxy_name(original.path.name, siblings)
    if name is None:
        return None
    try:
        proxy = _inspect(original.path.with_name(name))
    except MediaError:
        return None
    slack_s = _PROXY_SLACK_FRAMES / min(original.rate.fps, proxy.rate.fps)
    return proxy.path if abs(proxy.duration_s - original.duration_s) <= slack_s else None


def _inspect(path: Path) -> _Facts:
    with open_video(path) as video:
        pictures = list(islice(decoded(video), 2))
        if len(pictures) < 2:
            raise MediaError(
                f"{path} holds fewer than two pictures that can be decoded; give a video, or copy it again "
                "from the card."
            )
        rate = _rate(video)
        _, first = pictures[0]
        lies_on_its_side = quarter_turns(first) % 2 == 1
        width, height = video.stream.width, video.stream.height
        return _Facts(
            path=path,
            n_bytes=video.container.size,
            rate=rate,
            width=height if lies_on_its_side else width,
            height=width if lies_on_its_side else height,
            duration_s=_duration_s(video),
            start_timecode=_start_timecode(video, rate),
            created_utc=_created_utc(video),
            has_audio=bool(video.container.streams.audio),
            codec=video.stream.codec_context.name,
        )


def _rate(video: OpenVideo) -> Rate:
    """The rate on whose grid the pictures lie; for a variable frame rate, the average.

    A camera that dropped a few pictures keeps its grid (`base_rate`) while its average falls a little
    below. With a variable rate the finest grid is some high number that says nothing.
    """
    grid, average = video.stream.base_rate, video.stream.average_rate
    if grid and average and abs(average / grid - 1) > _DROPPED_FRAMES:
        grid = None
    fps = grid or average
    if not fps:
        raise MediaError(f"{video.path} does not say how fast its pictures follow; convert it to MP4.")
    nearest = min(_CAMERA_RATES, key=lambda rate: abs(rate - fps))
    is_camera_rate = abs(fps / nearest - 1) <= _SAME_RATE
    return Rate(nearest if is_camera_rate else fps.limit_denominator(1001))


def _duration_s(video: OpenVideo) -> float:
    if video.stream.duration is not None:
        return video.seconds(video.stream.duration)
    # Matroska writes a track's length as a tag, and else knows only the whole file's.
    if tag := _MATROSKA_DURATION.fullmatch(_tag("duration", video.stream.metadata) or ""):
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
    if video.container.duration is not None:
        return video.container.duration / _MICROSECONDS
    raise MediaError(f"{video.path} does not say how long it is; convert it to MP4.")


def _start_timecode(video: OpenVideo, rate: Rate) -> Timecode | None:
    others = [stream.metadata for stream in video.container.streams.data]
    text = _tag("timecode", video.stream.metadata, video.container.metadata, *others)
    if text is None:
        return None
    with suppress(TimecodeError):
        return Timecode.parse(text, rate)
    return None


def _created_utc(video: OpenVideo) -> datetime | None:
    text = _tag("creation_time", video.container.metadata, video.stream.metadata)
    if text is None:
        return None
    try:
        created = datetime.fromisoformat(text)
    except ValueError:
        return None
    return created.astimezone(UTC) if created.tzinfo else created.replace(tzinfo=UTC)


def _tag(name: str, *places: Mapping[str, str]) -> str | None:
    """The first tag of that name; Matroska writes names in capitals."""
    return next((text for tags in places for key, text in tags.items() if key.lower() == name), None)
