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


# --- any timeline -------------------------------------------------------------------------------

SPEEDS = [
    Fraction(1),
    Fraction(1),
    Fraction(2),
    Fraction(1, 2),
    Fraction(0),
    Fraction(-1),
    Fraction("1.234567"),
]


@st.composite
def _media(draw: st.DrawFn, rate: Rate, number: int) -> Medium:
    own = draw(st.sampled_from([rate, rate, *RATES]))
    drop_frame = own.can_drop and draw(st.booleans())
    width, height = draw(st.sampled_from([(0, 0), (1920, 1080)]))
    # Cameras repeat names, but never in one place.
    url = draw(st.sampled_from(["", f"file:///card%20{number}/GX010034.MP4"]))
    return Medium(
        name="GX010034.MP4" if url else f"Größe {number}.mp4",
        url=url,
        start=Timecode(draw(st.sampled_from([0, 1234, 86_400])), own, drop_frame),
        n_frames=draw(st.sampled_from([0, 100_000])),
        width=width,
        height=height,
        has_audio=draw(st.booleans()),
        reel=draw(st.sampled_from(["", "A001"])),
    )


@st.composite
def _markers(draw: st.DrawFn, n_frames: int, most: int) -> tuple[TimelineMarker, ...]:
    markers = [
        TimelineMarker(
            frame=draw(st.integers(0, n_frames - 1)),
            n_frames=draw(st.sampled_from([1, 1, 2, 30])),
            name=f"M{k}",
            colour=draw(st.sampled_from(["", "red", "#112233"])),
            comment=draw(st.sampled_from(["", "a note"])),
            marker_id=draw(st.sampled_from(["", f"id{k}"])),
            kind=draw(st.sampled_from(MarkerKind)),
        )
        for k in range(draw(st.integers(0, most)))
    ]
    return tuple(sorted(markers, key=lambda m: m.frame))


@st.composite
def _items(draw: st.DrawFn, rate: Rate, media: list[Medium]) -> tuple[Clip | Gap, ...]:
    items: list[Clip | Gap] = []
    for k in range(draw(st.integers(0, 4))):
        n_frames = draw(st.sampled_from([1, 2, 25, 333]))
        footage = draw(st.sampled_from([*media, *media, None]))
        if draw(st.integers(0, 3)) == 0:
            items.append(Gap(n_frames))
            continue
        frames, parts = draw(st.integers(0, 1000)), draw(st.sampled_from([1, 1, 7]))
        items.append(
            Clip(
                name=draw(st.sampled_from([f"clip {k}", "GX010034.MP4"])),
                n_frames=n_frames,
                medium=footage,
                # Far enough in for a clip that runs backwards.
                source_in_s=100 + frames / rate.fps / parts if footage else Fraction(0),
                speed=draw(st.sampled_from(SPEEDS)) if footage else Fraction(1),
                markers=draw(_markers(n_frames, 3)),
            )
        )
    return tuple(items)


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Any timeline: titles alone on a track, held and reversed clips, footage of other rates and of unknown
    length or place, namesakes, markers that share a frame or lie past the end."""
    start = draw(st.sampled_from(STARTS))
    media = [draw(_media(start.rate, number)) for number in range(draw(st.integers(1, 3)))]
    tracks = [
        Track(draw(st.sampled_from([f"Video {number + 1}", "Run"])), draw(_items(start.rate, media)))
        for number in range(draw(st.integers(0, 3)))
    ]
    width, height = draw(st.sampled_from([(0, 0), (3840, 2160)]))
    return Timeline("T", start, tuple(tracks), draw(_markers(1000, 6)), (), width, height)
