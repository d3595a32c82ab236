from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import avid, export
from mtbsync_integrations.timeline import Reading, TimelineMarker
from support.timelines import one_clip, point, rich

PAL = Rate(Fraction(25))
NTSC = Rate(Fraction(30000, 1001))
HOUR = Timecode.parse("01:00:00:00", PAL)

# As Avid exports it: any user, tabs, and no line for the header.
EXPORTED = (
    "Isabel\t01:00:07:21\tV1\tred\tVFX - Fade In. See the chase file.\t1\r\n"
    "Isabel\t01:00:27:09\tV1\tgreen\tVFX - RESPEED 200%\t12\r\n"
    "Isabel\t01:01:10:04\tTC1\tmagenta\tQuestion | Is this\r\n"
)


def test_a_marker_list_reads_exactly_like_this() -> None:
    timeline = one_clip(
        HOUR,
        TimelineMarker(39, name="Gap jump", colour="Red", comment="brake"),
        TimelineMarker(100, 50, name="Rock garden", colour="Blue"),
    )
    written = export("avid", timeline)
    assert written.files == (
        (
            ".txt",
            "mtbsync\t01:00:01:14\tV1\tred\tGap jump | brake\t1\n"
            "mtbsync\t01:00:04:00\tV1\tblue\tRock garden\t50\n",
        ),
    )
    assert "Avid has one text for a marker: 'name | comment'." in written.losses


def test_a_list_as_avid_writes_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.txt"
    path.write_bytes(EXPORTED.encode())
    reading = avid.read(path, PAL)
    assert str(reading.timeline.start) == "01:00:00:00"
    assert [(m.frame, m.n_frames, m.name, m.comment, m.colour) for m in reading.timeline.markers] == [
        (7 * 25 + 21, 1, "VFX - Fade In. See the chase file.", "", "red"),
        (27 * 25 + 9, 12, "VFX - RESPEED 200%", "", "green"),
        (70 * 25 + 4, 1, "Question", "Is this", "magenta"),
    ]


def test_drop_frame_is_known_by_its_sign(tmp_path: Path) -> None:
    path = tmp_path / "run.txt"
    path.write_text("u\t01:01:00;02\tV1\tred\tA\t1\n", encoding="utf-8")
    reading = avid.read(path, NTSC)
    assert (str(reading.timeline.start), reading.timeline.markers[0].frame) == ("01:00:00;00", 1800)


def test_a_sign_between_name_and_comment_is_taken_out_of_the_name() -> None:
    written = export("avid", one_clip(HOUR, point(3, "a | b", comment="c | d")))
    assert "\ta b | c | d\t1\n" in written.files[0][1]
    assert "Names made fit for the format: 'a | b'." in written.losses


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,t_ref\nA,1\n", r"run\.txt, line 1: not a marker of Avid"),
        ("u\t1:00\tV1\tred\tA\t1\n", r"run\.txt, line 1: '1:00' is not a timecode"),
        ("\nu\t01:00:00:25\tV1\tred\tA\t1\n", r"run\.txt, line 2: '01:00:00:25' does not exist"),
        ("u\t00:59:59:00\tV1\tred\tA\t1\n", r"run\.txt, line 1: 00:59:59:00 lies before"),
    ],
)
def test_a_bad_list_gets_one_sentence_that_says_where(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "run.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MarkerError, match=sentence):
        avid.read(path, start=HOUR)


@settings(max_examples=200, deadline=None)
@given(first=st.integers(0, 400), n_removed=st.integers(0, 30), put_in=st.text(max_size=5))
def test_a_damaged_list_is_read_or_refused(
    first: int, n_removed: int, put_in: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = EXPORTED + export("avid", replace(rich(HOUR), tracks=())).files[0][1]
    path = tmp_path_factory.mktemp("damaged") / "run.txt"
    path.write_bytes((text[:first] + put_in + text[first + n_removed :]).encode("utf-8", "replace"))
    with suppress(MarkerError):
        assert isinstance(avid.read(path, start=HOUR), Reading)
