"""Write a run's markers for editors."""

from __future__ import annotations

from collections.abc import Mapping
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

_STARTS = "01:00:00:00"


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """`run` as `sync.run_document` describes it, of which `copies` are all that are known; `markers` as
    `tasks.transfer` gave them; `formats` to write into `folder`, each file called `stem` and its format.
    `written` are the files that mtbsync wrote before, with the digest of what it wrote: one that a person has
    changed since is left, and a new name is taken.

    Raises:
        ExportError, OutputError: a format cannot hold it, or it cannot be written.
    """
    run = NotedRun.of({**params["run"], "files": _a_copy_that_is_there(params)})
    markers = [_transferred(m) for m in params["markers"]]
    timeline = run_timeline(run.footage(), markers, Timecode.parse(_STARTS, run.rate))
    exports = []
    for name in params["formats"]:
        with work.stage(f"Writing {name}"):
            made = formats.export(name, timeline)
            for suffix, text in made.files:
                path = Path(params["folder"]) / f"{params['stem']}_{name.replace('-', '_')}{suffix}"
                digest = _digest(text.encode("utf-8", "backslashreplace"))
                free = _not_a_persons(path, digest, params["written"])
                remove_unfinished(free)
                write_text(free, text)
                exports.append(
                    {"format": name, "path": str(free), "digest": digest, "losses": list(made.losses)}
                )
    return {"exports": exports}


def _a_copy_that_is_there(params: Mapping[str, Any]) -> list[str]:
    """The files of the first whole copy, or of any where none is there now."""
    copies: list[list[str]] = params["copies"]
    whole = (copy for copy in copies if all(Path(path).is_file() for path in copy))
    files: list[str] = next(whole, copies[0] if copies else params["run"]["files"])
    return files if len(files) == len(params["run"]["starts_s"]) else params["run"]["files"]


def _not_a_persons(path: Path, digest: str, written: Mapping[str, str]) -> Path:
    """`path`, or with a number behind its stem: where there is nothing, or only what mtbsync wrote."""
    for k in count(2):
        if not path.exists() or _digest(path.read_bytes()) in (digest, written.get(str(path))):
            return path
        stem = path.stem if k == 2 else path.stem.rpartition("-")[0]
        path = path.with_name(f"{stem}-{k}{path.suffix}")
    raise AssertionError  # there is always a number


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def _transferred(m: Mapping[str, Any]) -> TransferredMarker:
    marker = Marker(
        m["marker_id"],
        m["name"],
        m["t_ref_s"],
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
