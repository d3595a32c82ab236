"""Tasks for tests of what runs tasks."""

from __future__ import annotations

import ctypes
import errno
import faulthandler
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_engine import errors
from mtbsync_engine.files import write_text

_FOREVER_S = 600.0


def echo(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """What it was given."""
    return params


def about_itself(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """The process it runs in, and what that was given."""
    return {
        "pid": os.getpid(),
        "niceness": os.nice(0) if sys.platform != "win32" else None,
        "n_threads": work.n_threads,
        "limit": os.environ["OMP_NUM_THREADS"],
        "modules": sorted(sys.modules),
        "path": sys.path,
    }


def sum_up(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """Stages that tell how far they are, and a file that is there whole or not at all."""
    total = 0
    numbers = params["numbers"]
    for stage in ("read", "add", "write"):
        with work.stage(stage, len(numbers)) as done:
            for n, number in enumerate(numbers, start=1):
                total += number if stage == "add" else 0
                time.sleep(params["step_s"])
                done(n)
            if stage == "write":
                write_text(Path(params["out"]), f"{total}\n")
    return {"total": total}


def work_in_scratch(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """Make a folder to work in, which a task that goes on removes; then do as `end` says."""
    folder = Path(params["scratch"])
    folder.mkdir()
    work.clears(folder)
    (folder / "large").write_bytes(b"x" * 1000)
    with work.stage("working"):
        if params["end"] == "well":
            (folder / "large").unlink()
            folder.rmdir()
            return {}
        if params["end"] == "crash":
            os._exit(3)
        time.sleep(_FOREVER_S)
    return {}


def hurry(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """Tell of progress far more often than anybody can look."""
    with work.stage("hurry", 20_000) as done:
        for n in range(20_000):
            done(n)
    return {}


def say(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """Print in every way there is."""
    work.log(f"logged {params['text']}")
    print(f"printed {params['text']}")  # noqa: T201
    print("complained", file=sys.stderr)  # noqa: T201
    os.write(1, b"written from C\n")
    subprocess.run([sys.executable, "-c", "print('said by a grandchild')"], check=True)
    return {"stdin": sys.stdin.read(), "grandchild_stdin": _read_by_a_grandchild()}


def _read_by_a_grandchild() -> str:
    code = "import sys; print(repr(sys.stdin.read()))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def beat(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """Let a file grow for as long as this lives; with `grandchild`, so does a process that this starts."""
    if params.get("grandchild"):
        code = f"import support.tasks; support.tasks.let_grow({params['grandchild']!r})"
        subprocess.Popen([sys.executable, "-c", code])
    with work.stage("beat"):
        let_grow(params["file"])
    return {}


def beat_once_only(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """As `beat` if it never ran before; else end well."""
    return {"again": True} if Path(params["file"]).exists() else beat(params, work)


def let_grow(file: str) -> None:
    """Append to `file` again and again."""
    began = time.monotonic()
    while time.monotonic() - began < _FOREVER_S:
        with Path(file).open("a", encoding="utf-8") as out:
            out.write(f"{os.getpid()}\n")
        time.sleep(0.02)


def sleep_in_c(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """Be in one long call of a C library, as a decoder is."""
    Path(params["file"]).write_text(str(os.getpid()), encoding="utf-8")
    if sys.platform == "win32":
        ctypes.windll.kernel32.Sleep(int(_FOREVER_S * 1000))
    else:
        ctypes.CDLL(None).sleep(int(_FOREVER_S))
    return {}


def meet(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """Wait until `n` tasks like this have come to `place`; count them."""
    place = Path(params["place"])
    (place / str(time.monotonic_ns())).touch()
    began = time.monotonic()
    while len(list(place.iterdir())) < params["n"] and time.monotonic() - began < params["at_most_s"]:
        time.sleep(0.01)
    return {"n": len(list(place.iterdir()))}


def crash(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """Die as a library dies."""
    match params["how"]:
        case "abort":
            os.abort()
        case "segfault":
            faulthandler.disable()
            ctypes.string_at(0)
        case "exit":
            os._exit(7)
        case "leave":
            sys.exit(3)
        case "memory":
            raise MemoryError
    raise AssertionError(params)


def fail(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """Raise the error of that `kind`, which came of the system's error called `errno`."""
    error = getattr(errors, params["kind"])("This cannot be read; give another.")
    if "errno" not in params:
        raise error
    try:
        raise OSError(getattr(errno, params["errno"]), "as the system says")
    except OSError as cause:
        raise errors.InputError("In between.") from _caused(error, cause)


def _caused(error: errors.MtbsyncError, cause: OSError) -> errors.MtbsyncError:
    error.__cause__ = cause
    return error


def divide_by_zero(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """A defect."""
    return {"never": 1 / 0}


def no_json(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """Another."""
    return {"never": object()}


def large(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """A result of that many characters."""
    return {"text": "x" * params["n"]}


def hold(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """Keep that much memory for good."""
    _held.append(b"\1" * params["n_bytes"])
    return {"pid": os.getpid()}


_held: list[bytes] = []


def babble(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """Write to the daemon what is no answer, as a library may that writes to whatever is open."""
    for descriptor in range(3, 64):
        with suppress(OSError):
            if params.get("without_end"):
                while True:
                    os.write(descriptor, b"x" * 2**20)
            os.write(descriptor, b'["what", "is this"]\n')
    time.sleep(_FOREVER_S)
    return {}
