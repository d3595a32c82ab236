"""Timelines that hold everything a timeline can hold, for every format to carry or to say what it lost."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from mtbsync_engine.model import Marker, TransferredMarker
from mtbsync_engine.timing import Rate, Timecode, frame_start_s
from mtbsync_integrations.timeline import Clip, Gap, MarkerKind, Medium, Timeline, TimelineMarker, Track
from support.rates import RATES

STARTS = [
    Timecode.parse(text, rate, drop_frame)
    for rate in RATES
    for drop_frame in ((False, True) if rate.can_drop else (False,))
    for text in ("00:00:00:00", "01:00:00:00", "23:59:50:00")
]
AWKWARD_TEXTS = [
    "Gap jump",
    "a|b",
    "two\nlines",
    "carriage\rreturn\r\n",
    'say "hop", then; land',
    "'single' & <double>",
    "Größe 大きい 🚵",
    "",
    "3rd drop",
    "  spaces  ",
    "tab\tin it",
    "* LOC: 01:00:00:00 RED",
    "TITLE: no",
    "|C:ResolveColorRed |M:x |D:1",
    "=SUM(A1)",
    "{'json': [\"yes\"]}",
    "]]> <!-- &amp; -->",
    "\x01control\x7f",
    "long " * 500,
]
# Any text that a file in UTF-8 can hold.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))) | st.text(
    "|*:;,\"' \t\r\n\x0b\x1c\x85\u2028019AaäC:M:D:TITLE:FCM:<>&[]{}\\"
)
COLOURS = ["", "Blue", "red", "Cocoa", "ORANGE", "#12ab9f", "no such colour"]
URLS = [
    "",
    "file:///media/GoPro%20Hero/GX010034.MP4",
    "file:///media/Gr%C3%B6%C3%9Fe/%E5%A4%A7.mp4",
    "file:///C:/Trail%20A/run.mp4",
    "file://nas/share/100%25%20%23run.mp4",
]


def point(frame: int, name: str = "A", **more: object) -> TimelineMarker:
    """A marker of one frame."""
    return TimelineMarker(frame, name=name, **more)  # type: ignore[arg-type]


def carried_over(frame: int, rate: Rate, name: str = "T", *, needs_review: bool = False) -> TimelineMarker:
    """A marker that mtbsync placed, a third of a frame off the grid."""
    t_new = float((frame + Fraction(1, 3)) / rate.fps)
    marker = Marker(f"id-{name}", name, 1.5, 0.0, "Orange", "brake", (("line", "left"),))
    transferred = TransferredMarker(marker, t_new, 0.75, 0.125, needs_review, "few sightings")
    return TimelineMarker(frame, 1, name, "Orange", "brake", marker.marker_id, transferred=transferred)


def medium(rate: Rate, *, url: str = URLS[1], start_frame: int = 0, n_seconds: int = 600) -> Medium:
    """Footage of `n_seconds` whose timecode begins at `start_frame`."""
    return Medium(
        name=url.rsplit("/", 1)[-1] or "GX010034.MP4",
        url=url,
        start=Timecode(start_frame, rate),
        n_frames=round(n_seconds * rate.fps),
        width=1920,
        height=1080,
        has_audio=True,
        reel="A001",
    )


def one_clip(start: Timecode, *markers: TimelineMarker, n_seconds: int = 600) -> Timeline:
    """The commonest timeline there is: a run from its first picture to its last, and markers."""
    footage = medium(start.rate, n_seconds=n_seconds)
    clip = Clip(footage.name, footage.n_frames, footage)
    return Timeline("Run 12", start, (Track("Video 1", (clip,)),), markers, width=1920, height=1080)


def rich(start: Timecode) -> Timeline:
    """Two tracks, gaps, cuts, changed speeds, a title, footage of other rates, and markers of every kind."""
    rate, second = start.rate, start.rate.nominal
    own = medium(rate, start_frame=86_400)
    other = medium(Rate(Fraction(60000, 1001)), url=URLS[2], start_frame=1234)
    cut = Fraction(37 * second) / rate.fps
    lower = (
        Gap(second),
        Clip("first", 3 * second, own, cut, markers=(point(5, "on the clip", colour="red"),)),
        Clip("second", 2 * second, own, cut + 3 * second / rate.fps),
        Gap(7),
        Gap(5),
        Clip("faster", 2 * second, other, Fraction(7, 3), Fraction(5, 4)),
        Clip("slower", second, other, Fraction(31, 7), Fraction("0.437512")),
        Clip("title", second, None),
    )
    upper = (Clip("above", 4 * second, medium(rate, url=URLS[3])), Gap(second))
    markers = (
        point(0, "first frame"),
        TimelineMarker(second, second // 2, "range", "Green", "a note", "own id"),
        point(second + 3, "chapter", kind=MarkerKind.CHAPTER),
        point(second + 4, "to do", kind=MarkerKind.TO_DO, comment="more"),
        point(second + 5, "done", kind=MarkerKind.DONE),
        point(3 * second, "same frame", colour="Cyan"),
        point(3 * second, "same frame too"),
        carried_over(4 * second, rate, "sure"),
        carried_over(5 * second, rate, "doubtful", needs_review=True),
        point(6 * second + 9, "no such colour", colour="#12ab9f"),
    )
    lost = TransferredMarker(Marker("id-lost", "Lost", 4.0), None, 0.0, None, True, "not seen")
    return Timeline(
        "Rich",
        start,
        (Track("Video 1", lower), Track("Reference", upper)),
        markers,
        (lost,),
        width=3840,
        height=2160,
    )


def on_frames(start: Timecode, frames: list[int]) -> Timeline:
    """A marker on each of `frames`, named after it."""
    last_s = int(frame_start_s(max(frames, default=0), start.rate)) + 2
    return one_clip(start, *(point(f, f"M{f}") for f in frames), n_seconds=last_s)
