from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import opentimelineio as otio
import pytest

from mtbsync_engine.errors import ExportError
from mtbsync_engine.model import Marker, TransferredMarker
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import marker_csv, resolve_edl
from mtbsync_integrations.formats.collisions import one_a_frame
from mtbsync_integrations.timeline import (
    PlacedMarker,
    build_timeline,
    marker_colour,
    placed_markers,
    timeline_clip,
    timeline_start,
    unplaced_markers,
)

PAL = Rate(Fraction(25))
NTSC_60 = Rate(Fraction(60000, 1001))
START = Timecode.parse("01:00:00:00", PAL)


def transferred(name: str, t_new: float | None, duration_s: float = 0.0) -> TransferredMarker:
    return TransferredMarker(
        Marker(f"id-{name}", name, 1.5, duration_s, "Orange", "brake", (("line", "left"),)),
        t_new,
        confidence=0.75,
        expected_error_s=0.125,
        needs_review=True,
        reason="few sightings",
        duration_s=duration_s,
    )


def test_markers_come_back_from_the_timeline_whole_even_after_it_was_saved() -> None:
    markers = (transferred("A", 2.0), transferred("B", 4.1, duration_s=1.0), transferred("C", None))
    start = Timecode.parse("01:00:00;00", NTSC_60)
    source = Timecode.parse("10:11:12;13", NTSC_60)
    built = build_timeline(
        markers, start, clip_name="GX01.MP4", duration_s=60.0, source_start=source, reel="A001"
    )
    saved = otio.adapters.write_to_string(built, "otio_json")
    for timeline in (built, otio.adapters.read_from_string(saved, "otio_json")):
        assert [(p.frame, p.n_frames) for p in placed_markers(timeline)] == [(120, 0), (246, 60)]
        assert tuple(p.transferred for p in placed_markers(timeline)) == markers[:2]
        assert unplaced_markers(timeline) == markers[2:]
        assert timeline_start(timeline) == start
        clip = timeline_clip(timeline)
        assert (clip.name, clip.n_frames, clip.source_start, clip.reel) == ("GX01.MP4", 3596, source, "A001")


def test_other_programs_see_a_plain_timeline(tmp_path: Path) -> None:
    video = tmp_path / "GX 01.MP4"
    timeline = build_timeline(
        [transferred("A", 2.0, duration_s=1.0)], START, clip_name=video.name, clip_path=video, duration_s=60.0
    )
    assert timeline.global_start_time == otio.opentime.RationalTime(90000, 25)
    assert timeline.duration() == otio.opentime.RationalTime(1500, 25)
    (clip,) = timeline.find_clips()
    assert clip.media_reference.target_url == video.as_uri()
    assert clip.source_range.duration == otio.opentime.RationalTime(1500, 25)
    (marker,) = timeline.tracks.markers
    assert (marker.name, marker.comment, marker.color) == ("A", "brake", "ORANGE")
    assert marker.marked_range == otio.opentime.TimeRange(
        otio.opentime.RationalTime(50, 25), otio.opentime.RationalTime(25, 25)
    )


def test_without_a_length_the_clip_ends_with_its_last_marker() -> None:
    timeline = build_timeline(
        [transferred("A", 2.0, duration_s=1.0), transferred("B", 1.0)], START, clip_name="x"
    )
    assert timeline_clip(timeline).n_frames == 75
    assert timeline_clip(build_timeline([], START, clip_name="x")).n_frames == 1


def test_a_marker_outside_the_clip_is_not_placed_and_says_so() -> None:
    markers = [transferred("before", -0.5), transferred("in", 1.0), transferred("after", 10.04)]
    timeline = build_timeline(markers, START, clip_name="x", duration_s=10.0)
    assert [p.transferred.marker.name for p in placed_markers(timeline)] == ["in"]
    before, after = unplaced_markers(timeline)
    assert (before.t_new, before.reason) == (None, "-0.500 s lies outside the clip")
    assert (after.needs_review, after.reason) == (True, "10.040 s lies outside the clip")


def test_the_last_moment_of_the_clip_belongs_to_its_last_frame() -> None:
    timeline = build_timeline([transferred("end", 9.99)], START, clip_name="x", duration_s=10.0)
    assert [p.frame for p in placed_markers(timeline)] == [249]


def test_a_length_ends_on_the_frame_nearest_to_its_end() -> None:
    markers = [transferred("blink", 1.0, duration_s=0.001), transferred("ride", 1.0, duration_s=2.0)]
    timeline = build_timeline(markers, Timecode(0, NTSC_60), clip_name="x")
    assert [(p.frame, p.n_frames) for p in placed_markers(timeline)] == [(60, 1), (60, 120)]


@pytest.mark.parametrize("write", [resolve_edl.write, marker_csv.write])
def test_a_timeline_of_unknown_rate_is_refused(write: object) -> None:
    with pytest.raises(ExportError, match="not made by mtbsync"):
        write(otio.schema.Timeline("foreign"))  # type: ignore[operator]


def test_a_markers_colour_is_read_from_whatever_holds_it() -> None:
    assert marker_colour(otio.schema.Marker(color="PINK")) == "PINK"
    assert marker_colour(SimpleNamespace(metadata={}, color=None)) == ""
    assert (
        marker_colour(SimpleNamespace(metadata={}, color=otio.core.Color(1.0, 0.0, 0.0, 1.0, "Coral")))
        == "Coral"
    )
    assert (
        marker_colour(SimpleNamespace(metadata={}, color=otio.core.Color(1.0, 0.0, 0.0, 1.0, "")))
        == "#ff0000ff"
    )
    exact = otio.schema.Marker(color="RED", metadata={"mtbsync": {"colour": "Cocoa"}})
    assert marker_colour(exact) == "Cocoa"


# --- one marker a frame -------------------------------------------------------------------------


def spread(frames: list[int], n_frames: int) -> tuple[dict[str, int], tuple[str, ...]]:
    markers = [PlacedMarker(f, 0, transferred(chr(ord("A") + k), 0.0)) for k, f in enumerate(frames)]
    placed, sentences = one_a_frame(markers, n_frames, PAL)
    assert [p.frame for p in placed] == sorted({p.frame for p in placed})
    return {p.transferred.marker.name: p.frame for p in placed}, sentences


def test_markers_alone_on_their_frames_stay() -> None:
    assert spread([0, 5, 6, 24], 25) == ({"A": 0, "B": 5, "C": 6, "D": 24}, ())


def test_the_second_marker_on_a_frame_moves_to_the_next_free_one_past_those_in_place() -> None:
    placed, sentences = spread([10, 10, 10, 11], 100)
    assert placed == {"A": 10, "D": 11, "B": 12, "C": 13}
    assert sentences == ("Moved, as another marker has the frame: 'B' 2 frames later, 'C' 3 frames later.",)


def test_at_the_end_of_the_clip_it_moves_back() -> None:
    placed, sentences = spread([99, 99], 100)
    assert placed == {"A": 99, "B": 98}
    assert sentences == ("Moved, as another marker has the frame: 'B' 1 frame earlier.",)


def test_a_marker_with_no_free_frame_within_a_second_is_left_out() -> None:
    placed, sentences = spread([50] * 52, 1000)
    assert sorted(placed.values()) == list(range(25, 76))
    assert sentences[-1].startswith("Not placed, as every frame within a second has a marker: '")
    assert sum(s.startswith("Not placed") for s in sentences) == 1
