"""Where a run was ridden, in cells, and how much of its way another shares."""

from __future__ import annotations

from mtbsync_engine.identify.grid import around, cell_at
from mtbsync_engine.model import Track
from mtbsync_engine.telemetry.track import VAGUEST_M, from_plane


def cells_of(track: Track) -> frozenset[str]:
    """The cells that a track passes through, by those of its positions that are known to 30 m."""
    known = track.accuracy_m <= VAGUEST_M
    lat_deg, lon_deg = from_plane(
        track.east_m[known], track.north_m[known], track.origin_lat_deg, track.origin_lon_deg
    )
    return frozenset(map(cell_at, lat_deg.tolist(), lon_deg.tolist()))


def share_of_way(new: frozenset[str], trail: frozenset[str]) -> float | None:
    """How much of their way a new run and a trail share by the cells of each, from 0 (they were elsewhere)
    to 1 (the shorter lies within the other); None where one of them has none, which says nothing.

    Cells that touch count as shared: a track a few metres off may lie in the next.
    """
    if not new or not trail:
        return None
    n_shared = min(len(new & around(trail)), len(trail & around(new)))
    return n_shared / min(len(new), len(trail))
