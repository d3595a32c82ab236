"""Tables of markers that editors export, with a header and timecode in their cells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.timing import Timecode
from mtbsync_integrations.formats.edl import Line
from mtbsync_integrations.formats.sources import read_text

_TIMECODE = re.compile(r"([0-9]{2})[:;]([0-9]{2})[:;]([0-9]{2})([:;])([0-9]{2,3})")


@dataclass(frozen=True)
class Row:
    """A row's cells by the names of their columns, which are in lower case, and its line in the file."""

    cells: Mapping[str, str]
    number: int

    def text(self, column: str) -> str:
        """The cell, stripped; empty where there is no such column."""
        return self.cells.get(column, "").strip()

    def timecode(self, column: str) -> str:
        """The cell as other formats write timecode: some write a `;` everywhere in drop-frame."""
        return _TIMECODE.sub(r"\1:\2:\3\4\5", self.text(column))


@dataclass(frozen=True)
class Table:
    """The columns' names in lower case, and the rows."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    path: Path

    def drop_frame(self, column: str) -> bool:
        """Whether the timecode in a column counts drop-frame."""
        return column in self._drop_frame

    @cached_property
    def _drop_frame(self) -> frozenset[str]:
        """The columns in which any cell has a semicolon."""
        return frozenset(column for row in self.rows for column in row.cells if ";" in row.text(column))

    def frames(self, row: Row, columns: tuple[str, str], start: Timecode) -> tuple[int, int]:
        """The frames from a timeline's `start` to the timecodes in two columns, in and out. A cell without
        an out means the in.

        Raises:
            MarkerError: a cell is no timecode of this timeline, or the out comes before the in.
        """
        line = Line("", row.number, self.path, self.drop_frame(columns[0]))
        first = line.frames_after(start, row.timecode(columns[0]))
        end = line.frames_after(start, row.timecode(columns[1])) if row.text(columns[1]) else first
        if end < first:
            raise MarkerError(f"{line.where}: this marker ends before it begins; export the markers again.")
        return first, end


def read_table(path: Path, names: Sequence[str] = ()) -> Table:
    """The file's first line as the columns, and a row for each other line. Tabs part the cells where the
    first line has any, without quotes; else commas do. `names` are the columns of an editor that writes
    them in its user's language.

    Raises:
        MarkerError: the file cannot be read as a table.
    """
    text = read_text(path)
    tabs = "\t" in text.strip().splitlines()[0]
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter="\t" if tabs else ",",
        quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL,
        strict=True,
    )
    columns: tuple[str, ...] = ()
    rows = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if columns:
                rows.append(Row(dict(zip(columns, cells, strict=False)), reader.line_num))
                continue
            columns = tuple(cell.strip().lower() for cell in cells)
            if not set(names) & set(columns):
                columns = tuple(names) if len(columns) >= len(names) > 0 else columns
    except csv.Error as error:
        raise MarkerError(f"{path}, line {reader.line_num}: not readable as a table ({error}).") from error
    return Table(columns, tuple(rows), path)
