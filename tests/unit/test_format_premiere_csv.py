from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import export, premiere_csv
from mtbsync_integrations.timeline import MarkerKind, Reading, TimelineMarker
from support.timelines import one_clip, point, rich

PAL = Rate(Fraction(25))
NTSC = Rate(Fraction(30000, 1001))
ZERO = Timecode(0, PAL)
HEADER = "Marker Name\tDescription\tIn\tOut\tDuration\tMarker Type\t\n"


def read(data: bytes, folder: Path, rate: Rate = PAL, start: Timecode | None = None) -> Reading:
    path = folder / "run.csv"
    path.write_bytes(data)
    return premiere_csv.read(path, rate, start)


def test_a_table_reads_exactly_like_this() -> None:
    timeline = one_clip(
        Timecode.parse("00:00:00;00", NTSC),
        TimelineMarker(1800, name="Gap jump", comment="brake"),
        TimelineMarker(2000, 60, name="Rock garden", kind=MarkerKind.CHAPTER),
    )
    assert export("premiere-csv", timeline).files == (
        (
            ".csv",
            "Marker Name\tDescription\tIn\tOut\tDuration\tMarker Type\n"
            "Gap jump\tbrake\t00;01;00;02\t00;01;00;02\t00;00;00;00\tComment\n"
            "Rock garden\t\t00;01;06;22\t00;01;08;22\t00;00;02;00\tChapter\n",
        ),
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_table_as_premiere_writes_it_is_read(encoding: str, newline: str, tmp_path: Path) -> None:
    text = HEADER + (
        'Größe\tsay "hop", then; land\t00;11;23;01\t00;11;24;25\t00;00;01;24\tChapter\t\n'
        "\t\t00;00;35;16\t00;00;35;16\t00;00;00;00\tFlash Cue Point\t\n"
    )
    reading = read(text.replace("\n", newline).encode(encoding), tmp_path, NTSC)
    at = (11 * 60 + 23) * 30 + 1 - 2 * (11 - 1)  # drop-frame skips two numbers a minute but the tenth
    assert str(reading.timeline.start) == "00:00:00;00"
    assert [(m.frame, m.n_frames, m.name, m.comment, m.kind) for m in reading.timeline.markers] == [
        (35 * 30 + 16, 1, "", "", MarkerKind.STANDARD),
        (at, 30 + 24, "Größe", 'say "hop", then; land', MarkerKind.CHAPTER),
    ]
    assert reading.losses == ("Read as plain markers: those of type 'Flash Cue Point'.",)


def test_a_table_in_another_language_has_the_same_columns(tmp_path: Path) -> None:
    text = "标记名称\t描述\t入点\t出点\t持续时间\t标记类型\t\nA\tb\t00:00:01:00\t00:00:02:00\t\t\t\n"
    (marker,) = read(text.encode("utf-16"), tmp_path).timeline.markers
    assert (marker.name, marker.comment, marker.frame, marker.n_frames) == ("A", "b", 25, 25)


def test_a_table_parted_by_commas_may_quote(tmp_path: Path) -> None:
    text = 'Marker Name,Description,In,Out,Duration,Marker Type\n"a, b","c ""d""",00:00:01:00,00:00:01:00,,\n'
    (marker,) = read(text.encode(), tmp_path).timeline.markers
    assert (marker.name, marker.comment) == ("a, b", 'c "d"')


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,t_ref\nA,1\n", "has no column 'In'"),
        (HEADER + "A\t\t00:00:01\t\t\t\n", r"run\.csv, line 2: '00:00:01' is not a timecode"),
        (HEADER + "A\t\t00:00:01:25\t\t\t\n", r"run\.csv, line 2: '00:00:01:25' does not exist"),
        (HEADER + "A\n", r"run\.csv, line 2: '' is not a timecode"),
        (HEADER + "A\t\t00:00:02:00\t00:00:01:00\t\t\n", r"line 2: this marker ends before it begins"),
        (
            HEADER + "A\t\t00;00;02;00\t\t\t\n",
            r"run\.csv, line 2: Drop-frame timecode exists at 29.97",
        ),
        ("", "is empty"),
    ],
)
def test_a_bad_table_gets_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(MarkerError, match=sentence):
        read(text.encode(), tmp_path)


@settings(max_examples=200, deadline=None)
@given(first=st.integers(0, 700), n_removed=st.integers(0, 30), put_in=st.binary(max_size=4))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_damaged_table_is_read_or_refused(
    encoding: str, first: int, n_removed: int, put_in: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = export("premiere-csv", rich(ZERO)).files[0][1].encode(encoding)
    with suppress(MarkerError):
        damaged = data[:first] + put_in + data[first + n_removed :]
        assert isinstance(read(damaged, tmp_path_factory.mktemp("damaged")), Reading)


def test_premiere_is_said_not_to_read_its_own_tables() -> None:
    losses = export("premiere-csv", one_clip(ZERO, point(3))).losses
    assert any("Premiere writes such tables and does not read them" in loss for loss in losses)
