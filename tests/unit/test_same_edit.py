from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.markers import transfer
from mtbsync_engine.model import Decision, Marker, TimeMap, TransferredMarker
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.build import Footage
from mtbsync_integrations.on_recording import markers_on, recordings_in
from mtbsync_integrations.same_edit import same_edit
from mtbsync_integrations.timeline import Clip, Gap, Medium, Timeline, TimelineMarker, Track

PAL = Rate(Fraction(25))
REFERENCE = Footage.of_files(
    [(Path("/media/GX010001.MP4"), 0.0), (Path("/media/GX020001.MP4"), 60.0)], 100.0, PAL, Timecode(1000, PAL)
)
NEW = Footage.of_files([(Path("/media/GX010002.MP4"), 0.0)], 60.0, PAL, None)
# The new run starts ten seconds into the reference, and is twice as fast until it stops at 90 s.
TIME_MAP = TimeMap(
    np.array([0.0, 20.0, 40.0]), np.array([10.0, 50.0, 90.0]), np.full(3, 0.01), ((0.0, 40.0),)
)
FIRST, SECOND = (medium for medium, _ in REFERENCE.chapters)
MUSIC = Medium("song.wav", "file:///media/song.wav", Timecode(0, PAL), 5000)


def carried(markers: Sequence[Marker]) -> Sequence[TransferredMarker]:
    return transfer(markers, TIME_MAP, Decision.ACCEPT)


def clip(medium: Medium, source_in_s: float, seconds: float, **more: object) -> Clip:
    return Clip(medium.name, round(25 * seconds), medium, Fraction(source_in_s), **more)  # type: ignore[arg-type]


def edit(
    *items: Clip | Gap, markers: Sequence[TimelineMarker] = (), above: Sequence[Clip | Gap] = ()
) -> Timeline:
    tracks = (Track("Video 1", items), *((Track("Video 2", tuple(above)),) if above else ()))
    return Timeline("Edit", Timecode(90_000, PAL), tracks, tuple(markers))


def cuts(timeline: Timeline, track: int = 0) -> list[tuple[int, int, str, float]]:
    """First frame, length, medium and in point of each clip."""
    return [
        (first, c.n_frames, c.medium.name if c.medium else "", float(c.source_in_s))
        for first, c in timeline.tracks[track].clips()
    ]


def test_ins_and_outs_are_where_the_new_run_is_at_the_same_place() -> None:
    old = edit(clip(FIRST, 20.0, 4.0), clip(SECOND, 5.0, 10.0), Gap(25), clip(FIRST, 30.0, 2.0))
    made = same_edit(old, REFERENCE, NEW, TIME_MAP, carried)
    assert cuts(made.timeline) == [
        (0, 50, "GX010002.MP4", 5.0),  # 20 to 24 s of the reference
        (50, 125, "GX010002.MP4", 27.5),  # 65 to 75 s
        (200, 25, "GX010002.MP4", 10.0),  # 30 to 32 s
    ]
    assert made.losses == ()
    assert made.timeline.start == old.start


def test_markers_go_to_the_same_place_of_the_trail_on_the_clip_that_shows_it() -> None:
    first = clip(FIRST, 20.0, 4.0, markers=(TimelineMarker(50, 10, "on the clip"),))
    old = edit(first, clip(SECOND, 5.0, 10.0), markers=[TimelineMarker(100 + 100, name="on the timeline")])
    made = same_edit(old, REFERENCE, NEW, TIME_MAP, carried)
    assert [(m.frame, m.n_frames, m.name) for m in made.timeline.markers] == [
        (25, 5, "on the clip"),
        (100, 1, "on the timeline"),
    ]
    assert [(m.marker.t_s, m.t_new) for m in made.markers] == [(69.0, 29.5), (22.0, 6.0)]


def test_what_the_new_run_does_not_show_leaves_a_gap_and_is_named() -> None:
    old = edit(
        clip(FIRST, 2.0, 4.0),
        clip(FIRST, 8.0, 4.0, markers=(TimelineMarker(10, name="too early"),)),
        clip(SECOND, 35.0, 3.0),
        markers=[TimelineMarker(10, name="lost")],
    )
    made = same_edit(old, REFERENCE, NEW, TIME_MAP, carried)
    assert made.timeline.tracks[0].items[0] == Gap(100)
    assert cuts(made.timeline) == [(100, 25, "GX010002.MP4", 0.0)]
    assert made.losses == (
        "Not shown by the new run, and left as gaps: 'GX010001.MP4', 'GX020001.MP4'.",
        "Shown by the new run in part only: 'GX010001.MP4'.",
    )
    assert made.timeline.markers == ()
    assert [m.marker.name for m in made.timeline.unplaced] == ["lost", "too early"]


def test_a_retimed_clip_keeps_its_speed() -> None:
    old = edit(
        clip(FIRST, 20.0, 4.0, speed=Fraction(1, 2)),
        clip(FIRST, 40.0, 4.0, speed=Fraction(-1)),
        clip(FIRST, 30.0, 2.0, speed=Fraction(0)),
    )
    made = same_edit(old, REFERENCE, NEW, TIME_MAP, carried).timeline
    assert [(c.n_frames, float(c.source_in_s), c.speed) for _, c in made.tracks[0].clips()] == [
        (50, 5.0, Fraction(1, 2)),  # 20 to 22 s, in twice the time
        (50, 15.0, -1),  # 40 back to 36 s
        (50, 10.0, 0),
    ]


def test_other_footage_stays_whole_and_above_the_same_moment() -> None:
    title = Clip("title", 25, None)
    old = edit(
        clip(FIRST, 20.0, 8.0),
        clip(MUSIC, 0.0, 2.0),
        clip(SECOND, 5.0, 4.0),
        above=[Gap(100), title, Gap(75), title, Gap(50), title],
        markers=[TimelineMarker(225, name="on other footage"), TimelineMarker(400, name="past the end")],
    )
    made = same_edit(old, REFERENCE, NEW, TIME_MAP, carried).timeline
    assert cuts(made) == [
        (0, 100, "GX010002.MP4", 5.0),
        (100, 50, "song.wav", 0.0),
        (150, 50, "GX010002.MP4", 27.5),
    ]
    assert [first for first, _ in made.tracks[1].clips()] == [50, 100, 162]
    assert [(m.frame, m.transferred) for m in made.markers] == [(125, None), (250, None)]


def test_what_now_overlaps_on_another_track_is_cut_short_and_named() -> None:
    old = edit(clip(FIRST, 20.0, 8.0), above=[Clip("long title", 100, None), Clip("next", 25, None)])
    made = same_edit(old, REFERENCE, NEW, TIME_MAP, carried)
    assert cuts(made.timeline, track=1) == [(0, 50, "", 0.0), (50, 25, "", 0.0)]
    assert made.losses == ("Cut short, as the next clip on the track now begins earlier: 'long title'.",)


def test_an_edit_of_something_else_is_refused() -> None:
    with pytest.raises(MarkerError, match=r"No clip of this timeline shows GX010001\.MP4"):
        same_edit(edit(clip(MUSIC, 0.0, 2.0)), REFERENCE, NEW, TIME_MAP, carried)
    with pytest.raises(MarkerError, match=r"No clip of this timeline shows GX010001\.MP4"):
        same_edit(Timeline("empty", Timecode(0, PAL)), REFERENCE, NEW, TIME_MAP, carried)


# --- markers on a recording ---------------------------------------------------------------------


def test_a_marker_of_an_edit_is_where_its_clip_shows_the_recording() -> None:
    on_clip = replace(clip(SECOND, 5.0, 4.0), markers=(TimelineMarker(25, 50, "clip"),))
    old = edit(clip(FIRST, 20.0, 4.0), on_clip, markers=[TimelineMarker(25, name="timeline")])
    found = markers_on(old, REFERENCE)
    times = [(m.name, m.t_s, m.duration_s) for m in found.markers]
    assert times == [("timeline", 21.0, 0.0), ("clip", 66.0, 2.0)]
    assert found.losses == ()


def test_two_clips_with_the_same_marker_give_two_ids() -> None:
    same = TimelineMarker(10, name="A", marker_id="m1")
    old = edit(clip(FIRST, 20.0, 4.0, markers=(same,)), clip(FIRST, 30.0, 4.0, markers=(same,)))
    assert len({m.marker_id for m in markers_on(old, REFERENCE).markers}) == 2


def test_a_marker_on_something_else_is_named() -> None:
    old = edit(
        clip(MUSIC, 0.0, 4.0), Gap(25), markers=[TimelineMarker(25, name="A"), TimelineMarker(110, name="B")]
    )
    found = markers_on(old, REFERENCE)
    assert (found.markers, found.losses) == ((), ("On something else than GX010001.MP4: 'A', 'B'.",))


def test_a_list_of_markers_counts_from_the_recordings_first_picture() -> None:
    listed = Timeline("list", Timecode(90_000, PAL), markers=(TimelineMarker(50, name="A"),))
    assert [m.t_s for m in markers_on(listed, REFERENCE).markers] == [2.0]


@pytest.mark.parametrize(
    ("name", "url", "reel"),
    [
        ("x", "file:///media/GX020001.MP4", ""),
        ("x", "file:///elsewhere/gx020001.mp4", ""),
        ("GX020001.MP4", "", ""),
        ("GX020001", "", ""),
        ("x", "", "GX020001"),
    ],
)
def test_a_chapter_is_known_by_its_place_or_its_name(name: str, url: str, reel: str) -> None:
    medium = Medium(name, url, SECOND.start, SECOND.n_frames, reel=reel)
    old = edit(Clip("a clip", 100, medium, Fraction(5)), markers=[TimelineMarker(0, name="A")])
    assert [m.t_s for m in markers_on(old, REFERENCE).markers] == [65.0]


def test_a_tape_is_known_by_its_timecode() -> None:
    tape = Medium("GX020001.MP4", "", Timecode(0, PAL), 0)
    at = SECOND.start.frame + 125
    old = edit(Clip("a clip", 100, tape, at / PAL.fps), markers=[TimelineMarker(0, name="A")])
    assert [m.t_s for m in markers_on(old, REFERENCE).markers] == [65.0]


@pytest.mark.parametrize("tape_starts", ["00:00:00:00", "23:59:50:00"])
def test_a_tape_may_run_past_midnight(tape_starts: str) -> None:
    start = Timecode.parse(tape_starts, PAL)
    footage = Footage.of_files([(Path("/media/GX010001.MP4"), 0.0)], 60.0, PAL, start)
    at = start + 25 * 30
    tape = Medium("GX010001.MP4", "", Timecode(0, PAL), 0)
    old = edit(Clip("a clip", 100, tape, at.frame / PAL.fps), markers=[TimelineMarker(50, name="A")])
    assert [m.t_s for m in markers_on(old, footage).markers] == [32.0]


@pytest.mark.parametrize("medium_starts", [0, 36_672 * 25])
@pytest.mark.parametrize("recording_starts", [0, 36_672 * 25])
def test_footage_of_unknown_length_is_no_tape_where_its_timecode_does_not_fit(
    medium_starts: int, recording_starts: int
) -> None:
    path = Path("/media/GX010001.MP4")
    footage = Footage.of_files([(path, 0.0)], 60.0, PAL, Timecode(recording_starts, PAL))
    medium = Medium("GX010001.MP4", "file:///media/GX010001.MP4", Timecode(medium_starts, PAL), 0)
    old = edit(Clip("a clip", 100, medium, Fraction(20)), markers=[TimelineMarker(50, name="A")])
    assert [m.t_s for m in markers_on(old, footage).markers] == [22.0]


def test_a_file_of_the_same_name_elsewhere_is_another_recording() -> None:
    namesake = replace(FIRST, url="file:///another%20ride/GX010001.MP4")
    old = edit(
        clip(FIRST, 20.0, 4.0),
        clip(namesake, 50.0, 4.0),
        markers=[TimelineMarker(10, name="A"), TimelineMarker(110, name="B")],
    )
    found = markers_on(old, REFERENCE)
    assert [(m.name, m.t_s) for m in found.markers] == [("A", 20.4)]
    assert found.losses == ("On something else than GX010001.MP4: 'B'.",)
    made = same_edit(old, REFERENCE, NEW, TIME_MAP, carried)
    assert [name for _, _, name, _ in cuts(made.timeline)] == ["GX010002.MP4", "GX010001.MP4"]


def test_namesakes_in_several_places_are_told_where_none_is_known_by_its_place() -> None:
    here, there = (replace(FIRST, url=f"file:///{place}/GX010001.MP4") for place in ("a", "b"))
    old = edit(clip(here, 20.0, 4.0), clip(there, 50.0, 4.0))
    sentence = "These lie in several places, and all count as GX010001.MP4: GX010001.MP4."
    assert markers_on(old, REFERENCE).losses == (sentence,)
    assert same_edit(old, REFERENCE, NEW, TIME_MAP, carried).losses == (sentence,)


def test_what_a_reversed_clip_shows_of_several_stretches_stays_reversed() -> None:
    parted = TimeMap(
        np.array([0.0, 10.0, 12.0, 40.0]),
        np.array([10.0, 30.0, 34.0, 90.0]),
        np.full(4, 0.01),
        ((0.0, 10.0), (12.0, 40.0)),
    )
    old = edit(clip(FIRST, 40.0, 20.0, speed=Fraction(-1)))
    made = same_edit(old, REFERENCE, NEW, parted, carried)
    assert [(first, n, source) for first, n, _, source in cuts(made.timeline)] == [
        (0, 75, 15.0),
        (75, 125, 10.0),
    ]
    assert made.losses == ("Shown by the new run in part only: 'GX010001.MP4'.",)


def test_the_recordings_of_an_edit_are_listed_by_how_much_of_them_it_shows() -> None:
    old = edit(clip(FIRST, 20.0, 4.0), clip(MUSIC, 0.0, 9.0), clip(FIRST, 5.0, 4.0), Clip("title", 500, None))
    assert recordings_in(old) == ("/media/song.wav", "/media/GX010001.MP4")
