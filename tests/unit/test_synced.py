"""Cameras of one event, above each other and in sync: in the timeline itself, and in every format that they
go out in, as reading it back tells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from mtbsync_engine.errors import ExportError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations import formats
from mtbsync_integrations.build import Footage
from mtbsync_integrations.formats import fcpxml, fcpxml_multicam
from mtbsync_integrations.formats.fitting import fitted
from mtbsync_integrations.session_formats import (
    MULTICAM,
    describe,
    export_session,
    session_format_names,
    suffix_of,
)
from mtbsync_integrations.synced import Angle, Cameras, how_far_off, synced_timeline
from mtbsync_integrations.timeline import Clip, Gap, Timeline, Track

PAL, NTSC_30, NTSC_60 = (Rate(Fraction(fps)) for fps in (25, Fraction(30000, 1001), Fraction(60000, 1001)))
RATES = [PAL, NTSC_30, NTSC_60, Rate(Fraction(50)), Rate(Fraction(24000, 1001))]
DTDS = Path(__file__).parents[3] / "shared/reference/fcpxml-dtd"
NAMES = session_format_names()


def footage(name: str, rate: Rate, *n_frames: int) -> Footage:
    """Files of that many frames each; their timecode begins on a whole frame of every rate."""
    edges = [n / float(rate.fps) for n in accumulate(n_frames, initial=0)]
    files = [(Path(f"/media/{name}-{k}.MP4"), t_s) for k, t_s in enumerate(edges[:-1], start=1)]
    start = Timecode(0, rate)
    return Footage.of_files(files, edges[-1], start.rate, start, width=1920, height=1080, has_audio=True)


def cameras(*angles: Angle, rate: Rate = PAL) -> Cameras:
    return Cameras("Race day", angles, Timecode.parse("01:00:00:00", rate), 1920, 1080)


A = Angle("A", footage("a", PAL, 25 * 600), 0.0, 0.0)
# Begins before the master, in two files, and its clock is slow: 1801.8 s of it last 81 ms longer.
B = Angle("B", footage("b", NTSC_60, 72_000, 36_000), -3.217, 45.0)
# Begins between two frames.
C = Angle("C", footage("c", PAL, 25 * 300), 1.013, 0.0)
THREE = cameras(A, B, C)


def truth_s(angle: Angle, t_cam_s: float) -> float:
    return angle.offset_s + (1 + angle.drift_ppm * 1e-6) * t_cam_s


def off_frames(event: Cameras, tracks: list[tuple[tuple[int, Clip], ...]], *, tape: bool = False) -> float:
    """How many frames anything on the tracks is off at its beginning or its end, at worst."""
    fps = float(event.start.rate.fps)
    begins_s = min(angle.offset_s for angle in event.angles)
    worst = 0.0
    for angle, clips in zip(event.angles, tracks, strict=True):
        chapters = {medium.name: (medium, t_s) for medium, t_s in angle.footage.chapters}
        assert {clip.name for _, clip in clips} == set(chapters)
        for first, clip in clips:
            medium, t_s = chapters[clip.name]
            tape_s = float(medium.start.frame / medium.start.rate.fps) if tape else 0.0
            for k in (0, clip.n_frames):
                t_cam_s = t_s + float(clip.source_in_s) - tape_s + k * float(clip.speed) / fps
                worst = max(worst, abs((truth_s(angle, t_cam_s) - begins_s) * fps - first - k))
    return worst


def off_s(event: Cameras, timeline: Timeline) -> list[float]:
    return [error.at_worst_s for error in how_far_off(event, timeline)]


def read_back(name: str, event: Cameras, folder: Path) -> Iterator[tuple[tuple[int, Clip], ...]]:
    """Each camera's clips, as the format's own reader finds them."""
    reader = fcpxml if name == MULTICAM else formats.get_format(name)
    texts = [text for _, text in export_session(name, event).files]
    if name == MULTICAM:
        # An editor who switches to each of the angles.
        n_angles = len(event.angles)
        texts = [
            re.sub(r'(<mc-source angleID="mtbsync-)1', rf"\g<1>{k + 1}", texts[0]) for k in range(n_angles)
        ]
    for text in texts:
        path = folder / f"read{suffix_of(name)}"
        path.write_text(text, encoding="utf-8")
        for track in reader.read(path, event.start.rate, event.start).timeline.tracks:
            yield track.clips()


@st.composite
def events(draw: st.DrawFn) -> Cameras:
    """Up to four cameras of any rate, each in up to three files; one lies at the master's zero."""
    angles = []
    for k in range(draw(st.integers(1, 4))):
        rate = draw(st.sampled_from(RATES))
        lengths = draw(st.lists(st.integers(50, 40_000), min_size=1, max_size=3))
        offset_s = 0.0 if k == 0 else draw(st.floats(-900, 900).map(lambda x: round(x, 6)))
        drift_ppm = 0.0 if k == 0 else draw(st.floats(-300, 300).map(lambda x: round(x, 3)))
        angles.append(Angle(f"Camera {k}", footage(f"cam{k}", rate, *lengths), offset_s, drift_ppm))
    return cameras(*draw(st.permutations(angles)), rate=draw(st.sampled_from(RATES)))


# --- the timeline ---------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(event=events(), how=st.sampled_from([{}, {"in_pieces": True}, {"exact": True}]))
def test_every_camera_is_in_sync_from_its_first_frame_to_its_last(
    event: Cameras, how: dict[str, bool]
) -> None:
    timeline = synced_timeline(event, **how)
    assert [track.name for track in timeline.tracks] == [angle.label for angle in event.angles]
    assert min(track.clips()[0][0] for track in timeline.tracks) == 0
    off = off_frames(event, [track.clips() for track in timeline.tracks])
    assert off <= 0.501
    assert max(off_s(event, timeline)) * float(timeline.rate.fps) == pytest.approx(off, abs=1e-3)
    for track, angle in zip(timeline.tracks, event.angles, strict=True):
        assert all(isinstance(item, Clip) for item in track.items[1:]), "something parts the clips"
        shown_s = sum(clip.n_frames for _, clip in track.clips()) / float(timeline.rate.fps)
        assert shown_s == pytest.approx(angle.footage.duration_s, rel=1e-3, abs=0.1)


def test_the_earliest_camera_begins_the_timeline_and_gaps_lead_to_the_others() -> None:
    timeline = synced_timeline(THREE)
    a, b, c = timeline.tracks
    assert [track.name for track in timeline.tracks] == ["A", "B", "C"]
    # A begins 80.425 frames after B, and C 105.75.
    assert (a.items[0], b.items[0], c.items[0]) == (Gap(81), b.clips()[0][1], Gap(106))
    assert b.clips()[0][0] == 0


def test_what_an_offset_has_beyond_whole_frames_is_where_its_clips_begin() -> None:
    (_, a), (_, c) = (synced_timeline(THREE).tracks[k].clips()[0] for k in (0, 2))
    assert a.source_in_s == Fraction("0.575") / 25
    assert c.source_in_s == Fraction("0.25") / 25
    assert off_s(THREE, synced_timeline(THREE))[::2] == [0, 0]


def test_a_clock_that_drifts_is_made_up_for_by_the_speed() -> None:
    clips = [clip for _, clip in synced_timeline(THREE).tracks[1].clips()]
    assert [clip.name for clip in clips] == ["b-1.MP4", "b-2.MP4"]
    assert all(float(clip.speed) == pytest.approx(1 / 1.000045, abs=1e-8) for clip in clips)
    assert {clip.speed for _, clip in synced_timeline(THREE).tracks[2].clips()} == {1}


def test_drift_that_leaves_a_clip_within_half_a_frame_is_left_out() -> None:
    for drift_ppm, is_left_out in ((30.0, True), (80.0, False), (-30.0, True), (-80.0, False)):
        # 600 s, in which half a frame is 33 ppm.
        drifting = Angle("D", A.footage, 0.0, drift_ppm)
        (clip,) = (clip for _, clip in synced_timeline(cameras(A, drifting)).tracks[1].clips())
        assert (clip.speed == 1) is is_left_out
        assert off_s(cameras(A, drifting), synced_timeline(cameras(A, drifting)))[1] <= 0.0200001
        exact = synced_timeline(cameras(A, drifting), exact=True)
        assert exact.tracks[1].clips()[0][1].speed != 1
        assert off_s(cameras(A, drifting), exact)[1] <= 1e-6


def test_pieces_play_at_their_own_speed_and_begin_on_whole_frames() -> None:
    timeline = synced_timeline(THREE, in_pieces=True)
    clips = [[clip for _, clip in track.clips()] for track in timeline.tracks]
    # 81 ms are two frames and a bit.
    assert [len(each) for each in clips] == [1, 4, 1]
    for clip in (clip for each in clips for clip in each):
        assert clip.speed == 1
        assert (clip.source_in_s * 25).denominator == 1
    assert max(off_s(THREE, timeline)) <= 0.02001


def test_a_camera_that_is_off_is_told_by_how_much() -> None:
    timeline = synced_timeline(THREE)
    a, *others = timeline.tracks
    late = Track("A", (Gap(83), *a.items[1:]))
    off = off_s(THREE, replace(timeline, tracks=(late, *others)))
    assert off[0] == pytest.approx(0.08)
    assert off[2] == 0


# --- formats --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(event=events())
def test_every_format_keeps_them_in_sync(
    name: str, event: Cameras, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tracks = list(read_back(name, event, tmp_path_factory.mktemp("synced")))
    # A list of tape's timecode rounds that of footage at another rate too.
    tape = name == "edl"
    same_rate = {medium.start.rate for a in event.angles for medium, _ in a.footage.chapters} == {
        event.start.rate
    }
    assert off_frames(event, tracks, tape=tape) <= (1.001 if tape and not same_rate else 0.501)


@pytest.mark.parametrize("name", NAMES)
def test_each_format_says_how_it_keeps_them_in_sync(name: str) -> None:
    losses = export_session(name, THREE).losses
    has_speeds = any(
        loss == "Play faster or slower, as their clocks drift: B (+45.0 ppm)." for loss in losses
    )
    is_cut = any("as their clocks drift: B (4 pieces)." in loss for loss in losses)
    assert has_speeds != is_cut
    assert is_cut == (name in ("edl", "kdenlive", "mlt", "premiere", "shotcut"))
    off = [loss for loss in losses if loss.startswith("Off at worst, as clips begin on whole frames: ")]
    assert [("A by" in loss, "C by" in loss) for loss in off] == ([] if name == "otio" else [(True, True)])
    assert not any("Changed speed left out" in loss for loss in losses)


def off_at_worst(name: str, *angles: Angle) -> list[str]:
    return [loss for loss in export_session(name, cameras(*angles)).losses if loss.startswith("Off at worst")]


def test_drift_that_is_left_out_is_said_and_is_why_a_camera_is_off() -> None:
    drifting = replace(A, label="D", drift_ppm=-20.0)
    assert "Drift left out, as it stays within half a frame: D (-20.0 ppm)." in (
        export_session("fcpxml", cameras(A, drifting)).losses
    )
    assert off_at_worst("fcpxml", A, drifting) == ["Off at worst, as drift is left out: D by 12 ms."]
    late = replace(drifting, offset_s=0.395)
    assert off_at_worst("premiere", A, late) == [
        "Off at worst, as clips begin on whole frames and drift is left out: D by 17 ms."
    ]


def test_what_holds_any_speed_and_any_cut_loses_nothing_but_where_chapters_begin() -> None:
    drifting = replace(A, label="D", offset_s=0.395, drift_ppm=-20.0)
    assert export_session("otio", cameras(A, drifting, C)).losses == (
        "Play faster or slower, as their clocks drift: D (-20.0 ppm).",
    )
    # The second file begins 0.47 frames after one of the timeline's.
    chapters = Angle("E", footage("e", NTSC_60, 730, 36_000), 0.0, 0.0)
    assert off_at_worst("otio", A, chapters) == [
        "Off at worst, as chapters begin between two frames: E by 19 ms."
    ]


def test_what_rounds_to_nothing_is_not_said() -> None:
    barely = replace(A, label="D", offset_s=0.0004, drift_ppm=0.04)
    for name in NAMES:
        said = " ".join(export_session(name, cameras(A, barely)).losses)
        assert not re.search(r"drift|Off at worst|0\.000 s|0\.0 ppm", said), said


def test_a_file_without_markers_says_nothing_of_any() -> None:
    for name in NAMES:
        for rate in (PAL, Rate(Fraction(120))):
            said = [describe(name), *export_session(name, cameras(A, B, C, rate=rate)).losses]
            assert not [sentence for sentence in said if re.search(r"marker|guide", sentence)]


def test_edit_lists_say_once_what_they_lose_of_all_cameras() -> None:
    lost = [loss for loss in export_session("edl", THREE).losses if loss.startswith("Left out of media")]
    assert lost == ["Left out of media: paths, frame rates, lengths, picture sizes, sound."]


def test_cameras_that_lie_a_day_apart_go_out_in_no_edit_list_and_the_others_hold_them() -> None:
    apart = cameras(A, replace(C, offset_s=86_400.0))
    with pytest.raises(ExportError, match=r"no more than 24 hours, but this takes 24\.1"):
        export_session("edl", apart)
    past_midnight = export_session("edl", cameras(A, replace(C, offset_s=82_700.0)))
    assert len([loss for loss in past_midnight.losses if "midnight" in loss]) == 1
    for name in set(NAMES) - {"edl"}:
        assert not [loss for loss in export_session(name, apart).losses if "midnight" in loss]


def test_open_timeline_has_a_track_a_camera_and_drift_as_a_time_warp() -> None:
    otio = pytest.importorskip("opentimelineio")
    ((_, text),) = export_session("otio", THREE).files
    found = otio.adapters.read_from_string(text, "otio_json")
    tracks = found.video_tracks()
    assert [track.name for track in tracks] == ["A", "B", "C"]
    warps = [effect for clip in tracks[1].find_clips() for effect in clip.effects]
    assert [type(warp).__name__ for warp in warps] == ["LinearTimeWarp", "LinearTimeWarp"]
    assert [warp.time_scalar for warp in warps] == pytest.approx([1 / 1.000045] * 2, abs=1e-8)


def test_an_edit_list_is_written_for_each_camera_under_a_name_of_its_own() -> None:
    angles = [replace(A, label=label) for label in ("Left: rail", "left? rail", "../up", "Große")]
    suffixes = [suffix for suffix, _ in export_session("edl", cameras(*angles)).files]
    assert suffixes == ["_Left_rail.edl", "_left_rail-2.edl", "_up.edl", "_Große.edl"]
    numbered = [replace(A, label=label) for label in ("A", "A-3", "a")]
    suffixes = [suffix for suffix, _ in export_session("edl", cameras(*numbered)).files]
    assert suffixes == ["_A.edl", "_A-3.edl", "_a-2.edl"]


def test_formats_that_hold_no_clips_are_none_of_a_session_s() -> None:
    assert (NAMES[0], NAMES[-1]) == ("resolve-otio", "edl")
    assert set(NAMES) - {MULTICAM} == {
        name for name in formats.format_names() if formats.get_format(name).CARRIES.n_tracks != 0
    }
    assert all(describe(name) for name in NAMES)
    with pytest.raises(ExportError, match="not as 'youtube'"):
        export_session("youtube", THREE)


# --- Final Cut's multicam clip --------------------------------------------------------------------


@pytest.mark.parametrize("version", fcpxml.VERSIONS)
@pytest.mark.parametrize("rate", RATES, ids=str)
def test_a_multicam_clip_is_valid_in_every_version(version: str, rate: Rate) -> None:
    definition = DTDS / f"FCPXMLv{version.replace('.', '_')}.dtd"
    if not definition.exists():
        pytest.skip("no document type definitions")
    dtd = etree.DTD(file=str(definition))
    event = cameras(A, B, C, rate=rate)
    fit, _ = fitted(synced_timeline(event), fcpxml_multicam.CARRIES)
    ((_, text),) = fcpxml_multicam.encode(fit, version).files
    root = etree.fromstring(text.encode())
    assert dtd.validate(root), dtd.error_log
    ids = [element.attrib["id"] for element in root.iter("format", "asset", "media")]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("master", [0, 2])
def test_a_multicam_clip_has_an_angle_a_camera_and_shows_the_master_s(master: int) -> None:
    ((_, text),) = export_session(MULTICAM, replace(THREE, master=master)).files
    root = etree.fromstring(text.encode())
    angles = list(root.iter("mc-angle"))
    assert [angle.get("name") for angle in angles] == ["A", "B", "C"]
    assert [[item.tag for item in angle] for angle in angles] == [
        ["gap", "asset-clip"],
        ["asset-clip", "asset-clip"],
        ["gap", "asset-clip"],
    ]
    (clip,) = root.iter("mc-clip")
    (source,) = clip.iter("mc-source")
    assert source.get("angleID") == angles[master].get("angleID")
    assert clip.get("duration") == root.find(".//sequence").get("duration")  # type: ignore[union-attr]
    assert len(list(angles[1].iter("timeMap"))) == 2


@settings(max_examples=60, deadline=None)
@given(event=events())
def test_the_drift_of_any_camera_is_a_speed_that_final_cut_s_times_can_tell(event: Cameras) -> None:
    assert not any("finer than Final Cut's times" in loss for loss in export_session(MULTICAM, event).losses)
