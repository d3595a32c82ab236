"""How good many runs' syncs are and what they cost, from the files that they left.

Only files are read, and only with the standard library: what mtbsync wrote, and what mtbsync 0.10 did where
that says the same.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mtbsync_daemon.results import ANCHORED, MARKERS, PERF, TIMEWARP
from mtbsync_engine.errors import ArtifactError, InputError

if TYPE_CHECKING:
    from mtbsync_engine.judge import Gates

PATTERN = f"**/{TIMEWARP}"
LIMIT = 2000
N_TENTHS = 10
_MOST = 1e12
# A map that was fitted anew to a person's anchors lies in a folder of that name within the results.
# The daemon tries several trails for a run, each with a folder of its own.
_OF_DAEMON = re.compile(rf"(?P<library>.*/syncs)/(?P<job>[0-9a-f]{{16}})/(?P<trail>[^/]+)(/{ANCHORED})?")
_RANKS = {"accept": 2, "review": 1}
# mtbsync 0.10 notes it among its stages.
_TOTAL = "total"


@dataclass(frozen=True)
class RunQuality:
    """One sync. What its files do not say is None.

    `folder` is the results folder below the root, `recording` the new run's fingerprint, `made_at` seconds
    since 1970. Residuals (`mae_s` to `p95_s`) are those of the sightings against the map, in seconds of
    t_ref. `confidence_n` counts placed markers by tenths of their confidence. `stage_s` holds seconds by
    stage, `fps` is pictures a second while looking, `cpu_pct` of one core.
    """

    run: str
    reference: str | None
    folder: str
    recording: str | None
    made_at: float
    verdict: str | None
    reasons: tuple[str, ...]
    model: str | None
    ppm: float | None
    inlier_frac: float | None
    verified_frac: float | None
    mae_s: float | None
    p50_s: float | None
    p90_s: float | None
    p95_s: float | None
    coverage: float | None
    margin: float | None
    expected_error_s: float | None
    n_markers: int | None
    n_placed: int | None
    n_review: int | None
    confidence_n: tuple[int, ...]
    stage_s: Mapping[str, float]
    total_s: float | None
    n_pictures: int | None
    fps: float | None
    cpu_pct: float | None
    rss_mb: float | None
    gpu_util: float | None
    gpu_mem_mb: float | None

    @property
    def is_affine(self) -> bool:
        """Whether its map is a straight line, the only one that has a single drift."""
        return self.model is not None and self.model.startswith("affine")


@dataclass(frozen=True)
class Collected:
    """What was found: the runs, the newest first, and a sentence on each file that was left out."""

    runs: tuple[RunQuality, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Measure:
    """A number of a run that is worth comparing, and which of its ends is the worse."""

    field: str
    title: str
    unit: str
    worse: Literal["high", "low"]

    def of(self, run: RunQuality) -> float | None:
        """Its value, without sign."""
        value: float | None = getattr(run, self.field)
        return None if value is None or (self.field == "ppm" and not run.is_affine) else abs(value)


MEASURES = (
    Measure("p90_s", "P90 residual", "s", "high"),
    Measure("inlier_frac", "Inlier share", "%", "low"),
    Measure("coverage", "Coverage", "%", "low"),
    Measure("margin", "Margin over chance", "", "low"),
    Measure("ppm", "Drift of affine maps", "ppm", "high"),
    Measure("total_s", "Time", "s", "high"),
    Measure("fps", "Pictures a second", "", "low"),
    Measure("cpu_pct", "CPU, of one core", "%", "high"),
    Measure("rss_mb", "Memory", "MB", "high"),
    Measure("gpu_util", "GPU", "%", "high"),
)


@dataclass(frozen=True)
class Spread:
    """A measure over the `n` runs that have it."""

    n: int
    median: float
    worst: float
    worst_run: str


@dataclass(frozen=True)
class Summary:
    """All runs together: how many pass, each measure's spread by its field, markers by tenths of
    confidence."""

    n: int
    n_passed: int
    spreads: Mapping[str, Spread]
    confidence_n: tuple[int, ...]


# --- judging -----------------------------------------------------------------------------------------


def fails(run: RunQuality, gates: Gates) -> list[str]:
    """Why a run does not pass `gates`, as sentences; none where it does.

    A run that was rejected anyway does not, and neither does one whose files lack a number that is asked for.
    The drift counts for affine maps only.
    """
    reasons = list(run.reasons or ("It was rejected.",)) if run.verdict == "reject" else []
    if run.inlier_frac is None:
        reasons.append("Its files tell no inlier share.")
    elif run.inlier_frac < gates.min_inlier_frac:
        reasons.append(
            f"Inlier share {run.inlier_frac:.0%}; at least {gates.min_inlier_frac:.0%} are asked for."
        )
    if gates.max_p90_s is not None:
        if run.p90_s is None:
            reasons.append("Its files tell no P90 residual.")
        elif run.p90_s > gates.max_p90_s:
            reasons.append(f"P90 residual {run.p90_s:.2f} s; {gates.max_p90_s:g} s is the limit.")
    if gates.max_ppm is not None and run.is_affine:
        if run.ppm is None:
            reasons.append("Its files tell no drift.")
        elif abs(run.ppm) > gates.max_ppm:
            reasons.append(f"Drift {run.ppm:+.0f} ppm; {gates.max_ppm:g} ppm is the limit.")
    return reasons


def summary(runs: Sequence[RunQuality], gates: Gates) -> Summary:
    """All runs together."""
    found = ((measure.field, _spread(measure, runs)) for measure in MEASURES)
    return Summary(
        n=len(runs),
        n_passed=sum(not fails(run, gates) for run in runs),
        spreads={field: spread for field, spread in found if spread is not None},
        confidence_n=tuple(sum(run.confidence_n[k] for run in runs) for k in range(N_TENTHS)),
    )


def tenths(confidences: Iterable[float]) -> tuple[int, ...]:
    """How many of them, each 0 to 1, lie in each tenth; 1 counts for the last."""
    counts = [0] * N_TENTHS
    for confidence in confidences:
        counts[min(int(confidence * N_TENTHS), N_TENTHS - 1)] += 1
    return tuple(counts)


def _spread(measure: Measure, runs: Iterable[RunQuality]) -> Spread | None:
    values = [(value, run.run) for run in runs if (value := measure.of(run)) is not None]
    if not values:
        return None
    choose: Callable[..., tuple[float, str]] = max if measure.worse == "high" else min
    worst, worst_run = choose(values, key=lambda pair: pair[0])
    return Spread(len(values), statistics.median(value for value, _ in values), worst, worst_run)


# --- as rows -----------------------------------------------------------------------------------------

_PLAIN = tuple(
    name for name in RunQuality.__dataclass_fields__ if name not in ("reasons", "confidence_n", "stage_s")
)


def rows_of(runs: Sequence[RunQuality], gates: Gates) -> list[dict[str, Any]]:
    """Each run as one row of plain values, all with the same fields in the same order: those of `RunQuality`,
    seconds by stage as `STAGE_s`, `strict_ok`, and `fails` as one text."""
    stages = stages_of(runs)
    rows = []
    for run in runs:
        row: dict[str, Any] = {name: getattr(run, name) for name in _PLAIN}
        row["made_at"] = datetime.fromtimestamp(run.made_at, UTC).isoformat(timespec="seconds")
        row |= {f"{stage}_s": run.stage_s.get(stage) for stage in stages}
        why = fails(run, gates)
        rows.append(row | {"strict_ok": not why, "fails": " ".join(why)})
    return rows


def document(found: Collected, gates: Gates) -> dict[str, Any]:
    """Everything, as plain values that JSON can hold: the `gates`, what `measures` there are, the `summary`,
    each of the `runs` with why it `fails`, and what was `left_out`."""
    return {
        "gates": asdict(gates),
        "measures": [asdict(measure) for measure in MEASURES],
        "summary": asdict(summary(found.runs, gates)),
        "runs": [asdict(run) | {"fails": fails(run, gates)} for run in found.runs],
        "left_out": list(found.left_out),
    }


def as_csv(rows: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> str:
    """The `fields` of rows as CSV; what is not known is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fields, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def stages_of(runs: Iterable[RunQuality]) -> list[str]:
    """Every stage that some run went through, in the order in which they come."""
    return list(dict.fromkeys(stage for run in runs for stage in run.stage_s))


# --- finding and reading -----------------------------------------------------------------------------


def collect(root: Path, pattern: str = PATTERN, limit: int = LIMIT) -> Collected:
    """The results below `root`: `pattern` finds results folders, or the time maps in them.

    At most `limit` are read, the newest. Of what the daemon made of a run, only the newest counts; of the
    trails tried for it, the one that fits best. What is hidden, or being written, is not looked at.

    Raises:
        InputError: there is no such folder, or the pattern is none.
    """
    if not root.is_dir():
        raise InputError(f"There is no folder {root}; name one that holds results of `mtbsync sync`.")
    runs, left_out = [], []
    for made_at, path in islice(sorted(_time_maps(root, pattern), reverse=True), limit):
        try:
            runs.append(_read(path, root, made_at))
        except ArtifactError as error:
            left_out.append(str(error))
    return Collected(tuple(_once_each(runs, root)), tuple(left_out))


def _time_maps(root: Path, pattern: str) -> Iterator[tuple[float, Path]]:
    """Each time map with when it was written."""
    try:
        found = {path / TIMEWARP if path.is_dir() else path for path in root.glob(pattern)}
    except (ValueError, NotImplementedError) as error:
        # The latter is what pathlib raises for a pattern that begins at a drive's root.
        raise InputError(f"'{pattern}' finds nothing; a pattern is like **/{TIMEWARP} or run_*.") from error
    for path in found:
        if path.suffix == ".json" and not any(part.startswith(".") for part in path.relative_to(root).parts):
            try:
                yield path.stat().st_mtime, path
            except OSError:
                # A folder without results, or gone by now.
                continue


def _once_each(runs: Sequence[RunQuality], root: Path) -> Iterator[RunQuality]:
    """The runs in their order, without what the daemon has tried besides or done better since."""
    by_recording: dict[tuple[str, str], list[tuple[re.Match[str], RunQuality]]] = defaultdict(list)
    counts = []
    for run in runs:
        place = _OF_DAEMON.fullmatch((root / run.folder).absolute().as_posix())
        if place is None:
            counts.append(run)
        else:
            by_recording[place["library"], run.recording or run.folder].append((place, run))
    for tries in by_recording.values():
        newest_job = tries[0][0]["job"]
        newest_maps: dict[str, RunQuality] = {}
        for place, run in tries:
            if place["job"] == newest_job:
                newest_maps.setdefault(place["trail"], run)
        counts.append(max(newest_maps.values(), key=_how_well))
    kept = {run.folder for run in counts}
    return (run for run in runs if run.folder in kept)


def _how_well(run: RunQuality) -> tuple[int, float]:
    return _RANKS.get(run.verdict or "", 0), -math.inf if run.margin is None else run.margin


def _read(path: Path, root: Path, made_at: float) -> RunQuality:
    """The sync whose time map lies at `path`.

    Raises:
        ArtifactError: it is damaged, or holds something else.
    """
    document = _object(_loaded(path))
    residuals = _object(document.get("residuals"))
    if _number(document.get("inlier_frac")) is None and not residuals:
        raise ArtifactError(f"{path} does not tell how good a sync was; make it again with `mtbsync sync`.")
    new, reference = _object(document.get("new")), _object(document.get("reference"))
    results = path.parent.parent if path.parent.name == ANCHORED else path.parent
    perf = _perf(results / PERF)
    markers = _markers(path.parent / MARKERS, document)
    folder = path.parent.relative_to(root).as_posix()
    return RunQuality(
        run=_name(new) or (path.parent.resolve().name if folder == "." else folder),
        reference=_name(reference),
        folder=folder,
        recording=_text(new.get("fingerprint")),
        made_at=made_at,
        verdict=_verdict(document),
        reasons=_texts(document.get("reasons")),
        model=_text(document.get("model")) or ("affine" if "a" in _object(document.get("params")) else None),
        ppm=_number(document.get("ppm")),
        inlier_frac=_number(document.get("inlier_frac")),
        verified_frac=_number(document.get("verified_frac")),
        mae_s=_number(residuals.get("mae")),
        p50_s=_number(residuals.get("p50")),
        p90_s=_number(residuals.get("p90")),
        p95_s=_number(residuals.get("p95")),
        coverage=_number(document.get("coverage")),
        margin=_number(document.get("margin")),
        expected_error_s=_number(document.get("expected_error_s")),
        n_markers=markers.n,
        n_placed=markers.n_placed,
        n_review=markers.n_review,
        confidence_n=tenths(markers.confidences),
        stage_s=_stages(perf),
        total_s=_total_s(perf),
        n_pictures=_count(_object(perf.get("frames")).get("index_new")),
        fps=_fps(perf),
        cpu_pct=_number(perf.get("cpu_percent", perf.get("cpu_pct"))),
        rss_mb=_number(perf.get("rss_mb")),
        gpu_util=_number(perf.get("gpu_util")),
        gpu_mem_mb=_number(perf.get("gpu_mem_mb")),
    )


def _loaded(path: Path) -> Any:
    """What a file of JSON holds.

    Raises:
        ArtifactError: it is not JSON, or cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is damaged; make it again with `mtbsync sync`.") from error


def _perf(path: Path) -> Mapping[str, Any]:
    """What a sync cost; nothing where that is not known, which says nothing against the sync."""
    try:
        return _object(_loaded(path))
    except ArtifactError:
        return {}


@dataclass(frozen=True)
class _Markers:
    """How many markers there are, are placed, and of those are to be reviewed; how sure the placed are."""

    n: int | None
    n_placed: int | None
    n_review: int | None
    confidences: tuple[float, ...] = ()


def _markers(path: Path, document: Mapping[str, Any]) -> _Markers:
    """Those of the list at `path`; where there is none, or it is damaged, what the sync counted."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        counted = _object(document.get("markers"))
        n, n_placed, n_review = (_count(counted.get(name)) for name in ("n", "placed", "review"))
        return _Markers(n, n_placed, n_review)
    placed = [row for row in rows if _parsed(row.get("t_new") or row.get("t_new_est")) is not None]
    found = (_parsed(row.get("confidence")) for row in placed)
    return _Markers(
        n=len(rows),
        n_placed=len(placed),
        n_review=sum(row.get("needs_review") == "true" for row in placed),
        confidences=tuple(c for c in found if c is not None and 0 <= c <= 1),
    )


def _stages(perf: Mapping[str, Any]) -> dict[str, float]:
    """Seconds by stage, as mtbsync notes them, or mtbsync 0.10."""
    noted = _object(perf.get("stages_sec")) or {
        name.removesuffix("_sec"): value
        for name, value in _object(perf.get("timings")).items()
        if name.endswith("_sec")
    }
    stages = {name: _number(value) for name, value in noted.items()}
    return {name: s for name, s in stages.items() if s is not None and s >= 0 and name != _TOTAL}


def _total_s(perf: Mapping[str, Any]) -> float | None:
    total_s = _number(perf.get("total_sec", _object(perf.get("timings")).get("total_sec")))
    if total_s is not None:
        return total_s
    return sum(_stages(perf).values()) or None


def _fps(perf: Mapping[str, Any]) -> float | None:
    """Pictures a second over all stages that look at pictures."""
    if "frames" not in perf:
        return _number(perf.get("fps"))
    stages = _stages(perf)
    looked = {name: n for name, n in _object(perf["frames"]).items() if stages.get(name)}
    n_pictures = [_number(n) or 0.0 for n in looked.values()]
    seconds = sum(stages[name] for name in looked)
    return sum(n_pictures) / seconds if seconds else None


def _verdict(document: Mapping[str, Any]) -> str | None:
    verdict = _text(document.get("verdict"))
    if verdict is not None:
        return verdict
    # mtbsync 0.10 says no more than this.
    is_ok = document.get("ok")
    return ("accept" if is_ok else "reject") if isinstance(is_ok, bool) else None


def _name(run: Mapping[str, Any]) -> str | None:
    """What a noted run is called, wherever it was noted: its first file's name."""
    files = _texts(run.get("files"))
    return re.split(r"[\\/]", files[0])[-1] if files else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _number(value: Any) -> float | None:
    """A number that can be meant; None where it is none, or larger than any that a sync has."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_MOST <= value <= _MOST:
        return None
    return float(value)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _parsed(text: str | None) -> float | None:
    try:
        return _number(float(text or ""))
    except ValueError:
        return None
