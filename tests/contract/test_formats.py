"""What every format promises: what is written comes back as it was, and whatever does not is said."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtbsync_engine.errors import ExportError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import Export, export, format_names, get_format
from mtbsync_integrations.formats.fitting import fitted
from mtbsync_integrations.timeline import Timeline, TimelineMarker
from support.timelines import (
    AWKWARD_TEXTS,
    COLOURS,
    STARTS,
    TEXTS,
    URLS,
    medium,
    on_frames,
    one_clip,
    point,
    rich,
    timelines,
)

NAMES = format_names()
HOUR = Timecode.parse("01:00:00:00", Rate(Fraction(25)))
FEW_STARTS = [start for start in STARTS if start.rate.nominal in (24, 25, 30, 60)]


def read_back(name: str, written: Export, start: Timecode, folder: Path) -> Timeline:
    """All files of an export, read with nothing but the timeline's start; markers put together again."""
    parts = []
    for suffix, text in written.files:
        path = folder / f"run{suffix}"
        path.write_bytes(text.encode())
        parts.append(get_format(name).read(path, start.rate, start).timeline)
    markers = tuple(marker for part in parts for marker in part.markers)
    return replace(parts[0], markers=markers)


def assert_comes_back(name: str, timeline: Timeline, folder: Path) -> tuple[Timeline, Export]:
    """What was fitted to the format is read back to the last field; only its title may be the file's name."""
    fit, losses = fitted(timeline, get_format(name).CARRIES)
    written = export(name, timeline)
    assert written.losses[: len(losses)] == losses
    back = read_back(name, written, timeline.start, folder)
    assert replace(back, name="") == replace(fit, name="")
    return fit, written


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("start", STARTS, ids=lambda start: f"{start.rate}-{start}")
def test_everything_a_timeline_can_hold_comes_back_or_was_fitted_away(
    name: str, start: Timecode, tmp_path: Path
) -> None:
    assert_comes_back(name, rich(start), tmp_path)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(timeline=timelines())
def test_any_timeline_comes_back_or_was_fitted(
    name: str, timeline: Timeline, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert_comes_back(name, timeline, tmp_path_factory.mktemp("any"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("start", STARTS, ids=lambda start: f"{start.rate}-{start}")
def test_markers_come_back_on_exactly_their_frames(name: str, start: Timecode, tmp_path: Path) -> None:
    minute = 60 * start.rate.nominal
    # around drop-frame's minutes and tens of minutes, and an hour on
    around = [0, minute, 2 * minute, 10 * minute, 11 * minute, 60 * minute]
    frames = sorted({max(0, f + d) for f in around for d in (-20, -9, -5, -2, -1, 0, 1, 2, 4, 8)})
    timeline = on_frames(start, frames)
    fit, _ = assert_comes_back(name, timeline, tmp_path)
    assert [m.name for m in fit.markers] == [m.name for m in timeline.markers]
    if not get_format(name).CARRIES.whole_seconds:
        assert [m.frame for m in fit.markers] == frames


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(start=st.sampled_from(FEW_STARTS), frames=st.lists(st.integers(0, 20_000), max_size=12).map(sorted))
def test_any_frames_come_back(
    name: str, start: Timecode, frames: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert_comes_back(name, on_frames(start, frames), tmp_path_factory.mktemp("frames"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", AWKWARD_TEXTS, ids=range(len(AWKWARD_TEXTS)))
def test_awkward_names_and_comments_come_back_or_were_made_fit(name: str, text: str, tmp_path: Path) -> None:
    fit, written = assert_comes_back(name, one_clip(HOUR, point(100, text, comment=text)), tmp_path)
    assert fit.markers[-1].name == text or said(written, "Names made fit")
    assert fit.markers[-1].comment == text or said(written, "Comments")


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None)
@given(label=TEXTS, comment=TEXTS, title=TEXTS)
def test_any_text_comes_back_or_was_made_fit(
    name: str, label: str, comment: str, title: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    timeline = replace(one_clip(HOUR, point(100, label, comment=comment)), name=title)
    assert_comes_back(name, timeline, tmp_path_factory.mktemp("texts"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("clip_name", ["GX010034.MP4", "Größe 大 & <b>", "", "a\nb"])
def test_media_come_back_wherever_they_lie(name: str, url: str, clip_name: str, tmp_path: Path) -> None:
    timeline = one_clip(HOUR, point(3))
    (track,) = timeline.tracks
    clip = replace(track.items[0], name=clip_name, medium=medium(HOUR.rate, url=url, start_frame=777))
    assert_comes_back(name, replace(timeline, tracks=(replace(track, items=(clip,)),)), tmp_path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("colour", COLOURS)
def test_a_colour_survives_or_is_said_not_to(name: str, colour: str, tmp_path: Path) -> None:
    fit, written = assert_comes_back(name, one_clip(HOUR, point(100, colour=colour)), tmp_path)
    survives = fit.markers[0].colour.lower() == colour.lower() or not colour
    assert survives != (said(written, f"Colour '{colour}' becomes ") or said(written, "Colours left out"))


LOSSES = [
    ("n_frames", TimelineMarker(50, n_frames=7, name="A"), "Lengths left out: 'A'"),
    ("comment", TimelineMarker(50, name="A", comment="note"), "Comments left out: 'A'"),
    ("marker_id", TimelineMarker(50, name="A", marker_id="m1"), "Left out for every marker: its id"),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("field", "marker", "sentence"), LOSSES, ids=[field for field, _, _ in LOSSES])
def test_a_loss_is_said_exactly_when_it_happens(
    name: str, field: str, marker: TimelineMarker, sentence: str, tmp_path: Path
) -> None:
    fit, written = assert_comes_back(name, one_clip(HOUR, marker), tmp_path)
    survives = getattr(fit.markers[0], field) == getattr(marker, field)
    assert survives != said(written, sentence)


@pytest.mark.parametrize("name", NAMES)
def test_a_marker_without_a_place_is_never_placed_and_always_mentioned(name: str) -> None:
    written = export(name, replace(rich(HOUR), markers=()))
    text = "".join(text for _, text in written.files)
    assert ("Lost" in text) != said(written, "Not placed: 'Lost' (not seen)")


@pytest.mark.parametrize("name", NAMES)
def test_a_timeline_of_nothing_can_be_written(name: str, tmp_path: Path) -> None:
    assert_comes_back(name, Timeline("empty", HOUR), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_ten_thousand_markers_come_back(name: str, tmp_path: Path) -> None:
    fit, _ = assert_comes_back(name, on_frames(HOUR, list(range(0, 70_000, 7))), tmp_path)
    assert len(fit.markers) == 10_000


@pytest.mark.parametrize("name", NAMES)
def test_every_format_is_found_under_its_own_name(name: str) -> None:
    found = get_format(name)
    assert name == found.NAME
    assert found.SUFFIX.startswith(".")


def test_an_unknown_format_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ExportError, match=r"no format called 'avi'; mtbsync knows .*csv, edl, "):
        get_format("avi")


def test_knowing_the_formats_loads_none_of_them() -> None:
    code = (
        "import sys, mtbsync_integrations.formats as f; f.format_names();"
        "print([m for m in ('opentimelineio', 'lxml', 'numpy', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def said(written: Export, kind: str) -> bool:
    return any(loss.startswith(kind) for loss in written.losses)
