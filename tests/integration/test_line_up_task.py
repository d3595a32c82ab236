"""What lining up a session's cameras keeps of what it heard."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import wavfile

from mtbsync_daemon.storage.local import FolderStorage
from mtbsync_daemon.tasks import line_up
from mtbsync_daemon.tasks.away import AwayError
from mtbsync_engine.media import probe
from support.scene import Image
from support.served import Silent
from support.sounds import event_sound, sound_of, sweeping_bar, write_video_with_sound

RATE_HZ = 16_000
FPS = 25


def camera(folder: Path, angle: int, lasts_s: int, images: Iterator[Image]) -> dict[str, Any]:
    """One that heard an event of its own, as `sessions.line_up_params` lists it."""
    heard = event_sound(angle, lasts_s, RATE_HZ)
    film = write_video_with_sound(folder / f"film-{angle}.mp4", heard, RATE_HZ, fps=FPS, images=images)
    wav, key = folder / f"heard-{angle}.wav", f"audio-wavs/angle-{angle:03}_v001.wav"
    wavfile.write(wav, RATE_HZ, sound_of(heard, RATE_HZ).samples)
    noted = sha256(wav.read_bytes()).hexdigest()
    FolderStorage(folder / "media").put(key, wav, noted)
    about = {"rate": f"{FPS}", "start_timecode": None, "created_utc": None, "duration_s": lasts_s}
    recording = {"fingerprint": probe(film).fingerprint, "copies": [str(film)], "tracks": []}
    return {
        "angle": angle,
        "label": "ABC"[angle],
        "sound": key,
        "sound_sha256": noted,
        "about": about,
        "recording": recording,
    }


def params(folder: Path) -> dict[str, Any]:
    """Two cameras at two events, of which one was in a pocket."""
    black = (np.zeros((36, 64), np.uint8) for _ in range(6 * FPS))
    return {
        "cameras": [camera(folder, 1, 8, sweeping_bar(8 * FPS)), camera(folder, 2, 6, black)],
        "wanted_master": 1,
        "storage": {"bucket": None, "folder": None, "default": str(folder / "media")},
        "artifacts": str(folder / "artifacts"),
    }


def test_of_a_sound_that_fits_nowhere_the_curve_is_kept_that_shows_it(tmp_path: Path) -> None:
    (placed,) = line_up.run(params(tmp_path), Silent())["placements"]
    assert placed["offset_ms"] is None
    curve = placed["correlation"]
    assert len(curve["offset_s"]) == len(curve["z"]) > 100
    assert max(curve["z"]) < 5


def test_where_pictures_have_to_tell_footage_that_is_away_is_waited_for(tmp_path: Path) -> None:
    both = params(tmp_path)
    (tmp_path / "film-2.mp4").rename(tmp_path / "unplugged.mp4")
    with pytest.raises(AwayError):
        line_up.run(both, Silent())


@pytest.mark.parametrize("is_noted", [True, False])
def test_another_library_s_sound_under_the_same_key_is_not_taken_for_it(
    tmp_path: Path, is_noted: bool
) -> None:
    both = params(tmp_path)
    mine = both["cameras"][0]
    other = tmp_path / "heard-2.wav"
    noted = sha256(other.read_bytes()).hexdigest() if is_noted else ""
    FolderStorage(tmp_path / "media").put(mine["sound"], other, noted)
    assert line_up.run(both, Silent()) == {"gone": [mine["angle"]]}


def test_sound_that_lost_its_note_is_known_by_what_it_holds(tmp_path: Path) -> None:
    both = params(tmp_path)
    for path in (tmp_path / "media").rglob(".*.sha256"):
        path.unlink()
    assert "gone" not in line_up.run(both, Silent())
