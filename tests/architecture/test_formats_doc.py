"""The table of formats in the documents is what the formats declare."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mtbsync_integrations.formats import describe, format_names, get_format
from mtbsync_integrations.timeline import MarkerKind

FORMATS = Path(__file__).parents[2] / "docs" / "formats.md"


def row(name: str) -> str:
    """What a format has a place for, in the words of the table."""
    carries = get_format(name).CARRIES
    colours = "any" if carries.palette is None else str(len(carries.palette) or "no")
    kinds = carries.kinds - {MarkerKind.STANDARD}
    also = [
        *(["lengths"] if carries.lengths else []),
        *sorted(str(kind) for kind in kinds),
        *(["ids"] if carries.ids else []),
        *(["confidence"] if carries.sync else []),
    ]
    tracks = {0: "no", None: "any number of tracks"}.get(carries.n_tracks, f"{carries.n_tracks} track")
    clips = tracks + (", speeds" if carries.speeds else "")
    frames = "seconds" if carries.whole_seconds else "one a frame" if carries.one_a_frame else "frames"
    comment = "no" if carries.comment is None else "yes"
    cells = (f"`{name}`", describe(name), frames, colours, comment, ", ".join(also) or "no", clips)
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("name", format_names())
def test_the_table_says_what_a_format_declares(name: str) -> None:
    assert row(name) in FORMATS.read_text(encoding="utf-8").splitlines()


def test_the_table_has_no_other_rows() -> None:
    text = FORMATS.read_text(encoding="utf-8")
    table = text[text.index("| name | what it is |") :].split("\n\n")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE) == list(format_names())
