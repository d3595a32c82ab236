"""Write a run's markers for editors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.noted import NotedRun
from mtbsync_engine.files import remove_unfinished, write_text
from mtbsync_engine.model import Marker, TransferredMarker
from mtbsync_engine.timing import Timecode
from mtbsync_integrations import formats
from mtbsync_integrations.build import run_timeline
from mtbsync_integrations.timeline import Timeline

_STARTS = "01:00:00:00"


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """What `timeline_of` takes, and `formats` to write into `folder`, each file called `stem` and its format.
    `written` are the files that mtbsync wrote before, with the digest of what it wrote: one that a person has
    changed since is left, and a new name is taken.

    Raises:
        ExportError, OutputError: a format cannot hold it, or it cannot be written.
    """
    timeline = timeline_of(params)
    exports = []
    for name in params["formats"]:
        with work.stage(f"Writing {name}"):
            made = formats.export(name, timeline)
            for suffix, text in made.files:
                content = encoded(text)
                path = Path(params["folder"]) / file_name(params["stem"], name, suffix)
                free = not_a_persons(path, digest_of(content), params["written"])
                remove_unfinished(free)
                write_text(free, text)
                exports.append(
                    {
                        "format": name,
                        "path": str(free),
                        "digest": digest_of(content),
                        "losses": list(made.losses),
                    }
                )
    return {"exports": exports}


def timeline_of(params: Mapping[str, Any]) -> Timeline:
    """`run` as `sync.run_document` describes it, of which `copies` are all that are known, with its `markers`
    as the library has them. One of a person's own that stands where the reference shows nothing was carried
    over from nowhere."""
    run = NotedRun.of({**params["run"], "files": best_copy(params)})
    markers = [transferred_of(m) for m in params["markers"]]
    timeline = run_timeline(run.footage(), markers, Timecode.parse(_STARTS, run.rate))
    own = {m["marker_id"] for m in params["markers"] if m["t_ref_s"] is None}
    placed = (replace(m, transferred=None) if m.marker_id in own else m for m in timeline.markers)
    return replace(timeline, markers=tuple(placed))


def best_copy(params: Mapping[str, Any]) -> list[str]:
    """The files of a `run`: of the first of its `copies` that is there and whole, or of any if none is."""
    copies: list[list[str]] = params["copies"]
    files: list[str] = next(filter(is_there, copies), copies[0] if copies else params["run"]["files"])
    return files if len(files) == len(params["run"]["starts_s"]) else params["run"]["files"]


def is_there(files: Sequence[str]) -> bool:
    """Whether all of a run's files are there now."""
    return all(Path(path).is_file() for path in files)


def file_name(stem: str, format_name: str, suffix: str) -> str:
    """What a file in that format is called."""
    return f"{stem}_{format_name.replace('-', '_')}{suffix}"


def encoded(text: str) -> bytes:
    """A file's content, as `write_text` writes it."""
    return text.encode("utf-8", "backslashreplace")


def not_a_persons(path: Path, digest: str, written: Mapping[str, str]) -> Path:
    """`path`, or with a number behind its stem: where there is nothing, or only what mtbsync wrote."""
    for k in count(2):
        if not path.exists() or digest_of(path.read_bytes()) in (digest, written.get(str(path))):
            return path
        stem = path.stem if k == 2 else path.stem.rpartition("-")[0]
        path = path.with_name(f"{stem}-{k}{path.suffix}")
    raise AssertionError  # there is always a number


def digest_of(content: bytes) -> str:
    """Tells a file's content from any other."""
    return blake2b(content, digest_size=16).hexdigest()


def transferred_of(m: Mapping[str, Any]) -> TransferredMarker:
    """A marker as the library has it, as the formats take it."""
    marker = Marker(
        m["marker_id"],
        m["name"],
        m["t_s"] if m["t_ref_s"] is None else m["t_ref_s"],
        m["duration_s"],
        m["colour"],
        m["comment"],
        tuple((key, value) for key, value in m["extra"]),
    )
    return TransferredMarker(
        marker,
        m["t_s"],
        m["confidence"],
        m["expected_error_s"],
        m["needs_review"],
        m["reason"],
        m["duration_s"],
    )
