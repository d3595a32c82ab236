"""Read what lies on disk of runs that were synced, or are to be, for who looks at them without a library."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from shutil import copy2, copystat
from typing import Any

import numpy as np

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.noted import NotedRun
from mtbsync_daemon.on_files import Wanted
from mtbsync_daemon.results import ALL, ANCHORED, MARKERS, NEW_INDEX, PICTURE, REF_INDEX, TIMEWARP, WARP
from mtbsync_daemon.store.markers import LABELS, NOTE, MarkerState
from mtbsync_daemon.tasks import probe
from mtbsync_daemon.tasks.deliver import digest_of
from mtbsync_daemon.tasks.marker_file import marker_document, saved_markers
from mtbsync_daemon.watch.gather import Group, gather
from mtbsync_engine.artifacts import FORMAT_VERSION, TimeWarp, load_timewarp_json, save_warp
from mtbsync_engine.errors import AlignmentError, ArtifactError, InputError, OutputError, TimecodeError
from mtbsync_engine.files import write_text
from mtbsync_engine.markers import transfer
from mtbsync_engine.model import Decision, Marker, Model, TimeMap, Verdict
from mtbsync_engine.timing import Rate
from mtbsync_integrations.formats import get_format
from mtbsync_integrations.formats.guess import format_of
from mtbsync_integrations.formats.marker_csv import read_markers
from mtbsync_integrations.on_recording import markers_on

# All but what is large and not needed to look at a run; the time map is read on its own.
_COPIED = tuple(name for name in ALL if name not in (REF_INDEX, NEW_INDEX, PICTURE, TIMEWARP))
# How far off a map is whose maker does not say so.
_UNKNOWN_ERROR_S = 0.2
# A normal error is within so many of its standard deviations in nine cases of ten.
_P90_SIGMAS = 1.645


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """`wanted` as `on_files.Wanted`. Results are copied to below `artifacts`, so that whatever works on them
    leaves those on disk alone. The file `found` gets the `runs`, as `on_files.fill` takes them, and in
    `left_out` a sentence on each that cannot be used.

    Raises:
        InputError: there is no such folder.
        OutputError: nothing can be written to `artifacts`.
    """
    wanted, artifacts = Wanted.of(params["wanted"]), Path(params["artifacts"])
    runs: list[dict[str, Any]] = []
    left_out: list[str] = []
    given = [wanted] if wanted.root is None else list(_below(wanted.root))
    with work.stage("Reading", len(given)) as done:
        for k, one in enumerate(given):
            done(k)
            try:
                runs.append(_read(one, wanted.root, artifacts, work))
            except (InputError, AlignmentError) as error:
                left_out.append(str(error))
    _folder.cache_clear()
    write_text(Path(params["found"]), json.dumps({"runs": runs, "left_out": left_out}))
    return {}


def _below(root: Path) -> Iterable[Wanted]:
    """Each results folder below `root` but for hidden ones, and maps that were fitted anew within them."""
    if not root.is_dir():
        raise InputError(f"There is no folder {root}; name one that holds results of `mtbsync sync`.")
    for path in sorted(root.rglob(TIMEWARP)):
        inner = path.parent.relative_to(root).parts
        if ANCHORED not in inner[-1:] and not any(part.startswith(".") for part in inner):
            yield Wanted(timewarp=path)


def _read(wanted: Wanted, root: Path | None, artifacts: Path, work: Work) -> dict[str, Any]:
    """One run: what its two recordings are, how it lies on the reference where that is known, the reference's
    `trail_markers`, its own `markers`, and the `marker_file` that these belong in."""
    noted = {} if wanted.timewarp is None else _noted(wanted.timewarp)
    new, reference = (
        _recording(noted.get(which), path, wanted.timewarp, work)
        for which, path in (("new", wanted.new), ("reference", wanted.reference))
    )
    found: dict[str, Any] = {
        "new": new,
        "reference": reference,
        "verdict": None,
        "trail_markers": _trail_markers(wanted.ref_markers, reference["about"]),
        "markers": [],
        **_marker_file(wanted),
    }
    saved = _saved(wanted)
    if saved is not None:
        found["markers"] = saved_markers(saved)
        found["trail_markers"] = found["trail_markers"] or _of_trail(found["markers"])
    if wanted.timewarp is None:
        return found
    timewarp, noted = _time_map(wanted.timewarp, noted, new["about"], reference["about"])
    folder = wanted.timewarp.parent
    name = folder.name if root is None else folder.relative_to(root).as_posix()
    _copy(wanted.timewarp, timewarp, noted, artifacts / "syncs" / name)
    if saved is None:
        marked = [_marker(m) for m in found["trail_markers"]]
        carried = transfer(marked, timewarp.time_map, timewarp.verdict.decision)
        found["markers"] = [marker_document(m) for m in carried]
    return found | {
        "verdict": timewarp.verdict.decision.value,
        "reasons": list(timewarp.verdict.reasons),
        "artifact": f"syncs/{name}",
        "made_at": wanted.timewarp.stat().st_mtime,
    }


# --- recordings -----------------------------------------------------------------------------------


def _recording(noted: Any, given: Path | None, timewarp: Path | None, work: Work) -> dict[str, Any]:
    """The recording in the file `given`, or the one that a time map tells of, and its files as they are."""
    if given is not None:
        if not given.is_file():
            raise InputError(f"There is no file {given}.")
        about = probe.run({"first": str(given)}, work)
        if noted is not None and about["fingerprint"] != noted["fingerprint"]:
            raise InputError(f"{timewarp} is of another video than {given}; leave out one of the two.")
    elif noted is None:
        raise InputError(
            f"{timewarp} does not tell its videos; name them: "
            "`mtbsync compare-ui --timewarp-json FILE --ref VIDEO --new VIDEO`."
        )
    else:
        about = {"created_utc": None, **noted}
    chapters = [Path(path).absolute() for path in about["files"]]
    sidecars = [chapters[0].with_name(name) for name in _sidecars(chapters[0])]
    return {
        "about": {**about, "files": [str(path) for path in chapters]},
        "files": [_file(path, is_chapter=True) for path in chapters]
        + [_file(path, is_chapter=False) for path in sidecars],
        # A link's own folder, and the one that it leads to.
        "folders": sorted({str(p) for path in chapters for p in (path.parent, path.resolve().parent)}),
        "away": [str(path) for path in chapters if not path.is_file()],
    }


def _sidecars(first: Path) -> tuple[str, ...]:
    groups = _folder(first.parent)
    return next((group.sidecars for group in groups if first.name in group.chapters), ())


@cache
def _folder(folder: Path) -> list[Group]:
    try:
        return gather([path.name for path in folder.iterdir() if path.is_file()])
    except OSError:
        return []


def _file(path: Path, *, is_chapter: bool) -> tuple[str, bool, int, int]:
    try:
        status = path.stat()
    except OSError:
        return str(path), is_chapter, 0, 0
    return str(path), is_chapter, status.st_size, status.st_mtime_ns


# --- time maps --------------------------------------------------------------------------------------


def _noted(timewarp: Path) -> dict[str, Any]:
    """What a time map's file says, checked as far as it tells of videos."""
    try:
        noted = json.loads(timewarp.read_text(encoding="utf-8"))
        for run in (noted.get("new"), noted.get("reference")):
            if run is not None:
                NotedRun.of(run)
                str(run["fingerprint"]), bool(run["uses_proxy"])
    except OSError as error:
        raise ArtifactError(f"{timewarp} cannot be read: {error.strerror}.") from error
    except (AttributeError, KeyError, TypeError, ValueError, TimecodeError) as error:
        raise ArtifactError(f"{timewarp} is damaged, or no time map; run `mtbsync sync` again.") from error
    return dict(noted)


def _time_map(
    path: Path, noted: dict[str, Any], new: Mapping[str, Any], reference: Mapping[str, Any]
) -> tuple[TimeWarp, dict[str, Any]]:
    """The map, and what is noted of it; a straight line of another program is made one of ours."""
    line = noted.get("params") or noted.get("warp")
    if "knots" in noted or not isinstance(line, dict):
        return load_timewarp_json(path), noted
    try:
        a, b = float(line["a"]), float(line["b"])
        start_s = max(0.0, -b / a)
        end_s = min(new["duration_s"], (reference["duration_s"] - b) / a)
        residuals = noted.get("residuals") or {}
        error_s = float(residuals.get("p90", _UNKNOWN_ERROR_S * _P90_SIGMAS)) / _P90_SIGMAS
        t_new = np.array([start_s, end_s])
        time_map = TimeMap(t_new, a * t_new + b, np.full(2, error_s), ((start_s, end_s),))
    except (AlignmentError, AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ArtifactError(f"{path} holds no time map of these two videos.") from error
    said = "made" if noted.get("ok") else "made, and itself refused,"
    verdict = Verdict(Decision.REVIEW, (f"Another program {said} this map, as one straight line.",))
    knots = {name: getattr(time_map, name).tolist() for name in ("t_new", "t_ref", "se_s")}
    return TimeWarp(time_map, Model.AFFINE, verdict), {
        **noted,
        "format_version": FORMAT_VERSION,
        "model": Model.AFFINE.value,
        "verdict": verdict.decision.value,
        "reasons": list(verdict.reasons),
        "knots": {**knots, "support": [[start_s, end_s]]},
    }


def _copy(timewarp: Path, made: TimeWarp, noted: Mapping[str, Any], folder: Path) -> None:
    """The results beside `timewarp`, with its own date, in `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in _COPIED:
            if (timewarp.parent / name).is_file():
                copy2(timewarp.parent / name, folder / name)
        if not (folder / WARP).exists():
            save_warp(made, folder / WARP)
        write_text(folder / TIMEWARP, json.dumps(noted))
        copystat(timewarp, folder / TIMEWARP)
    except OSError as error:
        raise OutputError(f"{error.filename or folder} cannot be copied: {error.strerror}.") from error


# --- markers ----------------------------------------------------------------------------------------


def _trail_markers(path: Path | None, reference: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The reference's markers, from a file of any format; none without one."""
    if path is None:
        return []
    preset, rate = format_of(path), Rate.parse(reference["rate"])
    if preset == "csv":
        marked = read_markers(path, rate=rate)
    else:
        reading = get_format(preset).read(path, rate, None)
        marked = markers_on(reading.timeline, NotedRun.of(reference).footage()).markers
    return [asdict(marker) for marker in marked]


def _of_trail(carried: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The reference's markers, from those that were carried over from it."""
    return [
        {
            "marker_id": m["marker_id"],
            "name": m["name"],
            "t_s": m["t_ref_s"],
            "duration_s": m["duration_s"],
            "colour": m["colour"],
            "comment": m["comment"],
            "extra": [(column, cell) for column, cell in m["extra"] if column not in (NOTE, LABELS)],
        }
        for m in carried
        if m["state"] != MarkerState.ADDED
    ]


def _marker(document: Mapping[str, Any]) -> Marker:
    return replace(Marker(**document), extra=tuple((column, cell) for column, cell in document["extra"]))


def _places(wanted: Wanted) -> list[Path]:
    """Where a run's markers belong, and where else they may be so far."""
    beside = None if wanted.timewarp is None else wanted.timewarp.with_name(MARKERS)
    return [path for path in (wanted.new_markers, beside) if path is not None]


def _saved(wanted: Wanted) -> Path | None:
    return next((path for path in _places(wanted) if path.is_file()), None)


def _marker_file(wanted: Wanted) -> dict[str, Any]:
    """Where a run's markers belong, None for nowhere, and what tells whether that has changed."""
    path = next(iter(_places(wanted)), None)
    if path is None:
        return {"marker_file": None, "digest": None}
    is_there = path.is_file()
    if path == wanted.new_markers and not is_there and not wanted.is_saved:
        raise InputError(f"There is no file {path}.")
    if wanted.ref_markers is not None and is_there and path.samefile(wanted.ref_markers):
        raise InputError(f"{path} cannot be both the reference's markers and the new run's.")
    return {"marker_file": str(path), "digest": digest_of(path.read_bytes()) if is_there else None}
