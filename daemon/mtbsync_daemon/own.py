"""The mark on folders in which mtbsync keeps what it makes, so that none of it is ever taken for footage.

It lies in the folder itself: a folder is known by it wherever it is mounted or linked from, from another
computer too, and also after the settings name another one.
"""

from __future__ import annotations

from pathlib import Path

MARK = ".made-by-mtbsync"
_WORDS = "mtbsync keeps what it makes here. Where this file lies, and below, it looks for no videos.\n"


def mark(folder: Path) -> None:
    """Mark a folder that is there.

    Raises:
        OSError: it cannot be written.
    """
    if not is_marked(folder):
        (folder / MARK).write_text(_WORDS, encoding="utf-8")


def is_marked(folder: Path) -> bool:
    """Whether a folder is there and marked.

    Raises:
        OSError: nobody can tell now.
    """
    return (folder / MARK).exists()
