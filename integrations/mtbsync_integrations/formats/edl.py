"""What the edit decision lists share: CMX3600's header, its event line, and text that stays on a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

from mtbsync_engine.errors import ExportError, MarkerError, TimecodeError
from mtbsync_engine.timing import Timecode
from mtbsync_integrations.formats.sources import read_text
from mtbsync_integrations.timeline import Timeline

MAX_EVENTS = 999

_TIMECODE = r"([0-9:;]+)"
EVENT = re.compile(
    rf"\d+\s+(?P<reel>\S+)\s+(?P<channels>\S+)\s+(?P<transition>\S.*?)\s"
    rf"(?P<source_in>{_TIMECODE})\s+(?P<source_out>{_TIMECODE})\s+"
    rf"(?P<record_in>{_TIMECODE})\s+(?P<record_out>{_TIMECODE})"
)
_NUMBERED = re.compile(r"\d+(?:\s|$)")
_FCM = re.compile(r"FCM:\s*(NON[- ])?DROP[- ]FRAME", re.IGNORECASE)
_TITLE = re.compile(r"TITLE:\s*(.*)", re.IGNORECASE)


@dataclass(frozen=True)
class Line:
    """A line of an edit list, stripped, with what is needed to understand a timecode in it."""

    text: str
    number: int
    path: Path
    drop_frame: bool

    @property
    def where(self) -> str:
        """The line's place, for a sentence about it."""
        return f"{self.path}, line {self.number}"

    def event(self) -> re.Match[str] | None:
        """The line as an event (`EVENT`); None where it is something else.

        Raises:
            MarkerError: it begins with a number as only events do, but is none.
        """
        event = EVENT.fullmatch(self.text)
        if event is None and _NUMBERED.match(self.text):
            raise MarkerError(
                f"{self.where}: '{shorten(self.text, 60, placeholder='…')}' is not understood as an event; "
                "export the list again as CMX 3600."
            )
        return event

    def timecode(self, text: str, like: Timecode) -> Timecode:
        """`text` as a timecode that counts at the rate of `like`, drop-frame as the list says.

        Raises:
            MarkerError: it is none, or does not count as `like` does.
        """
        try:
            found = Timecode.parse(text, like.rate, drop_frame=self.drop_frame or None)
        except TimecodeError as error:
            raise MarkerError(f"{self.where}: {error}") from error
        if found.drop_frame != like.drop_frame:
            mode = "drop-frame" if found.drop_frame else "non-drop"
            raise MarkerError(
                f"{self.where}: {text} is {mode} timecode, which the timeline's start {like} is not; "
                "give the start as the edit list counts."
            )
        return found

    def frames_after(self, start: Timecode, timecode: str) -> int:
        """Frames from the timeline's `start` to `timecode`, which may lie past midnight.

        Raises:
            MarkerError: no timecode of this timeline, or one before its start.
        """
        frames = self.timecode(timecode, start).frame - start.frame
        if frames >= 0:
            return frames
        frames += start.frames_per_day
        # A timeline may run past midnight; half a day of it is rather a wrong start.
        if frames > start.frames_per_day // 2:
            raise MarkerError(
                f"{self.where}: {timecode} lies before the timeline's start {start}; give the start that the "
                "timeline had when the markers were exported."
            )
        return frames


@dataclass(frozen=True)
class EditList:
    """A list's title, and its lines that say something else, in order."""

    title: str
    lines: tuple[Line, ...]

    @property
    def drop_frame(self) -> bool:
        """Whether it counts drop-frame, by its own word or by the sign in its first timecode."""
        events = (event for line in self.lines if (event := EVENT.fullmatch(line.text)))
        first = next(events, None)
        says = any(line.drop_frame for line in self.lines)
        return says or (first is not None and ";" in first["record_in"])


def read_list(path: Path) -> EditList:
    """An edit list as it stands in the file; its own frame code mode (FCM) is already understood.

    Raises:
        MarkerError: the file cannot be read, or is no edit list.
    """
    texts = [text.strip() for text in re.split(r"\r\n|\r|\n", read_text(path))]
    titles = [match[1].strip() for text in texts if (match := _TITLE.match(text))]
    if not titles and not any(EVENT.fullmatch(text) for text in texts):
        raise MarkerError(f"{path} is not an edit decision list: it has neither a title nor an event.")
    return EditList(titles[0] if titles else path.stem, tuple(_lines(texts, path)))


def _lines(texts: list[str], path: Path) -> Iterator[Line]:
    drop_frame = False
    for number, text in enumerate(texts, start=1):
        mode = _FCM.match(text)
        if mode is not None:
            drop_frame = mode[1] is None
        elif text and not _TITLE.match(text):
            yield Line(text, number, path, drop_frame)


def header(title: str, start: Timecode) -> str:
    """The lines above the first event."""
    mode = "DROP FRAME" if start.drop_frame else "NON-DROP FRAME"
    return f"TITLE: {one_line(title)}\nFCM: {mode}\n\n"


def event(
    number: int, reel: str, source: tuple[Timecode, Timecode], record: tuple[Timecode, Timecode]
) -> str:
    """A video cut: source in and out, record in and out, the outs exclusive. No line end."""
    times = " ".join(str(timecode) for timecode in (*source, *record))
    return f"{number:03}  {reel:<8} V     C        {times}"


def one_line(text: str, without: str = "") -> str:
    """`text` with a space for its line breaks, control characters and the characters in `without`."""
    parts = re.split(rf"[\x00-\x1f\x7f-\x9f\u2028\u2029{re.escape(without)}]+", text)
    return " ".join(part.strip() for part in parts if part.strip())


def marked_frames(timeline: Timeline) -> int:
    """Where the last of its markers ends, in frames from its start; 0 where there is none."""
    return max((m.frame + m.n_frames for m in timeline.markers), default=0)


def day_warning(start: Timecode, n_frames: int) -> tuple[str, ...]:
    """What to say of timecode that goes on past midnight, where it begins again, as what it tells of lasts
    `n_frames`.

    Raises:
        ExportError: that is longer than a day, so that two of its moments would have one timecode.
    """
    if n_frames > start.frames_per_day:
        hours = float(n_frames / start.rate.fps) / 3600
        raise ExportError(
            f"Timecode tells no more than 24 hours, but this takes {hours:.1f}; export FCPXML or OTIO."
        )
    if start.frame + n_frames < start.frames_per_day:
        return ()
    return (
        "Timecode begins again at midnight, which this timeline passes: check in your editor what comes "
        "after, or export FCPXML or OTIO.",
    )


def rate_warning(start: Timecode, to_check: str = "the first and the last marker") -> tuple[str, ...]:
    """What to say of frame numbers that no edit list had in mind."""
    if start.rate.nominal < 100:
        return ()
    return (
        f"Edit lists have no agreed way to count {start.rate} frames a second ({start}); check "
        f"{to_check} in your editor.",
    )
