"""What every format promises: markers keep exactly their frames, and whatever does not come back is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbsync_engine.model import Marker, TransferredMarker
from mtbsync_engine.timing import Rate, Timecode, frame_start_s, nearest_frame
from mtbsync_integrations.formats import Export, cmx3600, format_names, get_format, marker_csv, resolve_edl
from mtbsync_integrations.timeline import build_timeline
from support.rates import RATES

STARTS = [
    Timecode.parse(text, rate, drop_frame)
    for rate in RATES
    for drop_frame in ((False, True) if rate.can_drop else (False,))
    for text in ("00:00:00:00", "01:00:00:00", "10:00:00:00")
]
NAMES = [
    "Gap jump",
    "a|b",
    "two\nlines",
    "carriage\rreturn\r\n",
    'say "hop", then; land',
    "'single'",
    "Größe 大きい 🚵",
    "",
    "3rd drop",
    "  spaces  ",
    "* LOC: 01:00:00:00 RED",
    "TITLE: no",
    "|C:ResolveColorRed |M:x |D:1",
    "=SUM(A1)",
    "long " * 500,
]


def _from_csv(path: Path, start: Timecode) -> list[Marker]:
    back = marker_csv.read_transferred(path)
    return [
        Marker(
            m.marker.marker_id, m.marker.name, m.t_new, m.marker.duration_s, m.marker.colour, m.marker.comment
        )
        for m in back
        if m.t_new is not None
    ]


READERS: dict[str, Callable[[Path, Timecode], Sequence[Marker]]] = {
    "csv": _from_csv,
    "edl": cmx3600.read,
    "resolve-edl": resolve_edl.read,
}


def test_every_format_is_held_to_this() -> None:
    assert tuple(sorted(READERS)) == format_names()


def round_trip(
    name: str, markers: Sequence[Marker], start: Timecode, folder: Path
) -> tuple[list[Marker], Export]:
    """Markers whose t_s is t_new, out through format `name` and back in."""
    transferred = [
        TransferredMarker(m, m.t_s, 0.9, 0.1, needs_review=False, duration_s=m.duration_s) for m in markers
    ]
    duration_s = max((m.t_s for m in markers), default=0.0) + 10.0
    timeline = build_timeline(transferred, start, clip_name="GX010034.MP4", duration_s=duration_s)
    export = get_format(name).write(timeline)
    back: list[Marker] = []
    for suffix, text in export.files:
        path = folder / f"run{suffix}"
        path.write_bytes(text.encode())
        back += READERS[name](path, start)
    return back, export


def frames_of(markers: Sequence[Marker], rate: Rate) -> list[int]:
    return [nearest_frame(m.t_s, rate) for m in markers]


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("start", STARTS, ids=lambda start: f"{start.rate}-{start}")
def test_markers_come_back_on_exactly_their_frames(name: str, start: Timecode, tmp_path: Path) -> None:
    rate = start.rate
    minute = 60 * rate.nominal
    # around drop-frame's minutes and tens of minutes, an hour on, and the last frames of a 12-hour day
    around = [0, minute, 2 * minute, 10 * minute, 11 * minute, 60 * minute, 720 * minute]
    frames = sorted({max(0, f + d) for f in around for d in (-20, -9, -5, -2, -1, 0, 1, 2, 4, 8)})
    markers = [Marker(f"m{f}", f"M{f}", frame_start_s(f, rate)) for f in frames]
    back, _ = round_trip(name, markers, start, tmp_path)
    assert frames_of(back, rate) == frames
    assert [m.name for m in back] == [m.name for m in markers]


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=60, deadline=None)
@given(
    start=st.sampled_from(STARTS),
    times=st.lists(st.floats(0, 36000), max_size=12).map(sorted),
)
def test_times_between_frames_come_back_on_the_nearest_one(
    name: str, start: Timecode, times: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    wanted = [nearest_frame(t, start.rate) for t in times]
    markers = [Marker(f"m{k}", f"M{k}", t) for k, t in enumerate(times)]
    back, export = round_trip(name, markers, start, tmp_path_factory.mktemp("times"))
    said = "".join(loss for loss in export.losses if loss.startswith("Moved"))
    more = re.search(r"and (\d+) more", said)
    assert sorted(m.name for m in back) == sorted(m.name for m in markers)
    frames = {m.name: frame for m, frame in zip(back, frames_of(back, start.rate), strict=True)}
    # Only markers that are said to have moved, one by one or by their number, may stand elsewhere.
    moved = {m.name for m, frame in zip(markers, wanted, strict=True) if frames[m.name] != frame}
    named = set(re.findall(r"'(M\d+)'", said))
    assert named <= moved
    assert len(named) + (int(more[1]) if more else 0) == len(moved)
    if len(set(wanted)) == len(wanted):
        assert not moved


def said(export: Export, kind: str) -> bool:
    return any(loss.startswith(kind) for loss in export.losses)


def assert_texts_survive_or_are_said(before: Marker, back: list[Marker], export: Export) -> None:
    (after,) = back
    assert after.name == before.name or said(export, "Names made fit")
    assert after.comment == before.comment or said(export, "Comments")


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("text", NAMES, ids=range(len(NAMES)))
def test_awkward_names_and_comments_survive_or_are_said_not_to(name: str, text: str, tmp_path: Path) -> None:
    marker = Marker("m1", text, 4.0, comment=text)
    back, export = round_trip(name, [marker], STARTS[0], tmp_path)
    assert_texts_survive_or_are_said(marker, back, export)
    if name == "csv":
        assert (back[0].name, back[0].comment) == (text, text)


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))) | st.text(
    "|*:;,\"' \t\r\n\x0b\x1c\x85\u2028019AaäC:M:D:TITLE:FCM:"
)


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=150, deadline=None)
@given(label=texts, comment=texts)
def test_any_name_and_comment_survives_or_is_said_not_to(
    name: str, label: str, comment: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    start = Timecode.parse("01:00:00:00", Rate(Fraction(25)))
    marker = Marker("m1", label, 4.0, comment=comment)
    back, export = round_trip(name, [marker], start, tmp_path_factory.mktemp("texts"))
    assert frames_of(back, start.rate) == [100]
    assert_texts_survive_or_are_said(marker, back, export)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("colour", ["", "Blue", "red", "Cocoa", "orange", "#12ab9f", "no such colour"])
def test_a_colour_survives_or_is_said_not_to(name: str, colour: str, tmp_path: Path) -> None:
    (back,), export = round_trip(name, [Marker("m1", "A", 4.0, colour=colour)], STARTS[0], tmp_path)
    survives = back.colour.lower() == colour.lower() or not colour
    assert survives != said(export, f"Colour '{colour}' becomes {back.colour}")


@pytest.mark.parametrize("name", READERS)
def test_a_length_survives_to_the_frame_or_is_said_not_to(name: str, tmp_path: Path) -> None:
    start = STARTS[0]
    (back,), export = round_trip(name, [Marker("m1", "A", 4.0, duration_s=2.5)], start, tmp_path)
    survives = nearest_frame(back.duration_s, start.rate) == nearest_frame(2.5, start.rate)
    assert survives != said(export, "Lengths left out: 'A'")


@pytest.mark.parametrize("name", READERS)
def test_an_id_survives_or_is_said_not_to(name: str, tmp_path: Path) -> None:
    (back,), export = round_trip(name, [Marker("m1", "A", 4.0)], STARTS[0], tmp_path)
    assert (back.marker_id == "m1") != said(export, "Left out for every marker: id")


@pytest.mark.parametrize("name", READERS)
def test_a_marker_without_a_place_is_never_placed_and_always_mentioned(name: str) -> None:
    lost = TransferredMarker(Marker("m1", "Lost", 4.0), None, 0.0, None, True, "not seen")
    export = get_format(name).write(build_timeline([lost], STARTS[0], clip_name="x", duration_s=10.0))
    written = "".join(text for _, text in export.files)
    listed = "m1,Lost,4,,0.000,,true" in written
    assert listed != said(export, "Not placed: 'Lost' (not seen)")
    assert listed == ("Lost" in written)
