"""One picture that shows how well two runs line up, and where their markers went.

Grey is evidence, blue is the map laid through it, the other colours are verdicts. No colour stands alone: a
shape or a word says the same, and the colours keep apart under every common colour blindness.
"""

from __future__ import annotations

import io
import math
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from textwrap import wrap
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MultipleLocator, NullLocator
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from mtbsync_engine.judge import NINE_IN_TEN
from mtbsync_engine.model import (
    Decision,
    FloatArray,
    LikenessImage,
    MatchedPairs,
    TimeMap,
    TransferredMarker,
    Verdict,
)

WIDTH_PX, HEIGHT_PX = 1600, 1000
_DPI = 100

# Where panels stand, in pixels from the upper left corner.
_LEFT, _COLUMN_END, _RIGHT = 112, 1000, WIDTH_PX - 40
_SECOND_COLUMN, _BARS_RIGHT, _PACE_LEFT = 1032, 1226, 1132
_UPPER, _LOWER = (166, 650), (756, 936)
# Texts: the room for a run's name, the distance of two markers' names, and of a row from its name.
_NAME_PX, _REASON_CHARS, _NAME_STEP_PX, _LEADER_PX, _CLOCK_PX = 640, 160, 15.5, 34, 38

_INK, _QUIET, _PALE, _RULE, _SHADE = "#1f2933", "#5f6c7b", "#8b96a2", "#e1e5ea", "#e9ecf0"
_MAP, _BAND = "#0072e3", "#d3e6fa"
_LIKENESS = LinearSegmentedColormap.from_list("likeness", ["#ffffff", "#141a21"])
# Fonts for the scripts that DejaVu Sans lacks, where the system has them.
_MORE_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Hiragino Sans",
    "PingFang SC",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Arial Unicode MS",
)
_STYLE: dict[Any, Any] = {
    "font.size": 10,
    "text.color": _INK,
    # A `$` in a marker's name is a dollar, not mathematics.
    "text.parse_math": False,
    "axes.edgecolor": _QUIET,
    "axes.labelcolor": _QUIET,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 11,
    "axes.titlepad": 10,
    "axes.grid": True,
    "grid.color": _RULE,
    "grid.linewidth": 0.8,
    "xtick.color": _QUIET,
    "ytick.color": _QUIET,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.labelcolor": _QUIET,
    "legend.handlelength": 1.3,
    "legend.handletextpad": 0.5,
    "legend.columnspacing": 1.4,
    "legend.borderpad": 0.0,
    "legend.borderaxespad": 0.0,
}

_TITLES = {
    "map": "Where the new run lies on the reference",
    "markers": "Markers",
    "sightings": "How far sightings lie off the map",
    "pace": "Pace of the new run",
}
_MINUS = "\N{MINUS SIGN}"
_NEW_TIME = "Time in the new run (m:ss)"
_TICK_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
_ERROR_TICKS_S = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
# Errors up to this many seconds are drawn to scale, larger ones ever more squeezed.
_TRUE_TO_SCALE_S = 0.1
_PACE_WORDS = {
    1 / 8: "1/8 as fast",
    1 / 4: "1/4 as fast",
    1 / 2: "half as fast",
    1: "same pace",
    2: "twice as fast",
    4: "4\N{MULTIPLICATION SIGN} as fast",
    8: "8\N{MULTIPLICATION SIGN} as fast",
}
# Below this pace a rider stands, when it lasts.
_STANDING_PACE = 0.15
_MIN_STOP_S = 1.0
# Shorter gaps are the time between two pictures.
_MIN_GAP_S = 0.5
_N_MOMENTS = 2000


@dataclass(frozen=True)
class _Status:
    """What became of a marker, in a word, a colour and a shape (matplotlib's code)."""

    word: str
    colour: str
    shape: str

    @staticmethod
    def of(marker: TransferredMarker) -> _Status:
        if marker.t_new is None:
            return _NOT_PLACED
        return _NEEDS_REVIEW if marker.needs_review else _ACCEPTED


_ACCEPTED = _Status("accepted", "#00806a", "o")
_NEEDS_REVIEW = _Status("to review", "#b35c00", "^")
_NOT_PLACED = _Status("not placed", "#8e1b7a", "X")
_STATUSES = (_ACCEPTED, _NEEDS_REVIEW, _NOT_PLACED)
_VERDICTS = {
    Decision.ACCEPT: ("✓  Accepted", _ACCEPTED.colour),
    Decision.REVIEW: ("▲  Needs review", _NEEDS_REVIEW.colour),
    Decision.REJECT: ("✖  Rejected", _NOT_PLACED.colour),
}


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two runs lined up: what there is to show. Parts that are None or empty are left out."""

    reference_name: str
    new_name: str
    time_map: TimeMap
    verdict: Verdict
    likeness: LikenessImage | None = None
    pairs: MatchedPairs | None = None
    markers: Sequence[TransferredMarker] = ()

    @property
    def is_rejected(self) -> bool:
        """Whether the map is but the best guess of those that were thrown away."""
        return self.verdict.decision is Decision.REJECT

    @property
    def map_label(self) -> str:
        """What the map's line is called in a key."""
        return "best guess, rejected" if self.is_rejected else "time map"

    @property
    def map_looks(self) -> dict[str, Any]:
        """A line that is drawn like a result only where it is one."""
        return {"color": _QUIET, "ls": "--"} if self.is_rejected else {"color": _MAP}

    @cached_property
    def span_new_s(self) -> tuple[float, float]:
        """From the new run's start to the last moment that anything is known of."""
        known = [edge for interval in self.time_map.support for edge in interval]
        if self.likeness is not None:
            known.append(_borders(self.likeness.t_new)[-1])
        return min(0.0, *known), max(known)

    @cached_property
    def span_ref_s(self) -> tuple[float, float]:
        """The same of the reference, with all its markers."""
        known = [edge for interval in self.time_map.support for edge in self.time_map.to_ref(interval)]
        known += [m.marker.t_s for m in self.markers]
        if self.likeness is not None:
            known.append(_borders(self.likeness.t_ref)[-1])
        return min(0.0, *known), max(known)


def draw(comparison: Comparison) -> bytes:
    """The picture as a PNG of `WIDTH_PX` by `HEIGHT_PX`.

    Not for two threads at once: matplotlib's settings, which it changes for a while, are the process's.
    """
    png = io.BytesIO()
    with _style():
        _figure(comparison).savefig(png, format="png")
    return png.getvalue()


def layout(comparison: Comparison) -> Figure:
    """The same picture as a figure, before it is drawn.

    The label of each panel's `Axes` is one of "map", "markers", "sightings" and "pace".
    """
    with _style():
        return _figure(comparison)


@contextmanager
def _style() -> Iterator[None]:
    """This picture's own look, whatever the user's matplotlibrc says."""
    installed = set(fontManager.get_font_names())
    families = ["DejaVu Sans", *(name for name in _MORE_FONTS if name in installed)]
    with mpl.rc_context(), warnings.catch_warnings():
        # A character that no font has is drawn as a box, which says as much as a warning.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE | {"font.family": families})
        yield


def _figure(comparison: Comparison) -> Figure:
    figure = Figure(figsize=(WIDTH_PX / _DPI, HEIGHT_PX / _DPI), dpi=_DPI)
    FigureCanvasAgg(figure)
    pairs = comparison.pairs
    if pairs is not None and not comparison.time_map.supports(pairs.t_new).any():
        pairs = None
    has_markers = len(comparison.markers) > 0
    map_right = _COLUMN_END if has_markers else _RIGHT
    pace_left, pace_title = (_PACE_LEFT, _SECOND_COLUMN) if pairs is not None else (_LEFT, _LEFT)
    _draw_header(figure, comparison)
    _draw_map(_panel(figure, "map", _LEFT, map_right, _UPPER), comparison)
    if has_markers:
        _draw_markers(_panel(figure, "markers", _SECOND_COLUMN, _BARS_RIGHT, _UPPER), comparison)
    if pairs is not None:
        _draw_sightings(_panel(figure, "sightings", _LEFT, _COLUMN_END, _LOWER), comparison, pairs)
    _draw_pace(_panel(figure, "pace", pace_left, _RIGHT, _LOWER, pace_title), comparison)
    return figure


def _panel(
    figure: Figure,
    label: str,
    left_px: int,
    right_px: int,
    down_px: tuple[int, int],
    title_px: int | None = None,
) -> Axes:
    """An empty panel under its title, which starts at `title_px`, or else where the panel does."""
    top_px, bottom_px = down_px
    width_px, height_px = right_px - left_px, bottom_px - top_px
    place = (left_px / WIDTH_PX, 1 - bottom_px / HEIGHT_PX, width_px / WIDTH_PX, height_px / HEIGHT_PX)
    ax = figure.add_axes(place, label=label)
    ax.set_title(_TITLES[label], x=0 if title_px is None else (title_px - left_px) / width_px)
    return ax


# --- the panels --------------------------------------------------------------------------------------


def _draw_header(figure: Figure, comparison: Comparison) -> None:
    """Which runs these are, the verdict in a word and the weightiest of its reasons."""
    left, upper, lower = 40 / WIDTH_PX, 1 - 42 / HEIGHT_PX, 1 - 92 / HEIGHT_PX
    x = left
    for words, weight, colour in (
        (comparison.new_name, "bold", _INK),
        ("on reference", "normal", _QUIET),
        (comparison.reference_name, "bold", _INK),
    ):
        shown = _shortened(figure, words, _NAME_PX, size=16, weight=weight)
        title = figure.text(x, upper, shown, size=16, weight=weight, color=colour, va="center")
        x = (title.get_window_extent().x1 + 9) / WIDTH_PX
    word, colour = _VERDICTS[comparison.verdict.decision]
    badge = figure.text(left + 8 / WIDTH_PX, lower, word, color="white", size=12, weight="bold", va="center")
    badge.set_bbox({"boxstyle": "round,pad=0.5", "facecolor": colour, "edgecolor": "none"})
    reason = _one_line(" ".join(comparison.verdict.reasons))
    figure.text(
        (badge.get_window_extent().x1 + 24) / WIDTH_PX,
        lower,
        "\n".join(wrap(reason, _REASON_CHARS, max_lines=2, placeholder=" …")),
        size=11,
        va="center",
        linespacing=1.35,
    )


def _draw_map(ax: Axes, comparison: Comparison) -> None:
    """The likeness of all moments to all, the map over it, and the markers on the map."""
    likeness, time_map = comparison.likeness, comparison.time_map
    key: list[Artist] = [Line2D([], [], label=comparison.map_label, lw=1.8, **comparison.map_looks)]
    if likeness is not None:
        z = likeness.z.astype(np.float32).T
        # Chance likeness is everywhere; held back, it does not hide what stands out.
        shades = PowerNorm(1.4, vmin=float(np.median(z)), vmax=float(z.max()), clip=True)
        ax.pcolormesh(_borders(likeness.t_new), _borders(likeness.t_ref), z, cmap=_LIKENESS, norm=shades)
        key.insert(0, Patch(color=_PALE, label="the darker, the more alike"))
    for t_new in _supported_moments(time_map):
        # The evidence under the line shows through.
        ax.plot(t_new, time_map.to_ref(t_new), lw=1.6, alpha=0.6, **comparison.map_looks)
    for status in (_ACCEPTED, _NEEDS_REVIEW):
        some = [(m.t_new, m.marker.t_s, m.expected_error_s) for m in _with_status(comparison, status)]
        if some:
            t_new_s, t_ref_s, error_s = zip(*some, strict=True)
            ax.errorbar(t_new_s, t_ref_s, xerr=error_s, **_looks(status, len(comparison.markers)))
    ax.set(xlim=comparison.span_new_s, ylim=comparison.span_ref_s)
    ax.set(xlabel=_NEW_TIME, ylabel="Time in the reference (m:ss)")
    _clock_ticks(ax.xaxis, comparison.span_new_s, ax.bbox.width, 80)
    _clock_ticks(ax.yaxis, comparison.span_ref_s, ax.bbox.height, 45)
    _draw_key(ax, key)


def _draw_markers(ax: Axes, comparison: Comparison) -> None:
    """A row for each marker, level with its moment on the map: its error bar and its name."""
    key: list[Artist] = []
    for status in _STATUSES:
        some = _with_status(comparison, status)
        if some:
            t_ref_s, error_s = zip(*((m.marker.t_s, m.expected_error_s or 0.0) for m in some), strict=True)
            looks = _looks(status, len(comparison.markers))
            ax.errorbar(np.zeros(len(some)), t_ref_s, xerr=error_s, clip_on=False, **looks)
            key.append(_dot(f"{len(some)} {status.word}", status.shape, mfc=status.colour, mec=status.colour))
    largest_s = max(m.expected_error_s or 0.0 for m in comparison.markers)
    limit_s = 1.15 * max(largest_s, _TRUE_TO_SCALE_S)
    ax.set_xscale("asinh", linear_width=_TRUE_TO_SCALE_S)
    ax.set(xlim=(-limit_s, limit_s), ylim=comparison.span_ref_s, xlabel="Expected 90 % error (s)")
    _error_ticks(ax.xaxis, limit_s, apart=0.35)
    _clock_ticks(ax.yaxis, comparison.span_ref_s, ax.bbox.height, 45)
    ax.tick_params(axis="y", left=False, labelleft=False)
    ax.spines["left"].set_visible(False)
    ax.axvline(0, color=_PALE, lw=0.8, zorder=0.9)
    _draw_key(ax, key, right_px=_RIGHT)
    _draw_marker_names(ax, comparison)


def _draw_marker_names(ax: Axes, comparison: Comparison) -> None:
    """Names beside the rows, moved apart and led back by a line; of too many, some."""
    height_px, width_px = _UPPER[1] - _UPPER[0], _BARS_RIGHT - _SECOND_COLUMN
    named = _worth_a_name(comparison.markers, int(height_px / _NAME_STEP_PX))
    bottom_s, top_s = comparison.span_ref_s
    row = (np.array([m.marker.t_s for m in named]) - bottom_s) / (top_s - bottom_s)
    level = _moved_apart(row * height_px, _NAME_STEP_PX, height_px) / height_px
    offsets_px = (_LEADER_PX - 8, _LEADER_PX, _LEADER_PX + 4 + _CLOCK_PX, _LEADER_PX + 12 + _CLOCK_PX)
    elbow, end, clock_end, name_at = (1 + px / width_px for px in offsets_px)
    room_px = _RIGHT - _BARS_RIGHT - offsets_px[-1]
    for marker, from_y, y in zip(named, row, level, strict=True):
        status = _Status.of(marker)
        ax.plot([1.0, elbow, end], [from_y, y, y], color=_PALE, lw=0.6, transform=ax.transAxes, clip_on=False)
        looks: dict[str, Any] = {"size": 9, "va": "center", "transform": ax.transAxes}
        ax.text(clock_end, y, _clock(marker.marker.t_s), color=_QUIET, ha="right", **looks)
        name = _shortened(ax, marker.marker.name, room_px, size=9)
        ax.text(name_at, y, name, color=_INK if status is _ACCEPTED else status.colour, **looks)
    if len(named) < len(comparison.markers):
        note = f"{len(named)} of {len(comparison.markers)} names shown"
        ax.text(name_at, -0.03, note, size=9, color=_QUIET, va="top", transform=ax.transAxes)


def _draw_sightings(ax: Axes, comparison: Comparison, pairs: MatchedPairs) -> None:
    """How far the evidence lies off the map, and how far the map says that it may be off itself."""
    time_map = comparison.time_map
    residual_s = pairs.t_ref - time_map.to_ref(pairs.t_new)
    largest_s = max(float(np.nanmax(np.abs(residual_s))), _TRUE_TO_SCALE_S)
    for t_new in [] if comparison.is_rejected else _supported_moments(time_map):
        half_s = NINE_IN_TEN * time_map.error_ref_s(t_new)
        ax.fill_between(t_new, -half_s, half_s, color=_BAND, lw=0)
        for edge_s in (-half_s, half_s):
            ax.plot(t_new, edge_s, color=_MAP, lw=0.8, zorder=3)
        largest_s = max(largest_s, float(half_s.max()))
    crowd = math.sqrt(len(pairs))
    size, alpha = np.clip(60 / crowd, 2.0, 5.0), np.clip(20 / crowd, 0.25, 1.0)
    key: list[Artist] = []
    for kind, face, edge, label in (
        (pairs.n_inliers == 0, "white", _PALE, "by whole picture"),
        (pairs.n_inliers > 0, _INK, _INK, "by key points"),
    ):
        if kind.any():
            key.append(_dot(label, "o", mfc=face, mec=edge))
            ax.plot(
                pairs.t_new[kind], residual_s[kind], "o", ms=size, mfc=face, mec=edge, mew=0.8, alpha=alpha
            )
    if not comparison.is_rejected:
        key.append(Patch(facecolor=_BAND, edgecolor=_MAP, label="map's own 90 % error"))
    if _draw_unsupported(ax, comparison):
        key.append(Patch(color=_SHADE, label="no match"))
    limit_s = 1.15 * largest_s
    ax.set_yscale("asinh", linear_width=_TRUE_TO_SCALE_S)
    ax.set(xlim=comparison.span_new_s, ylim=(-limit_s, limit_s), xlabel=_NEW_TIME, ylabel="Off by (s)")
    _clock_ticks(ax.xaxis, comparison.span_new_s, ax.bbox.width, 80)
    _error_ticks(ax.yaxis, limit_s, apart=0.2)
    _draw_key(ax, key)


def _draw_pace(ax: Axes, comparison: Comparison) -> None:
    """How fast the new run follows the trail compared with the reference, and where a rider stands."""
    time_map = comparison.time_map
    moments = _supported_moments(time_map)
    paces = [np.clip(time_map.slope(t), min(_PACE_WORDS), max(_PACE_WORDS)) for t in moments]
    low, high = min(0.5, *(p.min() for p in paces)) / 1.2, max(2.0, *(p.max() for p in paces)) * 1.2
    for t_new, pace in zip(moments, paces, strict=True):
        ax.plot(t_new, pace, lw=1.2, **comparison.map_looks)
    ax.axhline(1, color=_PALE, lw=0.8, zorder=0.9)
    _draw_unsupported(ax, comparison)
    ax.set_yscale("log", base=2)
    ax.set(xlim=comparison.span_new_s, ylim=(low, high), xlabel=_NEW_TIME)
    _clock_ticks(ax.xaxis, comparison.span_new_s, ax.bbox.width, 80)
    words = {pace: word for pace, word in _PACE_WORDS.items() if low <= pace <= high}
    ax.yaxis.set_major_locator(FixedLocator(list(words)))
    ax.yaxis.set_major_formatter(FixedFormatter(list(words.values())))
    ax.yaxis.set_minor_locator(NullLocator())
    _draw_stops(ax, time_map)


def _draw_stops(ax: Axes, time_map: TimeMap) -> None:
    """Where the new run's rider stands, along the bottom; where the reference's does, along the top."""
    new_stops, ref_stops = _stops(time_map)
    looks: dict[str, Any] = {"color": _INK, "transform": ax.get_xaxis_transform(), "clip_on": False}
    key: list[Artist] = []
    if new_stops:
        key.append(Line2D([], [], color=_INK, lw=5, solid_capstyle="butt", label="new run stands"))
    if ref_stops:
        key.append(_dot("reference stands", "v", mfc=_INK, mec=_INK))
    for stop in new_stops:
        ax.plot(stop, (0, 0), lw=5, solid_capstyle="projecting", **looks)
    ax.plot(ref_stops, np.ones(len(ref_stops)), "v", ms=6, **looks)
    _draw_key(ax, key)


# --- what the panels are made of ---------------------------------------------------------------------


def _with_status(comparison: Comparison, status: _Status) -> list[TransferredMarker]:
    return [marker for marker in comparison.markers if _Status.of(marker) is status]


def _looks(status: _Status, n_markers: int) -> dict[str, Any]:
    """How markers and their error bars are drawn: smaller, the more there are."""
    return {
        "fmt": status.shape,
        "color": status.colour,
        "label": status.word,
        "ms": float(np.clip(36 / math.sqrt(n_markers), 4.5, 7.5)),
        "mec": "white",
        "mew": 0.6,
        "elinewidth": 1.6,
    }


def _dot(label: str, shape: str, **looks: Any) -> Line2D:
    """An entry for a key."""
    return Line2D([], [], ls="none", marker=shape, ms=6, label=label, **looks)


def _draw_key(ax: Axes, handles: Sequence[Artist], right_px: int | None = None) -> None:
    """The key on the line of the panel's title, flush with the panel's right end or with `right_px`."""
    if not handles:
        return
    box = ax.get_position()
    right = 1.0 if right_px is None else (right_px / WIDTH_PX - box.x0) / box.width
    above = 1 + 13 / (box.height * HEIGHT_PX)
    ax.legend(handles=handles, loc="lower right", bbox_to_anchor=(right, above), ncols=len(handles))


def _draw_unsupported(ax: Axes, comparison: Comparison) -> bool:
    """Tint the parts of the new run that the map has no support for, and say whether there are any."""
    first, last = comparison.span_new_s
    edges = [first, *(edge for interval in comparison.time_map.support for edge in interval), last]
    gaps = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= _MIN_GAP_S]
    for start, end in gaps:
        ax.axvspan(start, end, color=_SHADE, lw=0, zorder=0)
    return bool(gaps)


def _clock_ticks(axis: Axis, span_s: tuple[float, float], length_px: float, apart_px: float) -> None:
    """Round times over `span_s`, drawn `length_px` long: as many as fit `apart_px` from each other."""
    least_s = (span_s[1] - span_s[0]) * apart_px / length_px
    step_s = next((s for s in _TICK_STEPS_S if s >= least_s), _TICK_STEPS_S[-1])
    axis.set_major_locator(MultipleLocator(step_s))
    axis.set_major_formatter(FuncFormatter(lambda t_s, _: _clock(t_s)))


def _error_ticks(axis: Axis, limit_s: float, apart: float) -> None:
    """Round seconds either way of zero, apart by the share `apart` of the way to the limit or more."""
    ticks_s, last = [0.0], 0.0
    for tick_s in _ERROR_TICKS_S:
        place = math.asinh(tick_s / _TRUE_TO_SCALE_S) / math.asinh(limit_s / _TRUE_TO_SCALE_S)
        if last + apart <= place <= 1:
            ticks_s = [-tick_s, *ticks_s, tick_s]
            last = place
    axis.set_major_locator(FixedLocator(ticks_s))
    axis.set_major_formatter(FixedFormatter([f"{t:+g}".replace("-", _MINUS) if t else "0" for t in ticks_s]))
    axis.set_minor_locator(NullLocator())


def _supported_moments(time_map: TimeMap) -> list[FloatArray]:
    """Close moments of t_new through each stretch of the map's support."""
    return [np.linspace(start, end, _N_MOMENTS) for start, end in time_map.support]


def _stops(time_map: TimeMap) -> tuple[list[tuple[float, float]], list[float]]:
    """When the new run's rider stands, as intervals of t_new, and the moments of t_new at which the
    reference's does."""
    t_new, t_ref = time_map.t_new, time_map.t_ref
    pace = np.diff(t_ref) / np.diff(t_new)
    known = time_map.supports(0.5 * (t_new[1:] + t_new[:-1]))
    new_stops = [
        (float(t_new[a]), float(t_new[b]))
        for a, b in _runs(known & (pace < _STANDING_PACE))
        if t_new[b] - t_new[a] >= _MIN_STOP_S
    ]
    ref_stops = [
        float(t_new[a] + t_new[b]) / 2
        for a, b in _runs(known & (pace > 1 / _STANDING_PACE))
        if t_ref[b] - t_ref[a] >= _MIN_STOP_S
    ]
    return new_stops, ref_stops


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open ranges of indices in which `mask` holds."""
    changes = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0)).tolist()
    return list(zip(changes[::2], changes[1::2], strict=True))


def _borders(centres_s: FloatArray) -> FloatArray:
    """Where pictures at ascending `centres_s` (n,) give way to each other (n + 1,)."""
    half_s = 0.5 * np.diff(centres_s) if centres_s.size > 1 else np.array([0.5])
    borders: FloatArray = centres_s + np.append(half_s, half_s[-1])[: centres_s.size]
    return np.insert(borders, 0, centres_s[0] - half_s[0])


def _worth_a_name(markers: Sequence[TransferredMarker], room: int) -> list[TransferredMarker]:
    """At most `room` of the markers by time: first those that want a person's eye, then the rest, spread."""
    in_order = sorted(markers, key=lambda m: m.marker.t_s)
    urgent = _spread([m for m in in_order if m.needs_review], room)
    others = _spread([m for m in in_order if not m.needs_review], room - len(urgent))
    return sorted(urgent + others, key=lambda m: m.marker.t_s)


def _spread(markers: list[TransferredMarker], n: int) -> list[TransferredMarker]:
    """At most `n` of the markers, evenly from first to last."""
    return markers if len(markers) <= n else [markers[k * len(markers) // n] for k in range(n)]


def _moved_apart(places: FloatArray, step: float, height: float) -> FloatArray:
    """The places nearest to ascending `places` that stand `step` apart and half of it from 0 and `height`.

    Least squares under an order, which is isotonic regression once the steps are taken off.
    """
    steps = step * np.arange(places.size)
    level = isotonic_regression(places - steps).x
    apart: FloatArray = np.clip(level, 0.5 * step, height - 0.5 * step - steps[-1]) + steps
    return apart


def _shortened(parent: Figure | Axes, text: str, max_px: float, **font: Any) -> str:
    """One line of `text` no wider than `max_px`, its middle left out where it is too long."""
    line = _one_line(text)
    scratch = parent.text(0, 0, "", **font)

    def width_px(shown: str) -> float:
        scratch.set_text(shown)
        return scratch.get_window_extent().width

    def cut(n: int) -> str:
        return f"{line[: n - n // 2]}…{line[len(line) - n // 2 :]}"

    if width_px(line) > max_px:
        line = cut(bisect_right(range(len(line)), max_px, key=lambda n: width_px(cut(n))) - 1)
    scratch.remove()
    return line


def _one_line(text: str) -> str:
    """Without line breaks, and without the half characters that a file's name may hold."""
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())


def _clock(t_s: float) -> str:
    """Minutes and seconds to the nearest second: 75.2 is 1:15."""
    minutes, seconds = divmod(round(abs(t_s)), 60)
    return f"{_MINUS if round(t_s) < 0 else ''}{minutes}:{seconds:02d}"
