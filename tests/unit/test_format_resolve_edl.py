from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.model import Marker, TransferredMarker
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations import formats
from mtbsync_integrations.build import Footage, run_timeline
from mtbsync_integrations.formats import Export, resolve_edl
from mtbsync_integrations.timeline import Medium, TimelineMarker

PAL = Rate(Fraction(25))
NTSC_30 = Rate(Fraction(30000, 1001))
HOUR = Timecode.parse("01:00:00:00", PAL)
CHAPTERS = Path(__file__).parents[3] / "shared/data/nle/edl/readme_example_zekroTJA_chapterize_60fps.edl"


def placed(name: str, t_new: float, **more: object) -> TransferredMarker:
    marker = Marker(marker_id=f"id-{name}", name=name, t_s=t_new, **more)  # type: ignore[arg-type]
    return TransferredMarker(marker, t_new, 0.9, 0.1, needs_review=False, duration_s=marker.duration_s)


def export(*markers: TransferredMarker, start: Timecode = HOUR) -> Export:
    footage = Footage("Run 12", ((Medium("Run 12", "", Timecode(0, start.rate), 0), 0.0),), 3600.0)
    return formats.export("resolve-edl", run_timeline(footage, markers, start))


def read(path: Path, start: Timecode) -> tuple[TimelineMarker, ...]:
    return resolve_edl.read(path, start=start).timeline.markers


def test_a_marker_list_reads_exactly_like_this() -> None:
    written = export(
        placed("Start gate", 2.12, colour="Purple", comment="Note first"),
        placed("Rock garden", 4.0, duration_s=2.0),
    )
    assert written.files == (
        (
            ".edl",
            "TITLE: Run 12\n"
            "FCM: NON-DROP FRAME\n"
            "\n"
            "001  001      V     C        01:00:02:03 01:00:02:04 01:00:02:03 01:00:02:04  \n"
            "Note first |C:ResolveColorPurple |M:Start gate |D:1\n"
            "\n"
            "002  001      V     C        01:00:04:00 01:00:04:01 01:00:04:00 01:00:04:01  \n"
            " |C:ResolveColorBlue |M:Rock garden |D:50\n"
            "\n",
        ),
    )
    assert written.losses == (
        "Left out for every marker: its id.",
        "Left out for every marker: confidence, expected error, time between frames.",
    )


def test_drop_frame_is_written_as_such_and_said_to_be_untried() -> None:
    written = export(placed("A", 60.06), start=Timecode.parse("01:00:00;00", NTSC_30))
    assert "FCM: DROP FRAME\n" in written.files[0][1]
    assert " 01:01:00;02 01:01:00;03  \n" in written.files[0][1]
    assert "Nobody has yet seen Resolve read drop-frame markers" in written.losses[-1]


def test_rates_without_agreed_timecode_are_named() -> None:
    written = export(placed("A", 1.0), start=Timecode(0, Rate(Fraction(120))))
    assert any("no agreed way to count 120 frames" in loss for loss in written.losses)


def test_text_that_would_break_the_list_is_mended_and_said() -> None:
    written = export(
        placed("a|b\nc", 1.0, comment="one\r\n\ttwo | three"),
        placed("2nd jump", 2.0, comment="3 m gap"),
        placed("x", 3.0, comment="* careful"),
        placed("y", 4.0, comment="FCM: DROP FRAME"),
    )
    assert [line for line in written.files[0][1].split("\n") if "|C:" in line] == [
        "one two three |C:ResolveColorBlue |M:a b c |D:1",
        "Note: 3 m gap |C:ResolveColorBlue |M:2nd jump |D:1",
        "Note: * careful |C:ResolveColorBlue |M:x |D:1",
        "Note: FCM: DROP FRAME |C:ResolveColorBlue |M:y |D:1",
    ]
    assert written.losses[:2] == (
        "Names made fit for the format: 'a|b c'.",
        "Comments made fit for the format: 'a|b c', '2nd jump', 'x', 'y'.",
    )


def test_two_markers_on_one_frame_stand_on_two_and_that_is_said() -> None:
    written = export(placed("A", 1.0), placed("B", 1.001))
    assert "01:00:01:00 01:00:01:01  \n |C:ResolveColorBlue |M:A" in written.files[0][1]
    assert "01:00:01:01 01:00:01:02  \n |C:ResolveColorBlue |M:B" in written.files[0][1]
    assert "Moved, as another marker has the frame: 'B' 1 frame later." in written.losses


def test_all_that_goes_missing_is_said() -> None:
    lost = TransferredMarker(Marker("l", "lost", 9.0), None, 0.0, None, True, "not seen")
    doubtful = TransferredMarker(Marker("d", "", 3.0, extra=(("kmh", "30"),)), 3.0, 0.4, 0.5, True)
    assert export(lost, doubtful, placed("C", 5.0, colour="orange")).losses == (
        "Not placed: 'lost' (not seen).",
        "Colour 'orange' becomes Yellow.",
        "Left out for every marker: its id.",
        "Left out for every marker: confidence, expected error, time between frames.",
        "Columns left out: 'kmh'.",
    )


def test_more_than_999_markers_go_on_in_further_files(tmp_path: Path) -> None:
    written = export(*(placed(f"M{k}", k) for k in range(2000)))
    assert [suffix for suffix, _ in written.files] == [".edl", "_2.edl", "_3.edl"]
    assert "A file holds 999 markers, so these take 3; import each of them." in written.losses
    names = []
    for suffix, text in written.files:
        assert "\n001  001 " in text
        assert "\n1000" not in text
        path = tmp_path / f"run{suffix}"
        path.write_bytes(text.encode())
        names += [marker.name for marker in read(path, HOUR)]
    assert names == [f"M{k}" for k in range(2000)]


def test_a_timeline_without_markers_is_an_empty_list(tmp_path: Path) -> None:
    ((suffix, text),) = export().files
    (tmp_path / f"run{suffix}").write_bytes(text.encode())
    assert read(tmp_path / f"run{suffix}", HOUR) == ()


@pytest.mark.skipif(not CHAPTERS.exists(), reason="the sample exports are not here")
def test_a_real_export_is_read() -> None:
    markers = read(CHAPTERS, Timecode(0, Rate(Fraction(60))))
    assert [(m.name, m.frame, m.colour) for m in markers] == [
        ("Intro", 0, "Blue"),
        ("Stuff", 130 * 60 + 15, "Blue"),
        ("Don't export this!", 130 * 60 + 15, "Green"),
        ("Outro", 272 * 60 + 13, "Blue"),
    ]
    assert len({m.marker_id for m in markers}) == 4


HEAD = "TITLE: t\nFCM: NON-DROP FRAME\n\n"
EVENT = "001  001      V     C        01:00:02:00 01:00:02:01 01:00:02:00 01:00:02:01  \n"
NOTE = " |C:ResolveColorBlue |M:A |D:1\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,t_ref\nA,1\n", "is not an edit decision list"),
        (HEAD + EVENT, "line 4: this event carries no marker"),
        (HEAD + EVENT + EVENT + NOTE, "line 4: an event and its marker do not follow each other"),
        (HEAD + NOTE, "line 4: an event and its marker do not follow each other"),
        (HEAD + EVENT.replace("01:00:02:00", "1:00:02:00") + NOTE, "line 4: '1:00:02:00' is not a timecode"),
        (HEAD + EVENT.replace("01:00:02:00", "01:00:02:25") + NOTE, "line 4: '01:00:02:25' does not exist"),
        (
            HEAD + EVENT.replace("01:00:02", "00:59:59") + NOTE,
            "line 4: 00:59:59:00 lies before the timeline's",
        ),
    ],
)
def test_a_bad_list_gets_one_sentence_that_says_where(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "run.edl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MarkerError, match=sentence):
        resolve_edl.read(path, start=HOUR)


@pytest.mark.parametrize(
    ("mode", "separator", "start"),
    [("DROP", ";", "01:00:00:00"), ("DROP", ":", "01:00:00:00"), ("NON-DROP", ":", "01:00:00;00")],
)
def test_drop_frame_must_be_the_same_in_list_and_start(
    tmp_path: Path, mode: str, separator: str, start: str
) -> None:
    path = tmp_path / "run.edl"
    event = EVENT.replace(":00 ", f"{separator}00 ").replace(":01 ", f"{separator}01 ")
    path.write_text(HEAD.replace("NON-DROP", mode) + event + NOTE, encoding="utf-8")
    with pytest.raises(MarkerError, match=f"timecode, which the timeline's start {start} is not"):
        resolve_edl.read(path, start=Timecode.parse(start, NTSC_30))


def test_the_frame_code_mode_says_drop_frame_where_the_timecode_does_not(tmp_path: Path) -> None:
    path = tmp_path / "run.edl"
    event = EVENT.replace("01:00:02", "01:10:00")
    path.write_text(HEAD.replace("NON-DROP", "DROP") + event + NOTE, encoding="utf-8")
    reading = resolve_edl.read(path, NTSC_30)
    assert str(reading.timeline.start) == "01:00:00;00"
    assert [marker.frame for marker in reading.timeline.markers] == [17982]


def test_a_timeline_may_run_past_midnight(tmp_path: Path) -> None:
    start = Timecode.parse("23:59:50:00", PAL)
    ((_, text),) = export(placed("A", 5.0), placed("B", 15.0), start=start).files
    assert " 00:00:05:00 00:00:05:01  \n" in text
    (tmp_path / "run.edl").write_bytes(text.encode())
    assert [m.frame for m in read(tmp_path / "run.edl", start)] == [125, 375]


def test_a_marker_to_be_reviewed_says_so_in_its_note() -> None:
    marker = Marker("d", "Drop", 3.0, comment="brake")
    written = export(TransferredMarker(marker, 3.0, 0.4, 0.82, True)).files[0][1]
    assert "\nCHECK, may be 0.8 s off: brake |C:" in written
