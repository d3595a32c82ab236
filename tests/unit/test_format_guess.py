from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from mtbsync_engine.errors import ExportError, MarkerError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import export, format_names, get_format
from mtbsync_integrations.formats.guess import format_of, format_to
from support.timelines import rich

START = Timecode.parse("01:00:00:00", Rate(Fraction(25)))


@pytest.mark.parametrize("name", format_names())
def test_what_mtbsync_wrote_is_known_again(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"edit{get_format(name).SUFFIX.upper()}"
    path.write_bytes(export(name, rich(START)).files[0][1].encode())
    # One reader understands both, whoever wrote the file.
    assert format_of(path) == ("otio" if name == "resolve-otio" else name)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.edl", "TITLE: x\n001  AX V C 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n", "edl"),
        ("a.xml", '<?xml version="1.0"?>\n<!DOCTYPE xmeml>\n<xmeml version="5">', "premiere"),
        ("a.xml", '<?xml version="1.0"?>\n<fcpxml version="1.9">', "fcpxml"),
        ("a.csv", "\ufeffname,t_ref\nA,1\n", "csv"),
        ("a.txt", "0:00 Start\n1:05 Drop\n", "youtube"),
        ("a.txt", "rider\t01:00:01:14\tV1\tred\tjump\t1\n", "avid"),
    ],
)
def test_others_files_are_known_by_how_they_begin(name: str, text: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert format_of(path) == found


def test_a_table_in_utf_16_is_known(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Marker Name\tDescription\tIn\tOut\n", encoding="utf-16")
    assert format_of(path) == "premiere-csv"


@pytest.mark.parametrize("name", ["a.mp4", "a.txt", "a.xml", "a"])
def test_what_is_no_format_is_refused_with_the_names_there_are(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("nothing of the kind", encoding="utf-8")
    with pytest.raises(MarkerError, match=r"`mtbsync convert --from NAME` takes avid, csv, edl"):
        format_of(path)
    with pytest.raises(MarkerError, match="There is no file"):
        format_of(tmp_path / "missing.edl")


def test_the_name_of_an_output_says_its_format_where_it_can() -> None:
    known = {"a.otio": "otio", "b.FCPXML": "fcpxml", "c.edl": "edl", "d.xml": "premiere", "e.mlt": "mlt"}
    assert {name: format_to(Path(name)) for name in known} == known
    with pytest.raises(ExportError, match=r"a\.fcpxmld does not tell its format"):
        format_to(Path("a.fcpxmld"))
    with pytest.raises(ExportError, match=r"a\.txt does not tell its format; name it with --to: avid, csv"):
        format_to(Path("a.txt"))
