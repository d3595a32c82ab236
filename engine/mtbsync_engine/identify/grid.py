"""Places on Earth as cells about 150 m wide, by name: a grid that a database can look up.

Rows have one height in degrees of latitude; each is cut into as many equal columns as keep them about as
wide as high, so that there are fewer towards the poles. A cell's name is `row.column`, both counted from 0,
rows from the south pole and columns from the date line eastwards. Names that are kept must be made anew if
the grid changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

_CELL_M = 150.0
_METRES_PER_DEGREE = 111_195.0
_N_ROWS = round(180 * _METRES_PER_DEGREE / _CELL_M)


def cell_at(lat_deg: float, lon_deg: float) -> str:
    """The name of the cell that a place lies in; longitudes go round, latitudes end at the poles."""
    row = min(max(math.floor((lat_deg + 90) / 180 * _N_ROWS), 0), _N_ROWS - 1)
    n_columns = _n_columns(row)
    return f"{row}.{math.floor((lon_deg + 180) / 360 * n_columns) % n_columns}"


def neighbours(cell: str) -> frozenset[str]:
    """The cell itself, those beside it, and of the next rows those less far off than a cell is wide: all
    that is within a hundred metres of any place in it. Neighbours are mutual."""
    row, column = (int(part) for part in cell.split("."))
    n_columns = _n_columns(row)
    near = {f"{row}.{(column + step) % n_columns}" for step in (-1, 0, 1)}
    for beside in (row - 1, row + 1):
        if 0 <= beside < _N_ROWS:
            n_beside = _n_columns(beside)
            # Edges in whole numbers, so that which cells are near is no matter of rounding.
            width = min(n_columns, n_beside) - 1
            first = -((width - column * n_beside) // n_columns) - 1
            last = ((column + 1) * n_beside + width) // n_columns
            near |= {f"{beside}.{k % n_beside}" for k in range(first, last + 1)}
        else:
            # All of a row around a pole meet there.
            near |= {f"{row}.{k}" for k in range(n_columns)}
    return frozenset(near)


def around(cells: Iterable[str]) -> frozenset[str]:
    """All cells that are one of these, or neighbours of one of them."""
    return frozenset().union(*map(neighbours, cells))


def _n_columns(row: int) -> int:
    """How many columns a row has, by its middle's distance from the axis."""
    middle_deg = (row + 0.5) / _N_ROWS * 180 - 90
    return max(1, round(360 * _METRES_PER_DEGREE * math.cos(math.radians(middle_deg)) / _CELL_M))
