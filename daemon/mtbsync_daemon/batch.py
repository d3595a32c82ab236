"""Many new runs against one reference: each in a process of its own, each result kept as it comes."""

from __future__ import annotations

import csv
import io
import json
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext, suppress
from dataclasses import asdict, astuple, dataclass, fields, replace
from multiprocessing import active_children, get_context, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mtbsync_daemon.results import REF_INDEX, TIMEWARP
from mtbsync_daemon.sync import Progress, SyncRequest, request_key, sync
from mtbsync_daemon.watch.gather import is_video
from mtbsync_engine.errors import AlignmentError, InputError, MtbsyncError
from mtbsync_engine.files import check_output, write_text
from mtbsync_engine.index.build import build_index
from mtbsync_engine.index.describe import limit_threads
from mtbsync_engine.index.store import save_index
from mtbsync_engine.media import chapter_names, probe
from mtbsync_engine.pipeline import kept_index
from mtbsync_engine.telemetry.read import read_track

SUMMARY = "batch_summary.csv"
_TRACK_SUFFIXES = (".gpx", ".GPX", ".fit", ".FIT")


@dataclass(frozen=True)
class BatchRow:
    """One line of the summary. `status` is a verdict, or `failed`; `note` says why."""

    run: str
    status: str
    n_markers: int = 0
    n_placed: int = 0
    n_review: int = 0
    margin: float | None = None
    p90_s: float | None = None
    coverage: float | None = None
    done_before: bool = False
    note: str = ""

    @property
    def counts(self) -> tuple[str, str]:
        """Markers placed and, of those, to be reviewed; nothing for a run without markers or a map."""
        placed = f"{self.n_placed} of {self.n_markers}" if self.n_markers else ""
        return placed, str(self.n_review) if self.n_placed else ""

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def find_runs(folder: Path, reference: Path) -> list[Path]:
    """The videos in `folder` that begin a recording, in order of name, without the reference itself.

    Raises:
        InputError: there is no such folder, or no video in it.
    """
    try:
        names = [path.name for path in folder.iterdir() if path.is_file()]
    except OSError as error:
        raise InputError(f"{folder} cannot be read as a folder of runs: {error.strerror}.") from error
    runs = [
        folder / name
        for name in sorted(names)
        if is_video(name) and _begins_another_recording(name, names, folder, reference)
    ]
    if not runs:
        raise InputError(f"There is no video in {folder} besides the reference.")
    return runs


def run_batch(
    runs: Sequence[Path], template: SyncRequest, *, n_jobs: int, progress: Progress
) -> list[BatchRow]:
    """Sync every run as `template` says, `n_jobs` at a time; write the summary after each.

    A run that fails, or whose process dies, is a row like any other.

    Raises:
        MtbsyncError: the reference cannot be used, or nothing can be written.
    """
    check_output(template.out / SUMMARY, (template.marker_file,))
    template = replace(template, index=_reference_index(template, progress))
    requests = _requests(runs, template)
    rows: dict[Path, BatchRow] = {}
    try:
        with (
            progress("Runs", len(runs)) as done,
            ThreadPoolExecutor(n_jobs, initializer=_leave_interrupts_to_the_main_thread) as threads,
        ):
            waiting = {threads.submit(_run_apart, request): run for run, request in requests.items()}
            try:
                for future in as_completed(waiting):
                    rows[waiting[future]] = future.result()
                    done(len(rows))
                    _write_summary(rows, template.out / SUMMARY)
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                for child in active_children():
                    child.terminate()
                raise
    except BaseException:
        # Every process has ended by now; one that was stopped as it made its folder left that behind.
        for request in requests.values():
            with suppress(OSError):
                request.out.rmdir()
        raise
    return [rows[run] for run in runs]


def _begins_another_recording(name: str, names: Sequence[str], folder: Path, reference: Path) -> bool:
    """Whether `name` is a first chapter, and neither it nor a later one is the reference."""
    chapters = chapter_names(name, names)
    is_reference = reference.exists() and any(reference.samefile(folder / c) for c in chapters)
    return chapters[0] == name and not is_reference


def _reference_index(template: SyncRequest, progress: Progress) -> Path:
    """Index the reference once for all runs, and keep it where the summary is."""
    path = template.out / REF_INDEX
    if template.n_threads is not None:
        limit_threads(template.n_threads)
    recording = probe(template.reference, use_proxy=template.use_proxy)
    if template.ref_gpx is not None:
        # Else every run would find out for itself.
        read_track(template.ref_gpx)
    if kept_index(path, recording, template.index_params) is None:
        with progress(f"Looking at {recording.path.name}", recording.duration_s) as done:
            index = build_index(
                recording,
                template.index_params,
                weights=template.weights,
                n_threads=template.n_threads,
                on_picture=done,
            )
        save_index(index, path)
    return path


def _requests(runs: Sequence[Path], template: SyncRequest) -> dict[Path, SyncRequest]:
    stems = Counter(run.stem for run in runs)
    requests = {}
    for run in runs:
        tracks = (run.with_suffix(suffix) for suffix in _TRACK_SUFFIXES)
        track = next((path for path in tracks if path.is_file()), None)
        folder = template.out / (run.stem if stems[run.stem] == 1 else run.name)
        requests[run] = replace(template, new=run, out=folder, new_gpx=track)
    return requests


def _run_apart(request: SyncRequest) -> BatchRow:
    """Sync in a child process, so that a codec that crashes takes nothing else with it."""
    spawn = get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    child = spawn.Process(target=_child, args=(request, sender), daemon=True)
    child.start()
    sender.close()
    try:
        row: BatchRow = receiver.recv()
    except EOFError:
        child.join()
        note = f"Its process died (exit status {child.exitcode}); was there memory enough?"
        row = BatchRow(request.new.name, "failed", note=note)
    child.join()
    return row


def _leave_interrupts_to_the_main_thread() -> None:
    """Ctrl-C reaches every process of a terminal; a child inherits from its thread that it is to wait."""
    if sys.platform != "win32":
        # The first child brings a process along that tracks resources; starting it takes the mask off again.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _child(request: SyncRequest, sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Ends like any other exit, so that unfinished files are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sender.send(_run(request))


def _run(request: SyncRequest) -> BatchRow:
    name = request.new.name
    try:
        before = _done_before(request)
        document = before or sync(request, lambda label, total: nullcontext(lambda done: None)).document
    except AlignmentError as error:
        return BatchRow(name, "reject", len(request.markers), note=str(error))
    except MtbsyncError as error:
        return BatchRow(name, "failed", note=str(error))
    return BatchRow(
        run=name,
        status=document["verdict"],
        n_markers=document["markers"]["n"],
        n_placed=document["markers"]["placed"],
        n_review=document["markers"]["review"],
        margin=document["margin"],
        p90_s=document["residuals"]["p90"],
        coverage=document["coverage"],
        done_before=before is not None,
        note=" ".join(document["reasons"]),
    )


def _done_before(request: SyncRequest) -> dict[str, Any] | None:
    """What an earlier batch found, if it was asked for exactly this."""
    try:
        document = json.loads((request.out / TIMEWARP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    new = probe(request.new, use_proxy=request.use_proxy)
    reference = probe(request.reference, use_proxy=request.use_proxy)
    key = request_key(request, new, reference)
    return document if isinstance(document, dict) and document.get("key") == key else None


def _write_summary(rows: dict[Path, BatchRow], path: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(BatchRow)])
    writer.writerows(astuple(rows[run]) for run in sorted(rows))
    write_text(path, text.getvalue())
