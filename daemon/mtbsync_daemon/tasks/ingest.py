"""Take in a camera of a session: its sound, a picture to know it by, and whether its frame rate varies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.store.sessions import Derivative
from mtbsync_daemon.tasks.derive import Shelf, shelf_of
from mtbsync_daemon.tasks.footage import located
from mtbsync_engine.media.pace import has_variable_rate
from mtbsync_engine.media.sound import NoSoundError, read_wav, write_wav
from mtbsync_engine.media.still import still
from mtbsync_engine.media.waveform import waveform_of, write_waveform
from mtbsync_engine.model import Recording

# Cameras are often switched on before anything is to be seen.
_PICTURE_AT = 0.2
_PICTURE_WIDTH_PX = 640


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """As `tasks.derive`. What is in the storage already, made of this recording and whole, stays.

    Gives `derived`, a list of `kind`, `key`, `n_bytes`, `sha256` and `made_at`, seconds since 1970, and
    `has_variable_rate`. Without sound there is neither that nor its waveform.

    Raises:
        MtbsyncError: the recording is away or cannot be read, or the storage cannot be reached or written.
    """
    recording = located(params["recording"])
    with work.stage("Looking at the frame rate"):
        varies = has_variable_rate(recording)
    with shelf_of(params, recording, work) as shelf:
        _take_picture(recording, shelf)
        try:
            _take_sound(recording, shelf)
        except NoSoundError as error:
            work.log(f"Left out: {error}")
            shelf.lack(Derivative.WAV)
            shelf.lack(Derivative.WAVEFORM)
        return {"derived": shelf.derived, "has_variable_rate": varies}


def _take_picture(recording: Recording, shelf: Shelf) -> None:
    def make(out: Path, done: Callable[[float], None]) -> None:
        out.write_bytes(still(recording, _PICTURE_AT * recording.duration_s, max_width_px=_PICTURE_WIDTH_PX))

    shelf.have(Derivative.THUMBNAIL, "Taking a picture", None, make)


def _take_sound(recording: Recording, shelf: Shelf) -> None:
    wav = shelf.have(
        Derivative.WAV,
        "Taking the sound",
        recording.duration_s,
        lambda out, done: write_wav(recording, out, done),
    )
    shelf.have(
        Derivative.WAVEFORM,
        "Drawing the sound",
        None,
        lambda out, done: write_waveform(waveform_of(read_wav(wav)), out),
    )
