"""Command lines that a sentence names, so that they work as they are written there."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from mtbsync_daemon.places import default_data


def hint(command: str, data: Path) -> str:
    """`command` in backquotes, with --data where it would find another daemon's folder without."""
    if data == default_data():
        return f"`{command}`"
    return f"`{command} --data {word(str(data))}`"


def word(text: str) -> str:
    """A name as one word of a command line."""
    return subprocess.list2cmdline([text]) if sys.platform == "win32" else shlex.quote(text)


def with_roots(refusal: str, file: Path) -> str:
    """The daemon's sentence that `file` lies outside what it may read, and the setting that helps."""
    folder = f'"{file.parent.as_posix()}"'
    return (
        f"{refusal} Add {folder} to the `roots` there, or write `roots = [{folder}]` above the first [table]."
    )
