"""Running `mtbsync` as people do, and looking at what it left behind."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtbsync_daemon.cli import main

PROGRAM = Path(sysconfig.get_path("scripts")) / ("mtbsync.exe" if sys.platform == "win32" else "mtbsync")


@dataclass(frozen=True)
class Outcome:
    """What a command line came to."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON object that standard output holds."""
        document = json.loads(self.out, parse_constant=_no_number)
        assert isinstance(document, dict)
        return document


def mtbsync(*arguments: object) -> Outcome:
    """Run a command line in this process, which is quicker."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(argument) for argument in arguments])
    return Outcome(status, out.getvalue(), err.getvalue())


def mtbsync_process(*arguments: object, **how: Any) -> Outcome:
    """Run a command line as a process of its own; `how` goes to `subprocess.run`."""
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)], capture_output=True, encoding="utf-8", check=False, **how
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def listing(*folders: Path) -> list[str]:
    """Everything that lies in the folders, hidden things too."""
    return sorted(str(path) for folder in folders for path in folder.rglob("*"))


def state(folder: Path) -> Mapping[str, tuple[str, int, int]]:
    """Content, time of change and mode of every file in `folder`."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
            path.stat().st_mode,
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is not JSON")
