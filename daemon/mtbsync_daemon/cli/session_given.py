"""What people hand to the commands for sessions: numbers, texts, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date as Day  # noqa: N812
from pathlib import Path
from typing import Any

from mtbsync_daemon.cli.command import UsageError
from mtbsync_daemon.cli.console import Console
from mtbsync_engine.errors import InputError


def number(option: str, most: float) -> Callable[[str], float]:
    """What reads the value of `option`, a number from -`most` to `most`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise UsageError(f"{option} is a number such as -12.5, not {text}") from None
        if abs(value) > most:
            raise UsageError(f"{option} is from {-most:.0f} to {most:.0f}, not {text}")
        return value

    return read


def frames(text: str) -> int:
    """What --by-frames says."""
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--by-frames is a whole number such as -2, not {text}") from None


def first_files(files: Sequence[Path]) -> list[Path]:
    """The first file of each recording that `files` belong to, as a whole path, in order and each once.

    Raises:
        InputError: one of them is not there, or a folder.
    """
    from mtbsync_engine.media.chapters import chapter_names

    firsts: dict[Path, None] = {}
    for path in map(Path.absolute, files):
        try:
            siblings = [entry.name for entry in path.parent.iterdir()] if path.is_file() else []
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}).") from error
        if path.is_dir():
            raise InputError(f"{path} is a folder; name the files in it.")
        if not siblings:
            raise InputError(f"There is no file {path}.")
        firsts[path.with_name(chapter_names(path.name, siblings)[0])] = None
    return list(firsts)


def new_to(console: Console, session: Mapping[str, Any], firsts: Sequence[Path]) -> list[Path]:
    """Those of the files that are no camera of the session yet; of the others is told.

    Raises:
        InputError: all are.
    """
    label_of = {
        Path(camera["path"]): camera["label"] for camera in session["cameras"] if camera["status"] != "failed"
    }
    known = [
        f"{first.name} is in this session already, as camera {label_of[first]}"
        for first in firsts
        if first in label_of
    ]
    if len(known) == len(firsts):
        raise InputError(" ".join(f"{sentence}." for sentence in known))
    for sentence in known:
        console.warn(f"{sentence}, and was left out.")
    return [first for first in firsts if first not in label_of]


def filled(text: str, otherwise: str) -> str:
    """`text`, which is more than spaces."""
    if not text.strip():
        raise UsageError(otherwise)
    return text.strip()


def day(text: str) -> str:
    """What --date says."""
    try:
        return Day.fromisoformat(text).isoformat()
    except ValueError:
        raise UsageError(f"--date is a day such as 2026-07-04, not {text}") from None


def frames_ms(camera: Mapping[str, Any], n_frames: int) -> float:
    """How long so many of a camera's frames last."""
    from mtbsync_engine.timing import Rate

    return float(n_frames * 1000 / Rate.parse(camera["frames_a_second"]).fps)
