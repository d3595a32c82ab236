"""Cameras of one event that have neither sound nor clocks find each other by what they saw."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mtbsync_engine.align.event import Evidence, line_up
from mtbsync_engine.confidence import Method, Trust
from mtbsync_engine.index.build import build_index
from mtbsync_engine.media.probe import probe
from mtbsync_engine.model import IndexParams

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
BEGINS_S, LASTS_S, FPS = 8.3, 15, 25
SIZE = (480, 360)


@pytest.fixture(scope="module")
def chest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's reference as a second camera sees it, a little to the side and to the right, with a longer
    lens, darker, at another rate and size, and from `BEGINS_S` on."""
    path = tmp_path_factory.mktemp("chest") / "chest.mp4"
    with av.open(str(SAMPLE / "ref.mp4")) as seen, av.open(str(path), "w") as written:
        stream = written.add_stream("libx264", rate=FPS)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "20"}
        wanted = (BEGINS_S + k / FPS for k in range(LASTS_S * FPS))
        due_s: float | None = next(wanted)
        for frame in seen.decode(video=0):
            if due_s is None:
                break
            assert frame.time is not None
            if frame.time >= due_s:
                picture = _from_the_chest(frame.to_ndarray(format="bgr24"))
                written.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
                due_s = next(wanted, None)
        written.mux(stream.encode(None))
    return path


def _from_the_chest(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((0.53 * width, 0.51 * height), angle=2, scale=4 / 3)
    turn[:, 2] += (0.5 * (SIZE[0] - width), 0.5 * (SIZE[1] - height))
    return cv2.convertScaleAbs(cv2.warpAffine(picture, turn, SIZE), alpha=0.7)


def camera(path: Path) -> Evidence:
    recording = probe(path)
    return Evidence(
        sound=None,
        rate=recording.rate,
        start_timecode=None,
        created_utc=None,
        duration_s=recording.duration_s,
        index=lambda: build_index(recording, IndexParams()),
    )


def test_what_both_saw_tells_but_never_looks_good(chest: Path) -> None:
    found = line_up({"chest": camera(chest), "helmet": camera(SAMPLE / "ref.mp4")})
    assert found.master == "helmet"
    placement = found.placements["chest"]
    assert placement.method is Method.PICTURE
    assert placement.trust is not Trust.LOOKS_GOOD
    assert "what both cameras saw" in placement.reason
    assert placement.error_s is not None
    assert abs(placement.offset_s - BEGINS_S) < min(placement.error_s, 0.2)


def test_the_same_trail_at_another_time_is_another_event(chest: Path) -> None:
    found = line_up({"chest": camera(chest), "later": camera(SAMPLE / "new.mp4")}, "later")
    assert found.placements == {}
    assert "neither clocks nor pictures tell" in found.missing["chest"]
