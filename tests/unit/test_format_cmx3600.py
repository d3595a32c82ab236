from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from mtbsync_engine.errors import ExportError, MarkerError
from mtbsync_engine.model import Marker, TransferredMarker
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations import formats
from mtbsync_integrations.build import Footage, run_timeline
from mtbsync_integrations.formats import Export, cmx3600
from mtbsync_integrations.timeline import Clip, Gap, Medium, Timeline, TimelineMarker, Track

PAL = Rate(Fraction(25))
FILM = Rate(Fraction(24))
NTSC_30 = Rate(Fraction(30000, 1001))
NTSC_60 = Rate(Fraction(60000, 1001))
HOUR = Timecode.parse("01:00:00:00", PAL)
SAMPLES = Path(__file__).parents[3] / "shared/data/nle/edl"


def placed(name: str, t_new: float, **more: object) -> TransferredMarker:
    marker = Marker(marker_id=f"id-{name}", name=name, t_s=t_new, **more)  # type: ignore[arg-type]
    return TransferredMarker(marker, t_new, 0.9, 0.1, needs_review=False, duration_s=marker.duration_s)


def export(
    *markers: TransferredMarker, start: Timecode = HOUR, source: Timecode | None = None, reel: str = "001"
) -> Export:
    medium = Medium("GX010034.MP4", "", source or Timecode(0, start.rate), 1500, reel=reel)
    footage = Footage(medium.name, ((medium, 0.0),), 60.0)
    return formats.export("edl", run_timeline(footage, markers, start))


def read(path: Path, start: Timecode) -> list[tuple[str, str, str]]:
    """Each marker's name, timecode and colour."""
    timeline = cmx3600.read(path, start=start).timeline
    return [(m.name, str(start + m.frame), m.colour) for m in timeline.markers]


def test_an_edit_list_reads_exactly_like_this() -> None:
    written = export(
        placed("Gap jump", 1.56, colour="Red"),
        placed("Rock garden", 4.0, colour="magenta"),
        placed("", 5.0),
        source=Timecode.parse("10:11:12:13", PAL),
    )
    assert written.files == (
        (
            ".edl",
            "TITLE: GX010034.MP4\n"
            "FCM: NON-DROP FRAME\n"
            "\n"
            "001  001      V     C        10:11:12:13 10:12:12:13 01:00:00:00 01:01:00:00\n"
            "* FROM CLIP NAME:  GX010034.MP4\n"
            "* LOC: 01:00:01:14 RED     Gap jump\n"
            "* LOC: 01:00:04:00 MAGENTA Rock garden\n"
            "* LOC: 01:00:05:00 RED\n",
        ),
    )
    assert written.losses == (
        "Left out of media: lengths.",
        "Left out for every marker: its id.",
        "Left out for every marker: confidence, expected error, time between frames.",
    )


def test_drop_frame_is_written_with_its_own_sign() -> None:
    text = export(placed("A", 59.99), start=Timecode.parse("00:00:00;00", NTSC_30)).files[0][1]
    assert "FCM: DROP FRAME\n" in text
    assert " 00:00:00;00 00:00:59;28\n" in text


MARKER_FORMATS = ("edl", "avid", "resolve-edl", "resolve-csv", "premiere-csv")


def late(n_frames: int, start: Timecode = HOUR) -> Timeline:
    """A timeline with a clip and a marker of one frame that end that many frames after its start."""
    medium = Medium("GX010034.MP4", "", Timecode(0, PAL), 1)
    items = (Gap(n_frames - 1), Clip(medium.name, 1, medium))
    marked = (TimelineMarker(n_frames - 1, name="A"),)
    return Timeline("A day", start, (Track("Video 1", items),), marked)


@pytest.mark.parametrize("name", MARKER_FORMATS)
def test_timecode_that_begins_again_is_said_wherever_it_is_all_that_tells(name: str) -> None:
    until_midnight = 23 * 3600 * 25

    def said(n_frames: int) -> list[str]:
        return [loss for loss in formats.export(name, late(n_frames)).losses if "midnight" in loss]

    assert said(until_midnight - 1) == []
    # It ends at 00:00:00:00, before it begins.
    assert len(said(until_midnight)) == 1
    assert len(said(24 * 3600 * 25)) == 1
    with pytest.raises(
        ExportError, match=r"no more than 24 hours, but this takes 24\.0; export FCPXML or OTIO"
    ):
        formats.export(name, late(24 * 3600 * 25 + 1))


def test_lists_of_markers_are_as_long_as_their_markers_lie_apart() -> None:
    early = replace(late(25 * 3600 * 25), markers=(TimelineMarker(0, name="A"),))
    for name in set(MARKER_FORMATS) - {"edl"}:
        assert not [s for s in formats.export(name, early).losses if "midnight" in s]


def test_what_counts_frames_or_seconds_holds_more_than_a_day() -> None:
    for name in ("otio", "fcpxml", "premiere", "mlt"):
        assert not [s for s in formats.export(name, late(30 * 3600 * 25)).losses if "midnight" in s]


def test_a_tape_that_runs_past_midnight_is_named() -> None:
    said = (
        "Their own timecode begins again at midnight, so check in your editor what they show: 'GX010034.MP4'."
    )
    assert said in export(source=Timecode.parse("23:59:30:00", PAL)).losses
    assert said not in export(source=Timecode.parse("23:59:00:00", PAL)).losses


def test_markers_may_share_a_frame() -> None:
    text = export(placed("A", 1.0), placed("B", 1.0)).files[0][1]
    assert text.endswith("* LOC: 01:00:01:00 RED     A\n* LOC: 01:00:01:00 RED     B\n")


def test_all_that_goes_missing_is_said() -> None:
    lost = TransferredMarker(Marker("l", "lost", 9.0), None, 0.0, None, True, "not seen")
    written = export(
        lost, placed("a\nb", 1.0, comment="brake"), placed("ride", 2.0, duration_s=3.0, colour="Sand")
    )
    assert written.losses == (
        "Not placed: 'lost' (not seen).",
        "Left out of media: lengths.",
        "Colour 'Sand' becomes yellow.",
        "Names made fit for the format: 'a b'.",
        "Comments left out: 'a b'.",
        "Lengths left out: 'ride'.",
        "Left out for every marker: its id.",
        "Left out for every marker: confidence, expected error, time between frames.",
    )


@pytest.mark.parametrize(
    ("reel", "written"),
    [("GX010034.MP4", "GX010034"), ("Größe 1", "Gr__e_1"), ("", "AX"), ("A-1_b.c", "A-1_b.c")],
)
def test_a_reel_keeps_eight_plain_characters_and_a_change_is_said(reel: str, written: str) -> None:
    result = export(reel=reel)
    assert f"\n001  {written:<8} V     C        " in result.files[0][1]
    said = any(f"is written as {written}:" in loss for loss in result.losses)
    assert said == (reel not in (written, ""))


def test_a_medium_at_another_rate_keeps_its_timecode_and_that_is_said() -> None:
    written = export(
        start=Timecode.parse("01:00:00:00", NTSC_30), source=Timecode.parse("10:11:12;30", NTSC_60)
    )
    assert " 10:11:12;15 10:12:12;15 01:00:00:00 " in written.files[0][1]
    assert written.losses == ("Left out of media: frame rates, lengths.",)


@pytest.mark.parametrize(("fps", "said"), [(60, False), (100, True), (240, True)])
def test_rates_without_agreed_timecode_are_named(fps: int, said: bool) -> None:
    losses = export(start=Timecode(0, Rate(Fraction(fps)))).losses
    assert any(f"no agreed way to count {fps} frames" in loss for loss in losses) == said


@pytest.mark.skipif(not SAMPLES.exists(), reason="the sample exports are not here")
def test_the_locators_of_a_real_edit_list_are_read() -> None:
    start = Timecode.parse("00:59:53:11", FILM)
    assert read(SAMPLES / "screening_example.edl", start) == [
        ("ANIM FIX NEEDED", "01:00:01:14", "red"),
        ("ANIM FIX NEEDED", "01:00:02:14", "pink"),
        ("", "01:00:15:13", "green"),
    ]


@pytest.mark.skipif(not SAMPLES.exists(), reason="the sample exports are not here")
@pytest.mark.parametrize(
    ("name", "start", "names"),
    [
        ("25fps", "00:00:00:00", ["sq001_s001", "sq001_s002", "sq001_s003", "sq001_s004"]),
        ("avid_example", "00:59:53:11", ["take_1", "take_2"]),
        ("nucoda_example", "00:59:53:11", ["take_1", "take_2"]),
        ("premiere_example", "00:59:53:11", ["ZZ100_501.take_1.0001.exr", "ZZ100_502A.take_2.0101.exr"]),
    ],
)
def test_the_cuts_of_a_real_edit_list_are_read(name: str, start: str, names: list[str]) -> None:
    timeline = cmx3600.read(SAMPLES / f"{name}.edl", PAL).timeline
    assert str(timeline.start) == start
    assert [clip.name for _, clip in timeline.tracks[0].clips()] == names
    assert timeline.markers == ()


@pytest.mark.skipif(not SAMPLES.exists(), reason="the sample exports are not here")
def test_the_place_of_footage_in_a_real_edit_list_is_read() -> None:
    ((_, first), _) = cmx3600.read(SAMPLES / "avid_example.edl", FILM).timeline.tracks[0].clips()
    assert first.medium is not None
    assert first.medium.name == "ZZ100_501.take_1.0001.exr"
    assert first.medium.url == "file:///S:/path/to/ZZ100_501.take_1.0001.exr"
    ((_, first), *_) = cmx3600.read(SAMPLES / "screening_example.edl", FILM).timeline.tracks[0].clips()
    assert first.medium is not None
    assert (first.name, first.medium.name) == ("ZZ100_501 (LAY3)", "ZZ100_501.LAY3.01")


@pytest.mark.skipif(not SAMPLES.exists(), reason="the sample exports are not here")
def test_changed_speeds_and_holes_of_a_real_edit_list_are_read() -> None:
    timeline = cmx3600.read(SAMPLES / "speed_effects_small.edl", FILM).timeline
    items = timeline.tracks[0].items
    minute = 60 * 24
    assert [(type(i), i.n_frames) for i in items] == [
        (Clip, 5 * 24 + 6),
        (Gap, 8 * minute + 30 * 24 - 5 * 24 - 6),
        (Clip, 17),
        (Clip, 1),
        (Clip, 18),
        (Gap, 3 * minute + 4),
        (Clip, 24 + 12),
    ]
    clips = [clip for _, clip in timeline.tracks[0].clips()]
    assert [clip.speed for clip in clips] == [1, 0, 0, 1, Fraction("47.6") / 24]
    assert [clip.source_in_s for clip in clips][:2] == [
        3600 + 1 + Fraction(21, 24),
        3600 + 10 + Fraction(21, 24),
    ]


def test_markers_stand_below_the_cut_that_they_lie_in() -> None:
    medium = Medium("a.mp4", "", Timecode(0, PAL), 0)
    items = (Clip("one", 50, medium), Gap(25), Clip("two", 25, medium))
    markers = tuple(TimelineMarker(frame, name=name) for frame, name in ((0, "a"), (60, "b"), (75, "c")))
    timeline = Timeline("t", HOUR, (Track("Video 1", items),), markers)
    lines = formats.export("edl", timeline).files[0][1].splitlines()
    assert [line.split()[-1] for line in lines if line.startswith(("*", "0"))] == [
        "01:00:02:00",
        "one",
        "a.mp4",
        "a",
        "b",
        "01:00:04:00",
        "two",
        "a.mp4",
        "c",
    ]


def test_more_cuts_than_a_list_has_numbers_are_refused() -> None:
    cut = Clip("a", 1, Medium("a", "", Timecode(0, PAL), 0))
    timeline = Timeline("t", HOUR, (Track("Video 1", (cut,) * 1000),))
    with pytest.raises(ExportError, match="holds 999 cuts, but there are 1000"):
        formats.export("edl", timeline)


def test_overlapping_cuts_are_refused_where_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "run.edl"
    event = "001  001      V     C        00:00:00:00 00:00:02:00 01:00:00:00 01:00:02:00\n"
    path.write_text("TITLE: t\n" + 2 * event, encoding="utf-8")
    with pytest.raises(MarkerError, match="line 3: this event begins before the one above it ends"):
        cmx3600.read(path, start=HOUR)


def test_without_a_rate_a_list_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "run.edl"
    path.write_text("TITLE: t\n", encoding="utf-8")
    with pytest.raises(MarkerError, match="does not tell its timeline's frame rate; give it with --fps"):
        cmx3600.read(path)


def test_a_locator_whose_first_word_is_no_colour_has_none(tmp_path: Path) -> None:
    path = tmp_path / "run.edl"
    path.write_text(
        "TITLE: t\n* LOC: 01:00:02:00 GATE open\n*LOC: 01:00:01:00\n* LOC: 01:00:03:00 Sky  high\n",
        encoding="utf-8",
    )
    assert read(path, HOUR) == [
        ("", "01:00:01:00", ""),
        ("GATE open", "01:00:02:00", ""),
        ("high", "01:00:03:00", "sky"),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,t_ref\nA,1\n", "is not an edit decision list"),
        ("TITLE: t\n* LOC: soon RED A\n", "line 2: 'soon' is not a timecode"),
        ("TITLE: t\n\n* LOC: 00:00:01:00 RED A\n", "line 3: 00:00:01:00 lies before the timeline's start"),
    ],
)
def test_a_bad_list_gets_one_sentence_that_says_where(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "run.edl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MarkerError, match=sentence):
        cmx3600.read(path, start=HOUR)


def test_a_marker_to_be_reviewed_says_so_in_its_name() -> None:
    doubtful = TransferredMarker(Marker("d", "Drop", 3.0), 3.0, 0.4, None, needs_review=True)
    assert "* LOC: 01:00:03:00 RED     CHECK: Drop\n" in export(doubtful).files[0][1]


# --- what editors write -------------------------------------------------------------------------


def listed(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "run.edl"
    path.write_text("\n".join(("TITLE: t", *lines, "")), encoding="utf-8")
    return path


CUT = "001  AX  V  C        00:00:05:00 00:00:07:00 01:00:00:00 01:00:02:00"
LEAVES = "002  AX  V  C        00:00:07:00 00:00:07:00 01:00:02:00 01:00:02:00"
ENTERS = "002  AX  V  D    025 00:00:10:00 00:00:14:00 01:00:02:00 01:00:06:00"


def clips(path: Path, rate: Rate = PAL) -> list[tuple[str, str]]:
    """Each clip's own name and that of its medium."""
    found = cmx3600.read(path, rate).timeline.tracks[0].clips()
    return [(clip.name, clip.medium.name if clip.medium else "") for _, clip in found]


@pytest.mark.parametrize("transition", ["D    025", "W001 025"])
def test_a_transition_names_the_clip_that_it_leaves_and_the_one_that_it_enters(
    transition: str, tmp_path: Path
) -> None:
    path = listed(
        tmp_path,
        CUT,
        "* FROM CLIP NAME: ref.mp4",
        LEAVES,
        ENTERS.replace("D    025", transition),
        "* FROM CLIP NAME: ref.mp4",
        "* SOURCE FILE: ref.mov",
        "* TO CLIP NAME: broll.mp4",
        "* SOURCE FILE: broll.mov",
        "* LOC: 01:00:04:00 RED on the b-roll",
    )
    assert clips(path) == [("ref.mp4", "ref.mp4"), ("broll.mp4", "broll.mov")]
    found = cmx3600.read(path, PAL)
    assert found.losses == ("Transitions left out: 'broll.mp4'.",)
    assert [marker.frame for marker in found.timeline.markers] == [100]


def test_a_clip_that_a_transition_leaves_may_be_told_there_alone(tmp_path: Path) -> None:
    leaves = "002  AX  V  C        00:00:07:00 00:00:08:00 01:00:02:00 01:00:03:00"
    enters = "002  AX  V  D    025 00:00:10:00 00:00:13:00 01:00:03:00 01:00:06:00"
    told = ("* FROM CLIP NAME: two", "* SOURCE FILE: b.mp4", "* TO CLIP: c.mp4")
    path = listed(tmp_path, CUT, "* FROM CLIP NAME: one", leaves, enters, *told)
    assert clips(path) == [("one", "one"), ("two", "b.mp4"), ("AX", "c.mp4")]
    path = listed(tmp_path, CUT, "* FROM CLIP NAME: one", leaves, "* FROM CLIP NAME: two")
    assert clips(path) == [("one", "one"), ("two", "two")]


def test_black_has_no_name_so_what_comes_out_of_it_has(tmp_path: Path) -> None:
    black = "001  BL  V  C        00:00:00:00 00:00:00:00 01:00:02:00 01:00:02:00"
    assert clips(listed(tmp_path, black, ENTERS, "* FROM CLIP NAME: ref.mp4")) == [("ref.mp4", "ref.mp4")]
    assert clips(listed(tmp_path, ENTERS, "* FROM CLIP NAME: ref.mp4")) == [("ref.mp4", "ref.mp4")]


def test_what_is_told_of_sound_is_not_taken_for_the_picture(tmp_path: Path) -> None:
    sound = CUT.replace("V  C", "AA C")
    path = listed(tmp_path, CUT, "* FROM CLIP NAME: ref.mp4", sound, "* FROM CLIP NAME: song.wav")
    assert clips(path) == [("ref.mp4", "ref.mp4")]
    assert cmx3600.read(path, PAL).losses == ("Sound left out: 1 events.",)


@pytest.mark.parametrize("channels", ["V", "B", "b", "AA/V", "V1"])
def test_every_channel_with_a_picture_is_a_cut(channels: str, tmp_path: Path) -> None:
    path = listed(tmp_path, CUT.replace("  V  ", f"  {channels}  "), "* FROM CLIP NAME: ref.mp4")
    assert clips(path) == [("ref.mp4", "ref.mp4")]
    assert cmx3600.read(path, PAL).losses == ()


@pytest.mark.parametrize(
    "line",
    [
        "002  AX  V  C        00:00:05:00 00:00:07:00 01:00:02:00",
        "002  AX  V  C        00:00:05.00 00:00:07.00 01:00:02.00 01:00:04.00",
        "002",
    ],
)
def test_an_event_that_is_not_understood_does_not_vanish(line: str, tmp_path: Path) -> None:
    with pytest.raises(MarkerError, match=r"line 3: '002.*is not understood as an event"):
        cmx3600.read(listed(tmp_path, CUT, line), PAL)


def test_comments_that_say_nothing_of_clips_or_markers_are_passed_over(tmp_path: Path) -> None:
    path = listed(tmp_path, CUT, "* FROM CLIP NAME: a", "* 2 m gap", "EFFECTS NAME IS BLUR", "* * FREEZE")
    assert clips(path) == [("a", "a")]


@pytest.mark.parametrize(
    ("mode", "record", "source", "frames"),
    [
        # 00:01:00:02 counts 1802 frames, but 1800 where two numbers are dropped at the minute.
        ("DROP", "01:00:00;00 01:00:01;00", "00:01:00:02 00:01:01:02", 1802),  # both show their own sign
        ("DROP", "01:00:00:00 01:00:01:00", "00:01:00:02 00:01:01:02", 1800),  # neither does: as the list
        ("DROP", "01:00:00;00 01:00:01;00", "00:01:00;02 00:01:01;02", 1800),
        ("NON-DROP", "01:00:00:00 01:00:01:00", "00:01:00;02 00:01:01;02", 1800),
        ("NON-DROP", "01:00:00:00 01:00:01:00", "00:01:00:02 00:01:01:02", 1802),
    ],
)
def test_a_source_counts_as_its_own_timecode_is_written(
    mode: str, record: str, source: str, frames: int, tmp_path: Path
) -> None:
    path = listed(tmp_path, f"FCM: {mode} FRAME", f"001  AX  V  C  {source} {record}")
    ((_, clip),) = cmx3600.read(path, NTSC_30).timeline.tracks[0].clips()
    assert clip.source_in_s == frames / NTSC_30.fps


def events(*records: str) -> list[str]:
    return [
        f"{n:03}  AX  V  C  00:00:00:00 00:00:05:00 {record}" for n, record in enumerate(records, start=1)
    ]


@pytest.mark.parametrize(
    ("records", "start", "firsts"),
    [
        # Across midnight, between two events and within one.
        (("23:59:55:00 00:00:00:00", "00:00:00:00 00:00:05:00"), "23:59:55:00", [0, 125]),
        (("23:59:55:00 00:00:00:00", "00:00:10:00 00:00:15:00"), "23:59:55:00", [0, 375]),
        (("23:59:58:00 00:00:03:00", "00:00:03:00 00:00:08:00"), "23:59:58:00", [0, 125]),
        # Not in order of time, there and here.
        (("00:00:00:00 00:00:05:00", "23:59:55:00 00:00:00:00"), "23:59:55:00", [0, 125]),
        (("01:00:05:00 01:00:10:00", "01:00:00:00 01:00:05:00"), "01:00:00:00", [0, 125]),
        # The end of a dissolve has no length.
        (
            ("01:00:00:00 01:00:00:00", "01:00:00:00 01:00:05:00", "01:00:10:00 01:00:15:00"),
            "01:00:00:00",
            [0, 250],
        ),
        # A long event is no gap.
        (("00:00:00:00 13:00:00:00", "13:00:00:00 13:00:05:00"), "00:00:00:00", [0, 13 * 3600 * 25]),
    ],
)
def test_a_list_starts_after_the_longest_time_without_events(
    records: tuple[str, ...], start: str, firsts: list[int], tmp_path: Path
) -> None:
    timeline = cmx3600.read(listed(tmp_path, *events(*records)), PAL).timeline
    assert str(timeline.start) == start
    assert [first for first, _ in timeline.tracks[0].clips()] == firsts


def test_a_sound_below_the_first_picture_does_not_move_the_start(tmp_path: Path) -> None:
    first, sound, second = events(
        "00:00:00:00 13:00:00:00", "00:00:05:00 00:00:10:00", "13:00:00:00 13:00:05:00"
    )
    path = listed(tmp_path, first, sound.replace("V", "A"), second)
    assert str(cmx3600.read(path, PAL).timeline.start) == "00:00:00:00"


def test_a_list_of_no_events_starts_at_zero(tmp_path: Path) -> None:
    assert str(cmx3600.read(listed(tmp_path), PAL).timeline.start) == "00:00:00:00"


@pytest.mark.parametrize("start", [None, HOUR])
def test_an_event_that_ends_before_it_begins_is_refused(start: Timecode | None, tmp_path: Path) -> None:
    path = listed(tmp_path, *events("01:00:05:00 01:00:04:24"))
    with pytest.raises(MarkerError, match="line 2: this event ends before it begins"):
        cmx3600.read(path, PAL, start)
