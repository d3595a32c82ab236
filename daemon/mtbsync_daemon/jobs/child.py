"""What a child process runs: one task after another, until the process that it works for is gone.

Lines of JSON go over the pipes that were its standard input and output. Tasks come in; out go, for each, any
number of `{"progress": …}` and `{"scratch": …}`, and one `{"outcome": …}`. Whatever a library prints goes to
the task's log.
"""

from __future__ import annotations

import errno
import faulthandler
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, BinaryIO

from mtbsync_daemon.jobs.executor import Outcome, Progress, Task, TaskFunction
from mtbsync_engine.errors import MtbsyncError, OutputError

# A result tells of files; it is none.
MAX_RESULT_BYTES = 8 * 2**20
_PROGRESS_EVERY_S = 0.2
# The editor at the screen comes first.
_NICENESS = 10
# What a full disk, a busy computer or a share that is away for a moment give.
_PASSING = {
    errno.EAGAIN,
    errno.EBUSY,
    errno.ECONNRESET,
    errno.EDQUOT,
    errno.EHOSTUNREACH,
    errno.EIO,
    errno.EMFILE,
    errno.ENETUNREACH,
    errno.ENFILE,
    errno.ENODEV,
    errno.ENOMEM,
    errno.ENOSPC,
    errno.ENXIO,
    errno.ESTALE,
    errno.ETIMEDOUT,
}
# Another program has the file open, or a part of it locked.
_PASSING_ON_WINDOWS = {32, 33}


def kill_with_descendants(pid: int) -> None:
    """End the child process `pid` at once, and every process that it has started."""
    if sys.platform == "win32":
        import psutil

        with suppress(psutil.NoSuchProcess):
            child = psutil.Process(pid)
            for process in [*child.children(recursive=True), child]:
                # It may be ending already.
                with suppress(psutil.Error):
                    process.kill()
    else:
        # A child leads a group of its own. macOS calls it forbidden to signal what has ended by itself.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def main() -> None:
    """Run tasks until standard input ends; then this process ends at once, whatever it is doing."""
    # Ctrl-C reaches every process of a terminal; the one that this works for decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        os.nice(_NICENESS)
    # The pipes move to where neither libraries nor processes that they start can find them.
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), _Outgoing(os.fdopen(os.dup(1), "wb"))
    _redirect(os.devnull, os.O_RDONLY, 0)
    _redirect(os.devnull, os.O_WRONLY, 1, 2)
    sys.stdout, sys.stderr = _text_stream(1), _text_stream(2)
    faulthandler.enable(file=2)
    tasks: SimpleQueue[Task] = SimpleQueue()
    Thread(target=_read_tasks, args=(incoming, tasks), daemon=True).start()
    while True:
        outgoing.send_outcome(_perform(tasks.get(), outgoing))


class _Outgoing:
    """The way back; any thread may send."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._lock = Lock()

    def send_progress(self, progress: Progress) -> None:
        self._send(json.dumps({"progress": asdict(progress)}).encode())

    def send_scratch(self, folder: Path) -> None:
        self._send(json.dumps({"scratch": str(folder)}).encode())

    def send_outcome(self, outcome: Outcome) -> None:
        self._send(json.dumps({"outcome": asdict(outcome)}).encode())

    def _send(self, line: bytes) -> None:
        try:
            with self._lock:
                self._pipe.write(line + b"\n")
                self._pipe.flush()
        except OSError:
            _end()


class _Work:
    """What a task is given beside its parameters: a `Work`."""

    def __init__(self, n_threads: int, outgoing: _Outgoing) -> None:
        self.n_threads = n_threads
        self.stages_s: dict[str, float] = {}
        self._outgoing = outgoing

    @contextmanager
    def stage(self, name: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
        began = told = time.perf_counter()
        self._outgoing.send_progress(Progress(name, 0.0 if total else None))

        def tell(done: float) -> None:
            nonlocal told
            now = time.perf_counter()
            if total and now - told >= _PROGRESS_EVERY_S:
                told = now
                self._outgoing.send_progress(Progress(name, min(max(done / total, 0.0), 1.0)))

        try:
            yield tell
        finally:
            self.stages_s[name] = self.stages_s.get(name, 0.0) + time.perf_counter() - began

    def log(self, text: str) -> None:
        _say(text)

    def clears(self, folder: Path) -> None:
        self._outgoing.send_scratch(folder)


def _read_tasks(incoming: BinaryIO, tasks: SimpleQueue[Task]) -> None:
    try:
        for line in incoming:
            fields = json.loads(line)
            tasks.put(Task(**fields | {"log": Path(fields["log"])}))
    finally:
        _end()


def _end() -> None:
    kill_with_descendants(os.getpid())
    os._exit(1)


def _perform(task: Task, outgoing: _Outgoing) -> Outcome:
    """Run `task`, however that ends."""
    work = _Work(task.n_threads, outgoing)
    try:
        with _output_to(task.log):
            _say(
                f"{datetime.now().astimezone().isoformat(timespec='seconds')} {task.task_id} {task.function}"
            )
            try:
                result = _function(task.function)(task.params, work)
                if len(json.dumps(result)) > MAX_RESULT_BYTES:
                    raise ValueError(f"the result of {task.function} is larger than {MAX_RESULT_BYTES} bytes")
            except BaseException:
                _say(traceback.format_exc())
                raise
    except MtbsyncError as error:
        kind = type(error).__name__
        return Outcome(None, str(error), kind, may_pass=_may_pass(error), stages_s=work.stages_s)
    except MemoryError:
        sentence = "There was not enough memory for this; close other programs and try again."
        return Outcome(None, sentence, may_pass=True, stages_s=work.stages_s)
    except (Exception, SystemExit) as error:
        sentence = (
            f"mtbsync itself failed; `mtbsync bundle {task.task_id}` packs what is needed to report it."
        )
        return Outcome(None, sentence, may_pass=_may_pass(error), stages_s=work.stages_s)
    return Outcome(result, stages_s=work.stages_s)


def _function(name: str) -> TaskFunction:
    module, _, function = name.partition(":")
    found: TaskFunction = getattr(import_module(module), function)
    return found


def _may_pass(error: BaseException) -> bool:
    """Whether there may be nothing wrong with the task itself."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OutputError):
            return True
        if isinstance(cause, OSError) and (
            cause.errno in _PASSING or getattr(cause, "winerror", None) in _PASSING_ON_WINDOWS
        ):
            return True
        cause = cause.__cause__
    return False


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Append to `log` what anybody prints in the block, libraries and processes that they start included."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        _redirect(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 1, 2)
    except OSError as error:
        raise OutputError(f"The log {log} could not be written: {error.strerror or error}.") from error
    try:
        yield
    finally:
        # A log that lies on a full disk costs its end, not the result.
        with suppress(OSError):
            sys.stdout.flush()
        # Windows deletes no file that is open.
        _redirect(os.devnull, os.O_WRONLY, 1, 2)


def _say(text: str) -> None:
    with suppress(OSError):
        sys.stderr.write(text.rstrip("\n") + "\n")


def _redirect(path: Path | str, flags: int, *descriptors: int) -> None:
    opened = os.open(path, flags, 0o666)
    for descriptor in descriptors:
        os.dup2(opened, descriptor)
    os.close(opened)


def _text_stream(descriptor: int) -> Any:
    # There is none of Python's own where a program without a console started this.
    return os.fdopen(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


if __name__ == "__main__":
    main()
