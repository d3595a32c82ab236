from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import pytest

from mtbsync_engine.model import Marker, TransferredMarker
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.build import Footage, run_timeline
from mtbsync_integrations.media_urls import path_of, url_of
from mtbsync_integrations.timeline import Timeline

PAL = Rate(Fraction(25))
NTSC_60 = Rate(Fraction(60000, 1001))
HOUR = Timecode.parse("01:00:00:00", PAL)


def footage(*lengths_s: float, start: Timecode | None = None) -> Footage:
    edges = [0.0, *accumulate(lengths_s)]
    files = [(Path(f"/media/GX0{k}0034.MP4"), t_s) for k, t_s in enumerate(edges[:-1], start=1)]
    start = start or Timecode(0, NTSC_60)
    return Footage.of_files(files, edges[-1], start.rate, start, width=1920, height=1080, has_audio=True)


def test_files_without_timecode_are_each_counted_from_their_own_start() -> None:
    files = [(Path("/media/GX010034.MP4"), 0.0), (Path("/media/GX020034.MP4"), 80.0)]
    starts = {
        start: [medium.start for medium, _ in Footage.of_files(files, 150.0, PAL, start).chapters]
        for start in (None, HOUR)
    }
    assert starts == {None: [Timecode(0, PAL)] * 2, HOUR: [HOUR, HOUR + 2000]}


def transferred(name: str, t_new: float | None, duration_s: float = 0.0) -> TransferredMarker:
    marker = Marker(f"id-{name}", name, 1.5, duration_s, "Orange", "brake", (("line", "left"),))
    return TransferredMarker(marker, t_new, 0.75, 0.125, True, "few sightings", duration_s)


def of(markers: list[TransferredMarker], duration_s: float = 10.0) -> Timeline:
    return run_timeline(footage(duration_s), markers, HOUR)


def test_a_marker_stands_on_the_frame_nearest_to_its_time_with_all_that_is_known_of_it() -> None:
    a, b = transferred("A", 2.03), transferred("B", 0.5, duration_s=1.0)
    markers = of([a, b]).markers
    assert [(m.frame, m.n_frames, m.transferred) for m in markers] == [(13, 25, b), (51, 1, a)]
    assert [(m.name, m.colour, m.comment, m.marker_id) for m in markers][1] == (
        "A",
        "Orange",
        "brake",
        "id-A",
    )


def test_a_length_ends_on_the_frame_nearest_to_its_end_and_is_never_nothing() -> None:
    markers = of(
        [transferred("blink", 1.0, duration_s=0.001), transferred("ride", 1.0, duration_s=2.0)]
    ).markers
    assert [m.n_frames for m in markers] == [1, 50]


def test_a_marker_outside_the_run_is_not_placed_and_says_so() -> None:
    timeline = of([transferred("before", -0.5), transferred("in", 1.0), transferred("after", 10.04)])
    assert [m.name for m in timeline.markers] == ["in"]
    before, after = timeline.unplaced
    assert (before.t_new, before.reason) == (None, "-0.500 s lies outside the clip")
    assert (after.needs_review, after.reason) == (True, "10.040 s lies outside the clip")


def test_the_last_moment_of_the_run_belongs_to_its_last_frame() -> None:
    assert [m.frame for m in of([transferred("end", 9.99)]).markers] == [249]


def test_chapters_abut_exactly_and_count_on() -> None:
    start = Timecode.parse("10:11:12;13", NTSC_60)
    timeline = run_timeline(footage(531.531, 531.531, 12.345, start=start), [], HOUR)
    clips = timeline.tracks[0].clips()
    assert [first for first, _ in clips] == [0, 13288, 26577]
    assert timeline.n_frames == 26885  # 1075.407 s
    media = [clip.medium for _, clip in clips]
    assert [m.name for m in media if m] == ["GX010034.MP4", "GX020034.MP4", "GX030034.MP4"]
    assert [m.start.frame - start.frame for m in media if m] == [0, 31860, 63720]
    assert all(m and m.start.drop_frame and m.has_audio for m in media)


def test_a_run_of_which_only_markers_are_known_ends_with_the_last() -> None:
    markers = [transferred("A", 2.0, duration_s=1.0), transferred("B", 1.0)]
    assert run_timeline(Footage.of_markers("x", markers, PAL, "001"), markers, HOUR).n_frames == 76
    assert run_timeline(Footage.of_markers("x", [], PAL, "001"), [], HOUR).n_frames == 1


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/media/GoPro Hero/run 1.MP4", "file:///media/GoPro%20Hero/run%201.MP4"),
        ("/media/100% #1?.mp4", "file:///media/100%25%20%231%3F.mp4"),
        ("/Größe/大.mp4", "file:///Gr%C3%B6%C3%9Fe/%E5%A4%A7.mp4"),
        ("C:/Trail A/run.mp4", "file:///C:/Trail%20A/run.mp4"),
        ("//nas/share/run.mp4", "file://nas/share/run.mp4"),
    ],
)
def test_a_path_of_any_system_becomes_a_url_and_comes_back(path: str, url: str) -> None:
    assert url_of(path) == url
    assert path_of(url) == path
    assert url_of(path.replace("/", "\\") if path[:1] != "/" or path[:2] == "//" else path) == url
