"""Command lines that a sentence names, so that they work as they are written there."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path


def hint(command: str, data: Path) -> str:
    """`command` in backquotes, with --data where it would find another daemon's folder without."""
    from mtbsync_daemon.places import default_data

    if data == default_data():
        return f"`{command}`"
    quoted = subprocess.list2cmdline([str(data)]) if sys.platform == "win32" else shlex.quote(str(data))
    return f"`{command} --data {quoted}`"
