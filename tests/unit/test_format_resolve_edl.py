from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.model import Marker, TransferredMarker
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import Export, resolve_edl
from mtbsync_integrations.timeline import build_timeline

PAL = Rate(Fraction(25))
NTSC_30 = Rate(Fraction(30000, 1001))
HOUR = Timecode.parse("01:00:00:00", PAL)
CHAPTERS = Path(__file__).parents[3] / "shared/data/nle/edl/readme_example_zekroTJA_chapterize_60fps.edl"


def placed(name: str, t_new: float, **more: object) -> TransferredMarker:
    marker = Marker(marker_id=f"id-{name}", name=name, t_s=t_new, **more)  # type: ignore[arg-type]
    return TransferredMarker(marker, t_new, 0.9, 0.1, needs_review=False, duration_s=marker.duration_s)


def export(*markers: TransferredMarker, start: Timecode = HOUR) -> Export:
    return resolve_edl.write(build_timeline(markers, start, clip_name="Run 12", duration_s=3600.0))


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
    assert written.losses == ("Left out for every marker: id, confidence, expected error.",)


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
    assert written.losses[1:] == (
        "Names made fit for one line without '|': 'a|b c'.",
        "Comments made fit for one line without '|' that begins with no digit: "
        "'a|b c', '2nd jump', 'x', 'y'.",
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
        "Left out for every marker: id, confidence, expected error.",
        "Columns left out: 'kmh'.",
        "Colour 'orange' becomes Yellow.",
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
        names += [marker.name for marker in resolve_edl.read(path, HOUR)]
    assert names == [f"M{k}" for k in range(2000)]


def test_a_timeline_without_markers_is_an_empty_list(tmp_path: Path) -> None:
    ((suffix, text),) = export().files
    (tmp_path / f"run{suffix}").write_bytes(text.encode())
    assert resolve_edl.read(tmp_path / f"run{suffix}", HOUR) == ()


@pytest.mark.skipif(not CHAPTERS.exists(), reason="the sample exports are not here")
def test_a_real_export_is_read() -> None:
    markers = resolve_edl.read(CHAPTERS, Timecode(0, Rate(Fraction(60))))
    assert [(m.name, m.t_s, m.colour) for m in markers] == [
        ("Intro", 0.0, "Blue"),
        ("Stuff", 130.25, "Blue"),
        ("Don't export this!", 130.25, "Green"),
        ("Outro", 272 + 13 / 60, "Blue"),
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
        resolve_edl.read(path, HOUR)


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
        resolve_edl.read(path, Timecode.parse(start, NTSC_30))


def test_the_frame_code_mode_says_drop_frame_where_the_timecode_does_not(tmp_path: Path) -> None:
    path = tmp_path / "run.edl"
    event = EVENT.replace("01:00:02", "01:10:00")
    path.write_text(HEAD.replace("NON-DROP", "DROP") + event + NOTE, encoding="utf-8")
    (marker,) = resolve_edl.read(path, Timecode.parse("01:00:00;00", NTSC_30))
    assert marker.t_s == pytest.approx(17982 * 1001 / 30000, abs=1e-9)


def test_a_timeline_may_run_past_midnight(tmp_path: Path) -> None:
    start = Timecode.parse("23:59:50:00", PAL)
    ((_, text),) = export(placed("A", 5.0), placed("B", 15.0), start=start).files
    assert " 00:00:05:00 00:00:05:01  \n" in text
    (tmp_path / "run.edl").write_bytes(text.encode())
    assert [m.t_s for m in resolve_edl.read(tmp_path / "run.edl", start)] == [5.0, 15.0]


def test_a_marker_to_be_reviewed_says_so_in_its_note() -> None:
    marker = Marker("d", "Drop", 3.0, comment="brake")
    written = export(TransferredMarker(marker, 3.0, 0.4, 0.82, True)).files[0][1]
    assert "\nCHECK, may be 0.8 s off: brake |C:" in written
