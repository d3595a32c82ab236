from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import export, resolve_csv
from mtbsync_integrations.timeline import Reading, TimelineMarker
from support.timelines import one_clip, rich

PAL = Rate(Fraction(25))
HOUR = Timecode.parse("01:00:00:00", PAL)


def read(text: str, folder: Path, start: Timecode | None = HOUR) -> Reading:
    path = folder / "run.csv"
    path.write_bytes(text.encode())
    return resolve_csv.read(path, PAL, start)


def test_a_table_reads_exactly_like_this() -> None:
    timeline = one_clip(
        HOUR,
        TimelineMarker(39, name="Gap jump", colour="Red", comment="brake, then land"),
        TimelineMarker(100, 50, name="Rock garden"),
    )
    written = export("resolve-csv", timeline)
    assert written.files == (
        (
            ".csv",
            "#,Reel,Match,V,C,Dur,Source In,Source Out,Record In,Record Out,Name,Comments,Color,Notes\r\n"
            '1,,,V1,C,00:00:00:01,,,01:00:01:14,01:00:01:15,Gap jump,,Red,"brake, then land"\r\n'
            "2,,,V1,C,00:00:02:00,,,01:00:04:00,01:00:06:00,Rock garden,,Blue,\r\n",
        ),
    )
    assert any("Nobody has yet checked this" in loss for loss in written.losses)


def test_columns_are_known_by_their_names_and_rows_of_cuts_are_left_out(tmp_path: Path) -> None:
    reading = read(
        'Color,Notes,Codec,Name,Record In\n"Sky","note","",A,01:00:01:00\n,,H.264,GX01.MP4,01:00:00:00\n',
        tmp_path,
    )
    (marker,) = reading.timeline.markers
    assert (marker.frame, marker.name, marker.colour, marker.comment) == (25, "A", "Sky", "note")
    assert reading.losses[0] == "Rows without a marker's colour left out: 1."
    assert "Nobody has yet checked this" in reading.losses[1]


def test_without_a_start_the_timeline_begins_at_an_hour(tmp_path: Path) -> None:
    reading = read("Record In,Name,Color\n01:00:01:00,A,Blue\n", tmp_path, None)
    assert reading.timeline.start == HOUR


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,t_ref\nA,1\n", "has no column 'Record In'"),
        ("Record In,Name\n01:00:00:00,A\n", "has no column 'Color'"),
        ("Record In,Name,Color\nx,A,Red\n", r"run\.csv, line 2: 'x' is not a timecode"),
        ('Record In,Name,Color\n01:00:00:00,"A"x,Red\n', "line 2: not readable as a table"),
    ],
)
def test_a_bad_table_gets_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(MarkerError, match=sentence):
        read(text, tmp_path)


@settings(max_examples=200, deadline=None)
@given(first=st.integers(0, 900), n_removed=st.integers(0, 30), put_in=st.text(max_size=4))
def test_a_damaged_table_is_read_or_refused(
    first: int, n_removed: int, put_in: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = export("resolve-csv", rich(HOUR)).files[0][1]
    with suppress(MarkerError):
        damaged = text[:first] + put_in + text[first + n_removed :]
        assert isinstance(read(damaged, tmp_path_factory.mktemp("damaged")), Reading)
