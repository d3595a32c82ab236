"""Two rides of one trail and one of another, short and small, with all that goes with them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.scene import View
from support.videos import ride

DURATION_S = 8.0
RATE = 10
_START = datetime(2024, 5, 1, 10, tzinfo=UTC)
_LATER = datetime(2024, 5, 2, 17, tzinfo=UTC)
_DEGREES_A_METRE = 1 / 111_195


@dataclass(frozen=True)
class Rides:
    """Where everything lies. `truth` holds the true times; `markers` five markers of the reference run.

    The first of them, 'Start', lies before the place where the new run begins.
    """

    folder: Path

    def __getattr__(self, name: str) -> Path:
        return {
            "ref": self.folder / "ref.mp4",
            "new": self.folder / "new.mp4",
            "other": self.folder / "other.mp4",
            "ref_gpx": self.folder / "ref.gpx",
            "new_gpx": self.folder / "new.gpx",
            "markers": self.folder / "markers.csv",
            "truth": self.folder / "truth.csv",
        }[name]


def make_rides(folder: Path) -> Rides:
    """Film the rides and write down where they went."""
    rides = Rides(folder)
    dim = View(seed=3, lateral_m=0.2, shake_px=1.0, gain=0.8, noise=2.0)
    times = {"creation_time": _START.isoformat()}
    ride(rides.ref, _reference_m, DURATION_S, 5, rate=RATE, metadata=times)
    ride(
        rides.new, _new_m, DURATION_S, 5, rate=RATE, view=dim, metadata={"creation_time": _LATER.isoformat()}
    )
    ride(rides.other, _reference_m, 5.0, 77, rate=RATE)
    rides.ref_gpx.write_text(_gpx(_reference_m, _START), encoding="utf-8")
    rides.new_gpx.write_text(_gpx(_new_m, _LATER), encoding="utf-8")
    rides.markers.write_text(
        "marker_id,name,t_ref,colour,comment,priority\n"
        "m1,Start,0.2,red,,low\n"
        'm2,"Root, big",2.5,blue,Left of it,high\n'
        "m3,Drop,4.0,green,,high\n"
        "m4,Bend,5.5,,,low\n"
        "m5,Bridge,6.75,purple,Slow,low\n",
        encoding="utf-8",
    )
    rows = [f"{k / 10:.1f},{true_t_ref(k / 10):.6f}\n" for k in range(math.floor(DURATION_S * 10))]
    rides.truth.write_text("t_new,t_ref\n" + "".join(rows), encoding="utf-8")
    return rides


def true_t_ref(t_new: float) -> float:
    """The moment at which the reference run was where the new run is at `t_new`."""
    return _new_m(t_new) / _REFERENCE_MPS


def true_t_new(t_ref: float) -> float:
    """The inverse of `true_t_ref`, by bisection."""
    low, high = 0.0, DURATION_S
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if true_t_ref(middle) < t_ref else (low, middle)
    return low


_REFERENCE_MPS = 5.0


def _reference_m(t_s: float) -> float:
    return _REFERENCE_MPS * t_s


def _new_m(t_s: float) -> float:
    return 3.0 + 4.2 * t_s + 1.5 * math.sin(0.6 * t_s)


def _gpx(position_m: Callable[[float], float], start: datetime) -> str:
    points = "".join(
        f'<trkpt lat="{46 + position_m(t_s) * _DEGREES_A_METRE:.8f}" lon="7.0"><ele>1000</ele>'
        f"<time>{(start + timedelta(seconds=t_s)).isoformat()}</time></trkpt>\n"
        for t_s in range(math.ceil(DURATION_S) + 1)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<gpx version="1.1" creator="test" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>\n'
        f"{points}</trkseg></trk></gpx>\n"
    )
