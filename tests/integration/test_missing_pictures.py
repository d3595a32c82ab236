"""Pictures that cannot be made: that is found out once, and not each time that a list asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mtbsync_daemon.http.routes import pictures
from support.served import Reply, Served, served


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as found:
        yield found


def _picture(daemon: Served, recording_id: str) -> Reply:
    return daemon.ask("GET", f"/api/v1/recordings/{recording_id}/picture")


def _n_tried(daemon: Served) -> int:
    return daemon.executor.started.count("still")


def test_one_that_cannot_be_made_is_tried_once(daemon: Served) -> None:
    # No film, for all its name says.
    one, other = daemon.know("RIDE.MP4"), daemon.know("OTHER.MP4")
    first = _picture(daemon, one)
    assert first.status == 404
    assert _picture(daemon, one).json["detail"] == first.json["detail"]
    assert _n_tried(daemon) == 1
    assert _picture(daemon, other).status == 404
    assert _n_tried(daemon) == 2


def test_it_is_tried_again_once_the_recording_lies_elsewhere(daemon: Served) -> None:
    recording_id = daemon.know("RIDE.MP4")
    _picture(daemon, recording_id)
    copy = daemon.film("copy/RIDE.MP4", b"RIDE.MP4")
    daemon.post("/recordings", {"paths": [str(copy)]})
    assert _picture(daemon, recording_id).status == 404
    assert _n_tried(daemon) == 2


def test_and_after_a_while(daemon: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    recording_id = daemon.know("RIDE.MP4")
    _picture(daemon, recording_id)
    later = pictures.monotonic() + 3600.0
    monkeypatch.setattr(pictures, "monotonic", lambda: later)
    _picture(daemon, recording_id)
    assert _n_tried(daemon) == 2
