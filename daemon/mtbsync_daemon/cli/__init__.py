"""The command line: `mtbsync COMMAND …`. Each command runs alone and leaves files for the next."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the `mtbsync` program: run one command line and return its exit status."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A file's name may hold what the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        from mtbsync_daemon.cli.app import app
        from mtbsync_daemon.cli.command import run

        return run(app, sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        # Before the command began, or for the second time.
        print("Interrupted.", file=sys.stderr)  # noqa: T201 - there may be no console yet
        return 130
