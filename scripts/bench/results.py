"""What was measured, kept as JSON: by part, or by what it was measured on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from scripts.bench import BUILD

# A part's rows, and how long they took to measure.
Result = dict[str, Any]

_FOLDER = BUILD / "results"


def save(path: Path, result: Result) -> None:
    """Write it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(result, indent=1), encoding="utf-8")
    unfinished.replace(path)


def load(path: Path) -> Result | None:
    """What was kept at `path`, if anything was."""
    if not path.exists():
        return None
    kept: Result = json.loads(path.read_text(encoding="utf-8"))
    return kept


def path_of(part: str) -> Path:
    """Where a part's result is kept."""
    return _FOLDER / f"{part}.json"


def content_key(files: list[Path], *more: object) -> str:
    """Short name for the contents of `files` and whatever else decides a result."""
    digest = hashlib.sha256(repr(more).encode())
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]
