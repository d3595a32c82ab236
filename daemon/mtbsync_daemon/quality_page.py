"""Many runs in numbers as one HTML file that needs nothing else: its style and its charts are in it, it runs
no script and asks for nothing, it is light or dark as its reader's screen, and it prints.

In the charts a circle is a run that passes the gates and a cross one that fails them; the tables hold the
same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

from mtbsync_daemon.quality import (
    MEASURES,
    N_TENTHS,
    Collected,
    Measure,
    RunQuality,
    Summary,
    fails,
    stages_of,
    summary,
)

if TYPE_CHECKING:
    from mtbsync_engine.judge import Gates

# A chart in units that are about pixels: its size, and the room for what is written beside its axes.
_WIDTH, _HEIGHT = 400, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 10, 22
_N_TICKS = 4
# Less than this is drawn as nothing.
_LEAST = 1e-9
_N_COLOURS = 8
# From 0 to 1, and shown in percent.
_SHARES = ("inlier_frac", "coverage")
_UNKNOWN = "-"

_STYLE = """
:root { color-scheme: light dark; --back: #fff; --card: #f5f6f8; --ink: #1c2128; --soft: #59616b;
  --line: #d3d8de; --good: #1565c0; --bad: #b3371e; --gate: #7a4f00;
  --s0: #1890ba; --s1: #c6790e; --s2: #666873; --s3: #9a0000; --s4: #424ea2; --s5: #9e8174; --s6: #6852f5;
  --s7: #a15d1b; }
@media screen and (prefers-color-scheme: dark) { :root { --back: #15181c; --card: #1f242a; --ink: #e8eaed;
  --soft: #a5adb7; --line: #3a424c; --good: #79b8ff; --bad: #ff8f73; --gate: #e2b45c;
  --s0: #4ba099; --s1: #eea622; --s2: #5dc3b1; --s3: #b265cf; --s4: #aeb4ff; --s5: #d87b1e; --s6: #02ece0;
  --s7: #eada57; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1200px; padding: 24px; background: var(--back); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 0; } h2 { font-size: 18px; margin: 32px 0 12px; }
p { margin: 4px 0; } .soft { color: var(--soft); overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin: 20px 0; }
.figures div { background: var(--card); border-radius: 8px; padding: 12px 16px; }
.figures dt { color: var(--soft); } .figures dd { margin: 0; font-size: 26px; font-weight: 600; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(330px, 100%), 1fr)); gap: 16px; }
figure { margin: 0; background: var(--card); border-radius: 8px; padding: 12px; break-inside: avoid; }
figcaption { font-weight: 600; } figcaption span { color: var(--soft); font-weight: 400; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 11px; } svg .gate-name { fill: var(--gate); }
.axis { stroke: var(--line); } .gate { stroke: var(--gate); stroke-dasharray: 5 4; }
.good { fill: var(--good); } .bad { stroke: var(--bad); stroke-width: 2; }
.s0 { fill: var(--s0); } .s1 { fill: var(--s1); } .s2 { fill: var(--s2); } .s3 { fill: var(--s3); }
.s4 { fill: var(--s4); } .s5 { fill: var(--s5); } .s6 { fill: var(--s6); } .s7 { fill: var(--s7); }
.key { display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 6px 0 0; padding: 0; list-style: none;
  font-size: 13px; color: var(--soft); }
.key svg { display: inline-block; width: 10px; height: 10px; margin-right: 5px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; text-align: right; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; }
th:first-child, td.text, th.text { text-align: left; } tbody th { font-weight: 600; overflow-wrap: anywhere;
  min-width: 140px; } tbody th span { display: block; font-weight: 400; color: var(--soft); font-size: 13px; }
td.when { white-space: nowrap; } td.why { min-width: 260px; } .fails { color: var(--bad); }
@media print { body { max-width: none; padding: 0; font-size: 11px; } .scroll { overflow: visible; }
  table { font-size: 9px; } th, td { padding: 3px; } tbody th { min-width: 80px; }
  tbody th span { font-size: 8px; } td.why { min-width: 90px; }
  td.when, thead th { white-space: normal; } tr { break-inside: avoid; }
  h2 { break-after: avoid; } .charts { grid-template-columns: 1fr 1fr; } }
"""


def quality_page(found: Collected, gates: Gates, title: str, made_at: float) -> str:
    """The report as HTML. `title` says what was looked at, `made_at` when, in seconds since 1970."""
    runs = sorted(found.runs, key=lambda run: run.made_at)
    total = summary(runs, gates)
    body = (
        f"<h1>Runs in numbers</h1>\n<p class='soft'>{escape(title)} · {_moment(made_at)}</p>\n",
        _figures(total),
        f"<h2>Quality, run by run</h2>\n<p class='soft'>The oldest run is on the left. {_gates(gates)}</p>\n",
        _grid([*_quality_charts(runs, gates), _histogram(total.confidence_n)]),
        "<h2>Time, run by run</h2>\n",
        _grid(_cost_charts(runs, gates)),
        "<h2>All runs together</h2>\n",
        _spreads(total),
        "<h2>Each run</h2>\n",
        _runs(found.runs, gates),
        _left_out(found.left_out),
    )
    return (
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta http-equiv='Content-Security-Policy' "
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>Runs in numbers: {escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"{''.join(body)}</main>\n</body>\n</html>\n"
    )


def _figures(total: Summary) -> str:
    shown = [
        ("Runs", str(total.n)),
        ("Pass the strict gates", f"{total.n_passed / total.n:.0%}" if total.n else _UNKNOWN),
        ("Median P90 residual", _median("p90_s", total)),
        ("Median time", _median("total_s", total)),
    ]
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in shown)
    return f"<dl class='figures'>{cells}</dl>\n"


def _median(field: str, total: Summary) -> str:
    measure = next(m for m in MEASURES if m.field == field)
    return _shown(measure, total.spreads[field].median if field in total.spreads else None)


def _gates(gates: Gates) -> str:
    limits = [f"inlier share {gates.min_inlier_frac:.0%} or more"]
    if gates.max_p90_s is not None:
        limits.append(f"P90 residual {gates.max_p90_s:g} s at most")
    if gates.max_ppm is not None:
        limits.append(f"drift {gates.max_ppm:g} ppm at most, of an affine map")
    return f"Circles pass the strict gates, crosses fail them: {', '.join(limits)}."


# --- charts -------------------------------------------------------------------------------------------


def _quality_charts(runs: Sequence[RunQuality], gates: Gates) -> list[str]:
    limits = {"p90_s": gates.max_p90_s, "inlier_frac": gates.min_inlier_frac, "ppm": gates.max_ppm}
    fields = ("p90_s", "inlier_frac", "coverage", "margin", "ppm")
    return [_dots(m, runs, gates, limits.get(m.field)) for m in MEASURES if m.field in fields]


def _cost_charts(runs: Sequence[RunQuality], gates: Gates) -> list[str]:
    fields = ("fps", "cpu_pct", "rss_mb", "gpu_util")
    return [_stages(runs), *(_dots(m, runs, gates, None) for m in MEASURES if m.field in fields)]


def _grid(charts: Sequence[str]) -> str:
    return f"<div class='charts'>\n{''.join(charts)}</div>\n"


def _dots(measure: Measure, runs: Sequence[RunQuality], gates: Gates, gate: float | None) -> str:
    """A measure run by run; nothing where no run has it."""
    values = [measure.of(run) for run in runs]
    known = [value for value in values if value is not None]
    if not known:
        return ""
    scale = _Scale(max(*known, gate or 0.0, 0.0), lambda value: _tick(measure, value))
    marks = [
        _circle(_across(k, len(runs)), scale.y(value))
        if not fails(run, gates)
        else _cross(_across(k, len(runs)), scale.y(value))
        for k, (run, value) in enumerate(zip(runs, values, strict=True))
        if value is not None
    ]
    unit = f"{measure.unit}, " if measure.unit and measure.field not in _SHARES else ""
    return _figure(measure.title, f"{unit}{len(known)} runs", scale.axes(gate) + "".join(marks))


def _stages(runs: Sequence[RunQuality]) -> str:
    """What each run's time went into, one bar on the other."""
    stages = stages_of(runs)
    if not stages:
        return ""
    scale = _Scale(max(sum(run.stage_s.values()) for run in runs), lambda s: f"{s:g}")
    width = min(24.0, 0.8 * (_WIDTH - _LEFT - _RIGHT) / len(runs))
    bars = []
    for k, run in enumerate(runs):
        below_s = 0.0
        for n, stage in enumerate(stages):
            s = run.stage_s.get(stage, 0.0)
            top, bottom = scale.y(below_s + s), scale.y(below_s)
            x = _across(k, len(runs)) - width / 2
            if bottom > top:
                bars.append(_bar(x, top, width, bottom - top, n))
            below_s += s
    key = "".join(
        f"<li><svg viewBox='0 0 10 10' aria-hidden='true'>{_bar(0, 0, 10, 10, n)}</svg>"
        f"{escape(stage.replace('_', ' '))}</li>"
        for n, stage in enumerate(stages)
    )
    return _figure("Seconds by stage", "", scale.axes() + "".join(bars), f"<ul class='key'>{key}</ul>\n")


def _histogram(counts: Sequence[int]) -> str:
    """Markers by tenths of their confidence."""
    if not sum(counts):
        return ""
    scale = _Scale(max(counts), lambda n: f"{n:g}")
    step = (_WIDTH - _LEFT - _RIGHT) / N_TENTHS
    bars = [
        _bar(_LEFT + k * step + 1, scale.y(n), step - 2, scale.y(0) - scale.y(n), 0)
        for k, n in enumerate(counts)
    ]
    ends = [_words(_LEFT + k * step, _HEIGHT - 6, f"{k / N_TENTHS:g}", "middle") for k in (0, 5, N_TENTHS)]
    n_sure = counts[-1] / sum(counts)
    note = f"{sum(counts)} markers, {n_sure:.0%} of them 0.9 or more"
    return _figure("Confidence of markers", note, scale.axes() + "".join((*bars, *ends)))


class _Scale:
    """The vertical axis of a chart, from 0 to a round number that is `most` or more."""

    def __init__(self, most: float, shown: Callable[[float], str]) -> None:
        self._step = round_step(most)
        self._n_steps = max(1, math.ceil(most / self._step - 1e-9))
        self._shown = shown

    def y(self, value: float) -> float:
        """Where a value lies, from the top."""
        share = value / (self._step * self._n_steps)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def axes(self, gate: float | None = None) -> str:
        """Lines at round numbers, and one at the gate."""
        drawn = []
        for k in range(self._n_steps + 1):
            value = k * self._step
            drawn.append(_line(self.y(value), "axis"))
            drawn.append(_words(_LEFT - 6, self.y(value) + 4, self._shown(value), "end"))
        if gate is not None:
            drawn.append(_line(self.y(gate), "gate"))
            drawn.append(_words(_WIDTH - _RIGHT, self.y(gate) - 4, "gate", "end", "gate-name"))
        return "".join(drawn)


def round_step(most: float) -> float:
    """1, 2 or 5 times a power of ten, of which a few make `most`."""
    if most < _LEAST:
        return 1.0
    rough = most / _N_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return next((k * power for k in (1, 2, 5) if k * power >= rough * (1 - 1e-9)), 10 * power)


def _figure(title: str, note: str, drawn: str, key: str = "") -> str:
    more = f" <span>{escape(note)}</span>" if note else ""
    return (
        f"<figure><figcaption>{escape(title)}{more}</figcaption>\n"
        f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img' aria-label='{escape(title)}; the numbers are in "
        f"the table of runs.'>{drawn}</svg>\n{key}</figure>\n"
    )


def _across(k: int, n: int) -> float:
    """The middle of the `k`-th of `n` runs."""
    return _LEFT + (k + 0.5) / n * (_WIDTH - _LEFT - _RIGHT)


def _circle(x: float, y: float) -> str:
    return f"<circle class='good' cx='{x:.1f}' cy='{y:.1f}' r='3.5'/>"


def _cross(x: float, y: float) -> str:
    d = 3.5
    return (
        f"<path class='bad' d='M{x - d:.1f} {y - d:.1f}L{x + d:.1f} {y + d:.1f}"
        f"M{x - d:.1f} {y + d:.1f}L{x + d:.1f} {y - d:.1f}'/>"
    )


def _bar(x: float, y: float, width: float, height: float, n_colour: int) -> str:
    return (
        f"<rect class='s{n_colour % _N_COLOURS}' x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' "
        f"height='{height:.1f}'/>"
    )


def _line(y: float, name: str) -> str:
    return f"<line class='{name}' x1='{_LEFT}' x2='{_WIDTH - _RIGHT}' y1='{y:.1f}' y2='{y:.1f}'/>"


def _words(x: float, y: float, text: str, anchor: str, name: str = "") -> str:
    return f"<text class='{name}' x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'>{escape(text)}</text>"


# --- tables -------------------------------------------------------------------------------------------


def _spreads(total: Summary) -> str:
    rows = [
        f"<tr><th scope='row'>{m.title}</th><td>{_shown(m, s.median)}</td><td>{_shown(m, s.worst)}</td>"
        f"<td class='text'>{escape(s.worst_run)}</td><td>{s.n}</td></tr>\n"
        for m in MEASURES
        if (s := total.spreads.get(m.field)) is not None
    ]
    return _table(
        "All runs together", ("measure", "median", "worst", "worst run", "runs that tell it"), {3}, rows
    )


def _runs(runs: Sequence[RunQuality], gates: Gates) -> str:
    shown = [m for m in MEASURES if any(m.of(run) is not None for run in runs)]
    header = ("run", "when", "verdict", "model", "strict gates", *(m.title for m in shown), "markers placed")
    rows = []
    for run in runs:
        why = " ".join(fails(run, gates))
        verdict = f"<span class='fails'>Fails. {escape(why)}</span>" if why else "Passes"
        cells = (
            f"<td class='text when'>{_moment(run.made_at)}</td>"
            f"<td class='text'>{escape(run.verdict or _UNKNOWN)}</td>"
            f"<td class='text'>{escape(run.model or _UNKNOWN)}</td><td class='text why'>{verdict}</td>"
        )
        numbers = "".join(f"<td>{_shown(m, m.of(run))}</td>" for m in shown)
        placed = _UNKNOWN if run.n_markers is None else f"{run.n_placed or 0} of {run.n_markers}"
        name = f"{escape(run.run)}<span>{escape(run.folder)}</span>"
        rows.append(f"<tr><th scope='row'>{name}</th>{cells}{numbers}<td>{placed}</td></tr>\n")
    return _table("Each run", header, {1, 2, 3, 4}, rows)


def _table(name: str, header: Sequence[str], texts: set[int], rows: Sequence[str]) -> str:
    cells = "".join(
        f"<th scope='col'{' class=text' if k in texts else ''}>{escape(title)}</th>"
        for k, title in enumerate(header)
    )
    return (
        f"<div class='scroll' tabindex='0' role='region' aria-label='{escape(name)}'>\n"
        f"<table>\n<thead><tr>{cells}</tr></thead>\n<tbody>\n{''.join(rows)}</tbody>\n</table>\n</div>\n"
    )


def _left_out(sentences: Sequence[str]) -> str:
    if not sentences:
        return ""
    items = "".join(f"<li class='soft'>{escape(sentence)}</li>" for sentence in sentences)
    return f"<h2>Left out</h2>\n<ul>{items}</ul>\n"


def _shown(measure: Measure, value: float | None) -> str:
    if value is None:
        return _UNKNOWN
    if measure.field in _SHARES:
        return f"{value:.0%}"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    unit = f" {measure.unit}" if measure.unit not in ("", "%") else measure.unit
    return f"{value:.{digits}f}{unit}"


def _tick(measure: Measure, value: float) -> str:
    """A round number beside an axis, whose unit stands above."""
    return f"{value:.0%}" if measure.field in _SHARES else f"{value:g}"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")
