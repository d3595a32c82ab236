"""The task that makes light copies does what is missing, and says what it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtbsync_daemon.tasks.away import AwayError
from mtbsync_daemon.tasks.light import run
from mtbsync_engine.media.probe import probe
from support.videos import write_video


class _Work:
    """Notes how far each stage was told to be."""

    n_threads = 1

    def __init__(self) -> None:
        self.told: list[float] = []

    @contextmanager
    def stage(self, name: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
        yield lambda done: self.told.append(done / (total or 1.0))

    def log(self, text: str) -> None:
        """Nothing is said here."""

    def clears(self, folder: Path) -> None:
        pass


def _params(tmp_path: Path) -> dict[str, Any]:
    for chapter in (1, 2):
        pictures = [np.full((48, 64), 100 * chapter, dtype=np.uint8)] * 20
        write_video(tmp_path / f"GX0{chapter}0001.MP4", pictures, 10)
    first = tmp_path / "GX010001.MP4"
    recording = {"fingerprint": probe(first).fingerprint, "copies": [str(first)], "tracks": []}
    return {"recording": recording, "folder": str(tmp_path / "light")}


def test_each_chapter_gets_a_copy_and_what_is_there_stays(tmp_path: Path) -> None:
    params, work = _params(tmp_path), _Work()
    assert run(params, work) == {"n_made": 2}
    made = sorted((tmp_path / "light").iterdir())
    assert [path.name for path in made] == ["0.mp4", "1.mp4"]
    assert work.told == sorted(work.told)
    assert 0.9 < work.told[-1] <= 1.0
    kept = made[0].stat().st_mtime_ns
    made[1].unlink()
    assert run(params, _Work()) == {"n_made": 1}
    assert run(params, _Work()) == {"n_made": 0}
    assert made[0].stat().st_mtime_ns == kept


def test_where_the_footage_is_away_that_is_said(tmp_path: Path) -> None:
    params = _params(tmp_path)
    (tmp_path / "GX010001.MP4").unlink()
    with pytest.raises(AwayError, match="plug in the drive"):
        run(params, _Work())
