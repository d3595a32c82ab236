"""What every command has in common: how it ends, and what it says when it cannot go on."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import typer

from mtbsync_daemon.cli import legacy
from mtbsync_daemon.cli.console import Console
from mtbsync_daemon.threads import thread_limits
from mtbsync_engine.errors import AlignmentError, MtbsyncError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_REJECTED = 3
EXIT_INTERRUPTED = 130

# The command line itself is wrong. Typer has this class of Click's but no public name for it.
UsageError: type[Any] = typer.BadParameter.__mro__[1]


def run(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status; without arguments, show the help."""
    sentence = legacy.refusal(arguments)
    if sentence is None:
        try:
            return int(app(list(arguments) or ["--help"], prog_name="mtbsync", standalone_mode=False) or 0)
        except UsageError as error:
            what = error.format_message()
            end = "" if what.endswith((".", "?")) else "."
            command = "mtbsync" if error.ctx is None else error.ctx.command_path
            sentence = f"{what}{end} See `{command} --help`."
    Console(as_json="--json" in arguments, quiet=False).fail(sentence)
    return EXIT_USAGE


def ends_well(command: Callable[..., int]) -> Callable[..., None]:
    """Turn a function that returns an exit status, and takes `as_json` and `quiet`, into a command.

    A known error becomes its sentence, on standard error and with --json in the result as well. Ctrl-C
    becomes 130, the status that shells give it. Anything else is a defect and shows as one.
    """

    @functools.wraps(command)
    def wrapped(**options: Any) -> None:
        console = Console(as_json=options["as_json"], quiet=options["quiet"])
        try:
            _check_finite(options)
            _limit_linear_algebra(options.get("threads"))
            status = command(**options)
        except AlignmentError as error:
            console.fail(str(error))
            status = EXIT_REJECTED
        except MtbsyncError as error:
            console.fail(str(error))
            status = EXIT_FAILED
        except KeyboardInterrupt:
            console.fail("Interrupted; what was not finished has been removed.")
            status = EXIT_INTERRUPTED
        raise typer.Exit(status)

    return wrapped


def _check_finite(options: dict[str, Any]) -> None:
    for name, value in options.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"--{name.replace('_', '-')} is a finite number, not {value}")


def _limit_linear_algebra(threads: int | None) -> None:
    """Hold numpy's libraries to `threads`; they read this once, when a command loads them."""
    if threads is not None:
        os.environ |= thread_limits(threads)
