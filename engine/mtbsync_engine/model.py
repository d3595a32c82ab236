"""The domain's types. All are immutable; arrays in them are made read-only.

Times are float seconds from a recording's first presented frame, and every name says whose clock it
is: `t_ref` the reference run's, `t_new` the new run's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.timing import Rate, Timecode

FloatArray = NDArray[np.float64]
# What key points look like, a row each: bits, or numbers.
Descriptors = NDArray[np.uint8] | NDArray[np.int8] | NDArray[np.float16]
# Key points (n, 2) in units of a picture's longer side, and their descriptors (n, B).
KeyPoints = tuple[NDArray[np.float32], Descriptors]

# Rounding in the inverse never takes the edge of a supported stretch out of it.
_EDGE_S = 1e-9


def _frozen(values: ArrayLike) -> FloatArray:
    array = np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array


# --- what a camera left on disk -----------------------------------------------------------------


@dataclass(frozen=True)
class Chapter:
    """One file of a recording.

    `picture_path` is the file that pictures are decoded from: the camera's low-resolution proxy where
    there is one, else `path` itself. `offset_s` is where the chapter's first picture stands on the
    recording's clock.
    """

    path: Path
    picture_path: Path
    offset_s: float
    duration_s: float
    n_bytes: int


@dataclass(frozen=True)
class Recording:
    """One press of the shutter: ordered chapters that follow each other without a gap."""

    chapters: tuple[Chapter, ...]
    rate: Rate
    width: int
    height: int
    start_timecode: Timecode | None
    created_utc: datetime | None
    fingerprint: str
    has_audio: bool = False
    # FFmpeg's name for how pictures are compressed.
    codec: str = ""

    @property
    def path(self) -> Path:
        """The first chapter's original file, by which people know the recording."""
        return self.chapters[0].path

    @property
    def duration_s(self) -> float:
        """Seconds from the first picture to the end of the last."""
        last = self.chapters[-1]
        return last.offset_s + last.duration_s

    @property
    def uses_proxy(self) -> bool:
        """Whether pictures come from the camera's low-resolution files."""
        return any(c.picture_path != c.path for c in self.chapters)


@dataclass(frozen=True, eq=False)
class Track:
    """Where a recording went, in metres on a local plane, over the recording's own clock.

    Arrays of length N: `t_s` strictly increasing seconds, `east_m` and `north_m` from the origin
    (`lat_deg`, `lon_deg`), `ele_m` above the datum (nan where unknown), `accuracy_m` one standard
    error of the position.
    """

    t_s: FloatArray
    east_m: FloatArray
    north_m: FloatArray
    ele_m: FloatArray
    accuracy_m: FloatArray
    origin_lat_deg: float
    origin_lon_deg: float

    def __post_init__(self) -> None:
        for name in ("t_s", "east_m", "north_m", "ele_m", "accuracy_m"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))

    @property
    def speed_mps(self) -> FloatArray:
        """Speed over ground at each `t_s`, in metres a second, by central differences. Shape (N,)."""
        speed: FloatArray = np.hypot(np.gradient(self.east_m, self.t_s), np.gradient(self.north_m, self.t_s))
        return speed


@dataclass(frozen=True, eq=False)
class Motion:
    """How the camera turned: `turn_radps` (N,), radians a second about the vertical, positive to the left
    (anticlockwise seen from above), at strictly increasing `t_s` (N,) on the recording's own clock."""

    t_s: FloatArray
    turn_radps: FloatArray

    def __post_init__(self) -> None:
        for name in ("t_s", "turn_radps"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))


@dataclass(frozen=True, eq=False)
class Telemetry:
    """What a camera or a second device noted besides pictures; None or empty where it did not.

    `highlights_s` are the moments at which the rider pressed the camera's mark button (GoPro's HiLights).
    """

    track: Track | None = None
    motion: Motion | None = None
    highlights_s: tuple[float, ...] = ()


# --- what a recording looks like ----------------------------------------------------------------


class Matcher(StrEnum):
    """What describes pictures, and tells which key points of two of them show the same thing."""

    XFEAT = "xfeat"
    ORB = "orb"
    ALIKED = "aliked"
    DISK = "disk"
    SUPER = "super"

    @property
    def needs_weights(self) -> bool:
        """Whether it runs networks that a person has to bring along."""
        return self in (Matcher.ALIKED, Matcher.DISK, Matcher.SUPER)


@dataclass(frozen=True)
class Weights:
    """The folder that a matcher's networks lie in; `use_gpu` lets a graphics card run them if it can."""

    folder: Path
    use_gpu: bool = True


@dataclass(frozen=True)
class IndexParams:
    """How an index is made; two indexes can be compared when everything but `fps` and `fast` agrees.

    `fps` is how many pictures a second are looked at, `max_side_px` the longest side they are scaled
    down to, `n_features` the number of key points kept in each, `matcher` what describes them, `clahe`
    whether contrast is equalised locally first (ORB only), `fast` whether key frames up to a second apart
    will do, `weights_sha256` which networks `matcher` ran (empty for those that come with mtbsync).
    """

    fps: float = 3.0
    max_side_px: int = 480
    n_features: int = 400
    matcher: Matcher = Matcher.XFEAT
    clahe: bool = True
    fast: bool = False
    weights_sha256: str = ""

    def differing(self, other: IndexParams) -> list[str]:
        """What keeps an index made this way from being compared with one made the `other` way; empty where
        nothing does."""
        decisive = ("matcher", "max_side_px", "n_features", "clahe", "weights_sha256")
        return [name for name in decisive if getattr(self, name) != getattr(other, name)]


@dataclass(frozen=True, eq=False)
class Index:
    """Sampled pictures of one recording, described.

    `t_s` (N,) are the pictures' times; `appearance` (N, C, D) float16 describes each as a whole, in C
    columns from left to right; `points` (P, 2) float32 and `descriptors` (P, B), bits or numbers, are the
    key points of all pictures, one picture after the other, in units of the picture's longer side; picture k
    owns rows `first_point[k]` up to `first_point[k + 1]` (N + 1,).
    """

    params: IndexParams
    fingerprint: str
    duration_s: float
    t_s: FloatArray
    appearance: NDArray[np.float16]
    points: NDArray[np.float32]
    descriptors: Descriptors
    first_point: NDArray[np.int64]

    def local(self, k: int) -> KeyPoints:
        """Key points (n, 2) and descriptors (n, B) of picture `k`."""
        rows = slice(self.first_point[k], self.first_point[k + 1])
        return self.points[rows], self.descriptors[rows]

    @property
    def spacing_s(self) -> float:
        """Typical time between two of its pictures, in seconds."""
        return float(np.median(np.diff(self.t_s))) if self.t_s.size > 1 else self.duration_s


# --- how one run lies on the other ---------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class TimeMap:
    """Strictly increasing map t_new -> t_ref, with its standard error and the stretches that support it.

    Knots: `t_new`, `t_ref` (both strictly increasing, K >= 2) and `se_s`, one standard error of t_ref
    at each knot. Between knots it runs as a monotone cubic (Fritsch and Carlson 1980, as scipy's PCHIP).
    `support` holds closed, disjoint, ascending intervals of t_new that evidence stands behind; anywhere
    else the map answers nan rather than extrapolate.

    Raises:
        AlignmentError: knots or support break those rules.
    """

    t_new: FloatArray
    t_ref: FloatArray
    se_s: FloatArray
    support: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        for name in ("t_new", "t_ref", "se_s"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))
        shapes = {self.t_new.shape, self.t_ref.shape, self.se_s.shape}
        if len(shapes) != 1 or self.t_new.ndim != 1 or self.t_new.size < 2:
            raise AlignmentError("A time map needs two knots or more, with one error for each.")
        if not all(np.isfinite(a).all() for a in (self.t_new, self.t_ref, self.se_s)):
            raise AlignmentError("A time map's knots must be finite numbers.")
        if (np.diff(self.t_new) <= 0).any() or (np.diff(self.t_ref) <= 0).any() or (self.se_s < 0).any():
            raise AlignmentError("A time map must rise strictly, and its errors cannot be negative.")
        edges = [edge for interval in self.support for edge in interval]
        inside = all(self.t_new[0] <= edge <= self.t_new[-1] for edge in edges)
        if not edges or not inside or any(b < a for a, b in self.support) or edges != sorted(edges):
            raise AlignmentError("A time map's support must be ascending intervals between its knots.")

    @cached_property
    def _forward(self) -> PchipInterpolator:
        return PchipInterpolator(self.t_new, self.t_ref, extrapolate=False)

    def to_ref(self, t_new: ArrayLike) -> FloatArray:
        """t_ref at each `t_new`; nan outside the support. Any shape in, the same shape out."""
        t = np.asarray(t_new, dtype=np.float64)
        return np.where(self.supports(t), self._forward(t), np.nan)

    def to_new(self, t_ref: ArrayLike) -> FloatArray:
        """The exact inverse of `to_ref`: t_new at each `t_ref`; nan outside the support."""
        wanted = np.asarray(t_ref, dtype=np.float64)
        starts, ends = np.array(self.support).T
        first, last = self._forward(starts), self._forward(ends)
        k = np.maximum(np.searchsorted(first, wanted, side="right") - 1, 0)
        after = np.minimum(k + 1, len(self.support) - 1)
        k = np.where((wanted > last[k] + _EDGE_S) & (wanted >= first[after] - _EDGE_S), after, k)
        supported = (first[k] - _EDGE_S <= wanted) & (wanted <= last[k] + _EDGE_S)
        return np.where(supported, np.clip(self._solve(wanted), starts[k], ends[k]), np.nan)

    def supports(self, t_new: ArrayLike) -> NDArray[np.bool_]:
        """Whether evidence stands behind each `t_new`."""
        t = np.asarray(t_new, dtype=np.float64)
        starts, ends = np.array(self.support).T
        k = np.searchsorted(starts, t, side="right") - 1
        found: NDArray[np.bool_] = (k >= 0) & (t <= ends[np.maximum(k, 0)])
        return found

    def slope(self, t_new: ArrayLike) -> FloatArray:
        """dt_ref/dt_new at each `t_new`: above 1 the new run is the faster; nan outside the support."""
        t = np.asarray(t_new, dtype=np.float64)
        return np.where(self.supports(t), self._forward.derivative()(t), np.nan)

    def error_ref_s(self, t_new: ArrayLike) -> FloatArray:
        """One standard error of t_ref at each `t_new`, in reference seconds; nan outside the support."""
        t = np.asarray(t_new, dtype=np.float64)
        return np.where(self.supports(t), np.interp(t, self.t_new, self.se_s), np.nan)

    def error_new_s(self, t_ref: ArrayLike, n_se: float = 1.0) -> FloatArray:
        """How far t_new may be off at each `t_ref`, for an error of `n_se` standard errors in t_ref.

        Where the new run stands still a small error of place is a long time, so the error is carried
        through the map rather than divided by its slope. nan outside the support.
        """
        wanted = np.asarray(t_ref, dtype=np.float64)
        t = self.to_new(wanted)
        off = n_se * np.interp(t, self.t_new, self.se_s)
        low, high = self._solve(wanted - off), self._solve(wanted + off)
        floor = off / np.maximum(self.slope(t), 1.0)
        return np.maximum(np.maximum(t - low, high - t), floor)

    def _solve(self, t_ref: FloatArray) -> FloatArray:
        """Bisection inside the knot interval that holds each `t_ref`; the end knots stand for all beyond."""
        k = np.clip(np.searchsorted(self.t_ref, t_ref, side="right") - 1, 0, self.t_ref.size - 2)
        low, high = self.t_new[k], self.t_new[k + 1]
        for _ in range(64):
            middle = 0.5 * (low + high)
            below = self._forward(middle) < t_ref
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return 0.5 * (low + high)


@dataclass(frozen=True, eq=False)
class MatchedPairs:
    """Moments seen to be at the same place: the evidence behind a time map, one row a sighting.

    Arrays of length K, ascending in `t_new`: `t_ref` where the sighting puts that moment, `se_s` one
    standard error of t_ref, `score` how much more alike the pictures are than chance (standard
    deviations), `n_inliers` the geometrically verified key points (0: seen as a whole only).
    """

    t_new: FloatArray
    t_ref: FloatArray
    se_s: FloatArray
    score: FloatArray
    n_inliers: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.t_new.size)

    def at(self, rows: NDArray[np.bool_]) -> MatchedPairs:
        """Only the sightings that `rows` (K,) says."""
        return MatchedPairs(
            self.t_new[rows], self.t_ref[rows], self.se_s[rows], self.score[rows], self.n_inliers[rows]
        )


class Witness(StrEnum):
    """Who saw where the new run was."""

    POINTS = "key points"
    PICTURES = "whole pictures"
    GPS = "GPS"
    TURNS = "turning"
    PERSON = "a person"


@dataclass(frozen=True, eq=False)
class Testimony:
    """What a witness other than the pictures says, at moments so far apart that its errors are independent.

    Arrays of length K: `t_ref_s` at `t_new_s`, and `se_s` one standard error of t_ref.
    """

    witness: Witness
    t_new_s: FloatArray
    t_ref_s: FloatArray
    se_s: FloatArray


# A person finds the same place in two videos to about a frame, as one standard error.
ANCHOR_SE_S = 0.02


@dataclass(frozen=True, order=True)
class Anchor:
    """What a person says who sees both videos: these two moments are at the same place."""

    t_new_s: float
    t_ref_s: float


@dataclass(frozen=True, eq=False)
class LikenessImage:
    """A likeness matrix small enough to keep and to draw: `z` (n, m) float16, in standard deviations
    above chance, at times `t_new` (n,) and `t_ref` (m,)."""

    z: NDArray[np.float16]
    t_new: FloatArray
    t_ref: FloatArray


class Model(StrEnum):
    """The family a time map comes from."""

    CURVE = "curve"
    AFFINE = "affine"


class GpsUse(StrEnum):
    """What GPS added to an alignment."""

    NONE = "no track"
    ONE = "one track, for where the rider stood still"
    BOTH = "two tracks, as a prior for what the camera saw"
    UNUSABLE = "two tracks, of which one is too short or too vague to tell anything"
    ALONE = "two tracks alone, as the camera saw nothing that matches"
    CONTRADICTS = "two tracks of different places"


@dataclass(frozen=True)
class OtherPlace:
    """Where the new run lies as well as where it was put, or nearly: from `t_new_s` on it shows what the
    reference shows from `t_ref_s` on; `share` is what that earns, of what the best earns."""

    t_new_s: float
    t_ref_s: float
    share: float


@dataclass(frozen=True, eq=False)
class Matching:
    """What two runs have in common, before any curve is laid through it.

    `stretches` are the intervals of t_new that `pairs` cover without a hole; `reach_s` is how far beyond
    its ends a map may go on. `margin` is the gap between the best path and chance, as a share of the best:
    near 1 chance does not come close, near 0 it does as well, nan when it is not known. `gps` is what GPS had
    to say, and `gps_separation_m` how far apart the two tracks run (nan unless there are two). `testimonies`
    are what the other witnesses say, and `elsewhere` the places that the new run fits about as well, as where
    the reference goes round in laps. `anchors` are what a person says: whatever contradicts them is wrong.
    """

    pairs: MatchedPairs
    stretches: tuple[tuple[float, float], ...]
    reach_s: float
    duration_new_s: float
    margin: float
    gps: GpsUse
    gps_separation_m: float
    testimonies: tuple[Testimony, ...] = ()
    elsewhere: tuple[OtherPlace, ...] = ()
    anchors: tuple[Anchor, ...] = ()

    @property
    def shares(self) -> dict[Witness, float]:
        """How much of all that is known comes from each witness, weighed by the errors they state."""
        verified = self.pairs.n_inliers > 0
        known = {
            Witness.POINTS: float((self.pairs.se_s[verified] ** -2).sum()),
            Witness.PICTURES: float((self.pairs.se_s[~verified] ** -2).sum()),
        }
        known |= {t.witness: float((t.se_s**-2).sum()) for t in self.testimonies}
        if self.anchors:
            known[Witness.PERSON] = len(self.anchors) * ANCHOR_SE_S**-2
        return {witness: weight / sum(known.values()) for witness, weight in known.items()}


@dataclass(frozen=True, eq=False)
class Alignment:
    """Where the new run lies on the reference: the map and the evidence it was laid through, which of all
    that was matched is what no anchor contradicts.

    `residual_s` (K,) is t_ref of each pair less the map's; pairs within `inlier_thresh_s` count for it.
    """

    model: Model
    time_map: TimeMap
    matching: Matching
    residual_s: FloatArray
    inlier_thresh_s: float

    @property
    def coverage(self) -> float:
        """The share of the new run that the map supports."""
        return sum(end - start for start, end in self.time_map.support) / self.matching.duration_new_s


# --- how good it is ---------------------------------------------------------------------------


class Decision(StrEnum):
    """What becomes of an alignment: used, shown to a person first, or thrown away."""

    ACCEPT = "accept"
    REVIEW = "review"
    REJECT = "reject"


@dataclass(frozen=True)
class Verdict:
    """A decision and its reasons in words, the weightiest first."""

    decision: Decision
    reasons: tuple[str, ...]


# --- what the editor marked ---------------------------------------------------------------------


@dataclass(frozen=True)
class Marker:
    """A moment an editor named, on the clock of the recording it belongs to.

    `extra` keeps, in order, columns of the source that mtbsync has no use for.
    """

    marker_id: str
    name: str
    t_s: float
    duration_s: float = 0.0
    colour: str = ""
    comment: str = ""
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class TransferredMarker:
    """A reference marker and where it belongs in the new run.

    `t_new` is None where the new run does not show the place; nothing is invented there. `duration_s` is
    the marker's length in the new run, its own where it is not placed.
    `expected_error_s` bounds the error of t_new in nine cases of ten; `confidence` is the
    probability, from 0 to 1, that the marker is within a quarter of a second of the truth.
    """

    marker: Marker
    t_new: float | None
    confidence: float
    expected_error_s: float | None
    needs_review: bool
    reason: str = ""
    duration_s: float = 0.0
