"""Files of any name, videos too, that come to be there as a whole.

`mtbsync_engine.files.replacing` refuses what is named like a recording; these lie where there are none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A name for what is to become `path`, such as `mtbsync_engine.files.remove_all_unfinished` and
    `FolderStorage.clear` know; what is still there when the block ends is removed."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def to_disk(path: Path) -> None:
    """Return once the content of `path` would outlast a loss of power."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
