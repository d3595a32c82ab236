from __future__ import annotations

import csv
import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.model import Marker, TransferredMarker
from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from mtbsync_integrations import formats
from mtbsync_integrations.build import transferred_timeline
from mtbsync_integrations.formats import marker_csv
from mtbsync_integrations.timeline import Timeline, TimelineMarker

PAL = Rate(Fraction(25))
NTSC_30 = Rate(Fraction(30000, 1001))


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    return tmp_path / "markers.csv"


def transferred(name: str, t_ref: float, t_new: float | None, **more: object) -> TransferredMarker:
    return TransferredMarker(
        marker=Marker(marker_id=f"id-{name}", name=name, t_s=t_ref, **more),  # type: ignore[arg-type]
        t_new=t_new,
        confidence=0.875,
        expected_error_s=None if t_new is None else 0.125,
        needs_review=t_new is None,
        reason="the new run does not show it" if t_new is None else "",
        duration_s=float(more.get("duration_s", 0.0)),  # type: ignore[arg-type]
    )


# --- the reference's markers --------------------------------------------------------------------


def test_all_that_a_marker_says_is_read(csv_file: Path) -> None:
    csv_file.write_text(
        "marker_id,name,t_ref,duration,colour,comment,line\n"
        'a1,Gap jump,12.5,2.25,Orange,"land, then brake",left\n'
        "a2,Drop,30,,,,right\n",
        encoding="utf-8",
    )
    assert marker_csv.read_markers(csv_file) == (
        Marker("a1", "Gap jump", 12.5, 2.25, "Orange", "land, then brake", (("line", "left"),)),
        Marker("a2", "Drop", 30.0, 0.0, "", "", (("line", "right"),)),
    )


def test_name_and_time_are_enough(csv_file: Path) -> None:
    csv_file.write_text("name,t_ref\nDrop,30\n", encoding="utf-8")
    (marker,) = marker_csv.read_markers(csv_file)
    assert (marker.name, marker.t_s, marker.comment, marker.extra) == ("Drop", 30.0, "", ())


def test_a_file_with_ids_and_no_names_shows_the_ids(csv_file: Path) -> None:
    csv_file.write_text("marker_id,t_ref,note\nM7,30,x\n", encoding="utf-8")
    assert marker_csv.read_markers(csv_file) == (Marker("M7", "M7", 30.0, extra=(("note", "x"),)),)


def test_columns_are_known_in_any_case_order_and_spelling(csv_file: Path) -> None:
    csv_file.write_text(" Color ,T_REF,Name,Speed KMH\nred,1,A,31\n", encoding="utf-8")
    (marker,) = marker_csv.read_markers(csv_file)
    assert (marker.colour, marker.t_s, marker.name, marker.extra) == ("red", 1.0, "A", (("Speed KMH", "31"),))


def test_unknown_columns_keep_their_order(csv_file: Path) -> None:
    csv_file.write_text("z,name,a,t_ref,m\n1,A,2,3,4\n", encoding="utf-8")
    assert marker_csv.read_markers(csv_file)[0].extra == (("z", "1"), ("a", "2"), ("m", "4"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_spreadsheets_of_every_country_and_system_are_read(
    csv_file: Path, encoding: str, newline: str, delimiter: str
) -> None:
    rows = ["name;t_ref;comment", 'Wurzel;1.5;"a;b,c ""d"""', "Größe;2;", ";;"]
    text = newline.join(row.replace(";", delimiter, 2) for row in rows) + newline
    csv_file.write_bytes(text.encode(encoding))
    first, second = marker_csv.read_markers(csv_file)
    assert (first.name, first.t_s, first.comment) == ("Wurzel", 1.5, 'a;b,c "d"')
    assert (second.name, second.t_s) == ("Größe", 2.0)


def test_a_decimal_comma_is_read_where_semicolons_part_the_fields(csv_file: Path) -> None:
    csv_file.write_text("name;t_ref;duration\nA;12,75;0,5\n", encoding="utf-8")
    (marker,) = marker_csv.read_markers(csv_file)
    assert (marker.t_s, marker.duration_s) == (12.75, 0.5)


def test_a_quoted_field_may_run_over_several_lines(csv_file: Path) -> None:
    csv_file.write_bytes(b'name,t_ref,comment\nA,1,"one\ntwo"\nB,x,\n')
    with pytest.raises(MarkerError, match=r"markers\.csv, line 4: 'x'"):
        marker_csv.read_markers(csv_file)
    csv_file.write_bytes(b'name,t_ref,comment\nA,1,"one\ntwo"\n')
    assert marker_csv.read_markers(csv_file)[0].comment == "one\ntwo"


def test_a_header_without_rows_holds_no_markers(csv_file: Path) -> None:
    csv_file.write_text("name,t_ref\n", encoding="utf-8")
    assert marker_csv.read_markers(csv_file) == ()


def test_timecode_counts_from_zero_at_the_rate_given(csv_file: Path) -> None:
    csv_file.write_text("name,t_ref\nA,00:00:10:00\nB,01:00:00;00\nC,3603.7\n", encoding="utf-8")
    a, b, c = marker_csv.read_markers(csv_file, rate=NTSC_30)
    assert (a.t_s, c.t_s) == (10.01, 3603.7)
    assert nearest_frame(b.t_s, NTSC_30) == 107892


def test_timecode_without_a_rate_is_refused(csv_file: Path) -> None:
    csv_file.write_text("name,t_ref\nA,00:00:10:00\n", encoding="utf-8")
    with pytest.raises(MarkerError, match=r"line 2: '00:00:10:00' is timecode at an unknown rate; give"):
        marker_csv.read_markers(csv_file)


def test_timecode_that_does_not_exist_is_refused_with_its_line(csv_file: Path) -> None:
    csv_file.write_text("name,t_ref\nA,00:00:10:00\nB,00:01:00;00\n", encoding="utf-8")
    with pytest.raises(MarkerError, match=r"line 3: '00:01:00;00' is one of the numbers that drop-frame"):
        marker_csv.read_markers(csv_file, rate=NTSC_30)


def test_ids_made_for_markers_without_survive_another_order_and_other_rows(csv_file: Path) -> None:
    csv_file.write_text("name,t_ref\nA,1\nB,2\n", encoding="utf-8")
    first = {m.name: m.marker_id for m in marker_csv.read_markers(csv_file)}
    csv_file.write_text("t_ref,marker_id,name,colour\n0.5,,New,\n1.000,,A,red\n2.0,,B,\n", encoding="utf-8")
    second = {m.name: m.marker_id for m in marker_csv.read_markers(csv_file)}
    assert {name: second[name] for name in first} == first
    assert len(set(second.values())) == 3


def test_markers_of_one_name_at_one_time_get_ids_of_their_own(csv_file: Path) -> None:
    csv_file.write_text("name,t_ref\nA,1\nA,1\nA,2\n", encoding="utf-8")
    assert len({m.marker_id for m in marker_csv.read_markers(csv_file)}) == 3


def test_the_ids_made_never_change(csv_file: Path) -> None:
    csv_file.write_text("name,t_ref\nGap jump,12.5\n", encoding="utf-8")
    assert marker_csv.read_markers(csv_file)[0].marker_id == "m7ebc2c33985f"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"markers\.csv is empty"),
        (b"\xef\xbb\xbf \r\n", r"markers\.csv is empty"),
        (b",,\n,,\n", r"markers\.csv has no header"),
        (b"Jump,12.5\n", r"line 1: the header has no column t_ref and no name"),
        (b"name,time\nA,1\n", r"line 1: the header has no column t_ref"),
        (b"t_ref,colour\n1,red\n", r"line 1: the header has no column name"),
        (b"name,t_ref,colour,color\nA,1,a,b\n", r"line 1: the header has column 'colour' twice"),
        (b"name,t_ref\nA,1\nB\n", r"line 3: 1 fields where the header has 2"),
        (b"name,t_ref\nA,1,2\n", r"line 2: 3 fields where the header has 2"),
        (b"name,t_ref\nA,\n", r"line 2: the marker has no time"),
        (b"name,t_ref\nA,soon\n", r"line 2: 'soon' in column t_ref is not a number"),
        (b"name,t_ref\nA,nan\n", r"line 2: 'nan' in column t_ref"),
        (b"name,t_ref\nA,inf\n", r"line 2: 'inf' in column t_ref"),
        (b"name,t_ref\nA,1e999\n", r"line 2: '1e999' in column t_ref"),
        (b"name,t_ref\nA,-1\n", r"line 2: '-1' in column t_ref"),
        (b"name,t_ref,duration\nA,1,-2\n", r"line 2: '-2' in column duration"),
        (b"name,t_ref\nA,5\nB,3\n", r"line 3: 'B' comes before the marker above it"),
        (b"marker_id,t_ref\nx,1\nx,2\n", r"line 3: the id 'x' is taken by the marker at .*line 2"),
        (b'name,t_ref\n"A,1\n', r"line 2: not readable as CSV"),
        (b'name,t_ref\n"A" B,1\n', r"line 2: not readable as CSV"),
        ("name,t_ref\nGröße,1\n".encode("latin-1"), r"markers\.csv is not UTF-8 text"),
        ("name,t_ref\nA,1\n".encode("utf-16-le"), r"markers\.csv is not UTF-8 text"),
    ],
)
def test_bad_input_gets_one_sentence_that_says_where(csv_file: Path, content: bytes, sentence: str) -> None:
    csv_file.write_bytes(content)
    with pytest.raises(MarkerError, match=sentence):
        marker_csv.read_markers(csv_file)


def test_a_file_that_is_not_there_is_named(csv_file: Path) -> None:
    with pytest.raises(MarkerError, match=r"There is no file .*markers\.csv"):
        marker_csv.read_markers(csv_file)


def test_a_folder_is_no_file_of_markers(tmp_path: Path) -> None:
    with pytest.raises(MarkerError, match="cannot be read"):
        marker_csv.read_markers(tmp_path)


# --- the new run's markers ----------------------------------------------------------------------


def test_the_columns_written_are_these() -> None:
    text = marker_csv.write_transferred(
        [
            transferred("Gap", 1.5, 2.25, colour="Orange", comment="land", extra=(("line", "left"),)),
            transferred("Drop", 3.0, None, duration_s=0.5),
        ]
    )
    assert text.split("\r\n") == [
        "marker_id,name,t_ref,t_new,confidence,expected_error_s,needs_review,colour,comment,reason,duration,line",
        "id-Gap,Gap,1.5,2.25,0.875,0.125,false,Orange,land,,0,left",
        "id-Drop,Drop,3,,0.875,,true,,,the new run does not show it,0.5,",
        "",
    ]


def test_a_marker_that_could_not_be_placed_is_never_written_as_fit_for_use() -> None:
    unsure = TransferredMarker(Marker("a", "A", 1.0), None, 0.9, None, needs_review=False)
    (row,) = csv.DictReader(io.StringIO(marker_csv.write_transferred([unsure])))
    assert (row["t_new"], row["needs_review"]) == ("", "true")


cells = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
names = st.text(st.characters(categories=("L", "N", "P", "Zs")), min_size=1).map(str.strip)


@st.composite
def transferred_markers(draw: st.DrawFn) -> list[TransferredMarker]:
    times = st.floats(0, 86400)
    columns = draw(st.lists(names, unique=True, max_size=3))
    columns = [c for c in columns if c.lower() not in ("color", "t_new_est", *marker_csv._WRITTEN_COLUMNS)]
    lengths = draw(st.lists(times, max_size=4))
    return [
        TransferredMarker(
            Marker(
                marker_id=f"m{k}",
                name=draw(cells),
                t_s=draw(times),
                duration_s=length_s,
                colour=draw(cells).strip(),
                comment=draw(cells),
                extra=tuple((column, draw(cells)) for column in columns),
            ),
            t_new=draw(st.none() | times),
            confidence=draw(st.integers(0, 1000)) / 1000,
            expected_error_s=draw(st.none() | st.integers(0, 9000).map(lambda ms: ms / 1000)),
            needs_review=True,
            reason=draw(cells),
            duration_s=length_s,
        )
        for k, length_s in enumerate(lengths)
    ]


@settings(deadline=None)
@given(transferred_markers())
def test_what_was_written_is_read_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, markers: list[TransferredMarker]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "new_markers.csv"
    path.write_bytes(marker_csv.write_transferred(markers).encode())
    assert list(marker_csv.read_transferred(path)) == markers


def test_a_source_column_called_like_one_of_ours_is_kept_under_another_name(csv_file: Path) -> None:
    csv_file.write_text("name,t_ref,confidence,ref_confidence,Reason\nA,1,high,low,why\n", encoding="utf-8")
    (marker,) = marker_csv.read_markers(csv_file)
    out = marker_csv.write_transferred([TransferredMarker(marker, 1.0, 0.5, 0.1, needs_review=False)])
    csv_file.write_bytes(out.encode())
    (back,) = marker_csv.read_transferred(csv_file)
    assert back.confidence == 0.5
    assert back.marker.extra == (
        ("ref_ref_confidence", "high"),
        ("ref_confidence", "low"),
        ("ref_Reason", "why"),
    )


def test_files_of_the_older_tool_are_read_and_wait_for_review(csv_file: Path) -> None:
    csv_file.write_text(
        "marker_id,t_ref,t_new_est,kind\nM1,10.0,11.25,jump\nM2,20.0,,drop\n", encoding="utf-8"
    )
    first, second = marker_csv.read_transferred(csv_file)
    assert first == TransferredMarker(
        Marker("M1", "M1", 10.0, extra=(("kind", "jump"),)), 11.25, 0.0, None, needs_review=True
    )
    assert second.t_new is None


def test_a_person_may_reorder_rows_and_answer_the_review(csv_file: Path) -> None:
    csv_file.write_text("name,t_ref,t_new,needs_review\nB,2,9,FALSE\nA,1,8,yes\nC,3,7,0\n", encoding="utf-8")
    assert [m.needs_review for m in marker_csv.read_transferred(csv_file)] == [False, True, False]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("name,t_ref\nA,1\n", "line 1: the header has no column t_new"),
        ("name,t_ref,t_new,t_new_est\nA,1,2,3\n", "line 1: the header has column 't_new' twice"),
        ("name,t_ref,t_new\nA,1,nan\n", "line 2: 'nan' in column t_new"),
        ("name,t_ref,t_new\nA,1,1e22\n", "line 2: '1e22' in column t_new is longer than any recording"),
        ("name,t_ref,t_new,confidence\nA,1,2,80\n", "line 2: a confidence lies between 0 and 1, not at 80"),
        ("name,t_ref,t_new,needs_review\nA,1,2,perhaps\n", "line 2: 'perhaps' in column needs_review"),
        ("name,t_ref,t_new,expected_error_s\nA,1,2,-3\n", "line 2: '-3' in column expected_error_s"),
    ],
)
def test_a_bad_file_of_transferred_markers_is_refused(csv_file: Path, content: str, sentence: str) -> None:
    csv_file.write_text(content, encoding="utf-8")
    with pytest.raises(MarkerError, match=sentence):
        marker_csv.read_transferred(csv_file)


def test_a_timeline_becomes_csv_in_the_order_of_the_reference() -> None:
    markers = [transferred("A", 1.0, 5.0), transferred("B", 2.0, None), transferred("C", 3.0, 4.0)]
    timeline = transferred_timeline("new.mp4", markers, Timecode(0, NTSC_30))
    export = formats.export("csv", timeline)
    assert export.files == ((".csv", marker_csv.write_transferred(markers)),)
    assert export.losses == ()


def test_a_marker_that_an_editor_moved_is_written_where_it_stands_now(csv_file: Path) -> None:
    timeline = transferred_timeline("new.mp4", [transferred("A", 1.0, 5.0)], Timecode(0, NTSC_30))
    moved = replace(timeline, markers=(replace(timeline.markers[0], frame=300, name="B"),))
    csv_file.write_text(formats.export("csv", moved).files[0][1], encoding="utf-8")
    (back,) = marker_csv.read_transferred(csv_file)
    assert (back.marker.name, back.marker.t_s, back.t_new) == ("B", 1.0, 10.01)


def test_markers_that_were_not_carried_over_become_a_references_markers(csv_file: Path) -> None:
    timeline = Timeline("ref", Timecode(90_000, PAL), markers=(TimelineMarker(50, 25, "A", "Red", "brake"),))
    csv_file.write_text(formats.export("csv", timeline).files[0][1], encoding="utf-8")
    (back,) = marker_csv.read_markers(csv_file)
    assert (back.name, back.t_s, back.duration_s, back.colour, back.comment) == (
        "A",
        2.0,
        1.0,
        "Red",
        "brake",
    )
