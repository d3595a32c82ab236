"""A library with a session in it: three cameras with all that was made of their footage, lined up.

Nobody has decided on it yet, and what was made lies in the storage, so that nothing has to be ingested.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from mtbsync_daemon import sessions as rules
from mtbsync_daemon.places import Places
from mtbsync_daemon.storage.keys import key_of
from mtbsync_daemon.storage.local import FolderStorage
from mtbsync_daemon.store import jobs, recordings, sessions
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.ids import now
from mtbsync_daemon.store.jobs import State
from mtbsync_daemon.store.recordings import StoredFile
from mtbsync_daemon.store.sessions import Derivative, DerivedRow, SessionRow
from mtbsync_daemon.sync import run_document
from mtbsync_engine.media import probe
from mtbsync_engine.media.sound import read_wav, write_wav
from mtbsync_engine.media.still import still
from mtbsync_engine.media.waveform import waveform_of, write_waveform
from mtbsync_engine.model import FloatArray, Recording
from support.sounds import drifted, event_sound, piece, write_video_with_sound

TITLE = "Rob's wedding"
RATE_HZ = 48_000
# The seed, seconds and rate of what happened.
EVENT = (11, 11.0, RATE_HZ)
# Where each camera begins on the event's clock, in seconds, and how long it records.
BEGINS_S = {"A": 0.0, "B": 2.345, "C": 1.2}
LASTS_S = {"A": 10.0, "B": 7.0, "C": 5.0}
DRIFT_PPM = {"A": 0.0, "B": 40.0, "C": 0.0}
# B's place was found, and C's was not.
FOUND_MS = {"B": 2345.0, "C": None}
_TINTS = {"A": (1.0, 0.6, 0.4), "B": (0.4, 0.8, 1.0), "C": (0.6, 1.0, 0.5)}


def add_session(data: Path, footage: Path) -> str:
    """Put the session into the library below `data`, and its videos into `footage`; gives its id."""
    places = Places(data)
    footage.mkdir(parents=True, exist_ok=True)
    films = {label: _film(footage / f"camera-{label}.mp4", label) for label in BEGINS_S}
    store = Store(places.database, places.backups)
    try:
        return store.write(_add, FolderStorage(places.media), films, footage)
    finally:
        store.close()


def _add(db: sqlite3.Connection, storage: FolderStorage, films: dict[str, Path], folder: Path) -> str:
    session = rules.create(db, TITLE, project="Weddings", date="2026-06-20", location="Chamonix")
    for label, path in films.items():
        _add_camera(db, storage, session, label, path, folder)
    _line_up(db, session)
    return session.session_id


def _add_camera(
    db: sqlite3.Connection, storage: FolderStorage, session: SessionRow, label: str, path: Path, folder: Path
) -> None:
    status = path.stat()
    recordings.take(db, None, [StoredFile(path, path, True, status.st_size, status.st_mtime_ns)])
    recording = probe(path)
    about = run_document(recording) | {"created_utc": None}
    fingerprint, duration_s = about.pop("fingerprint"), about.pop("duration_s")
    recordings.add(db, recordings.row_of(fingerprint, path.name, duration_s, about), path)
    camera = rules.add_camera(db, session, path, label)
    assert camera.job_id is not None
    jobs.end(db, camera.job_id, State.DONE)
    for kind, made in _made_of(recording, folder):
        digest = sha256(made.read_bytes()).hexdigest()
        key = key_of(session.prefix, kind.value, camera.angle, camera.take)
        storage.put(key, made, digest)
        row = DerivedRow(session.session_id, label, kind, key, made.stat().st_size, digest, now())
        sessions.note_derived(db, row)


def _line_up(db: sqlite3.Connection, session: SessionRow) -> None:
    job_id = rules.want_line_up(db, session)
    angles = {c.label: c.angle for c in sessions.cameras(db, session.session_id)}
    quality = {"level_dbfs": -21.0, "clipped": 0.001, "snr_db": 34.0, "bandwidth_hz": 16_000.0, "score": 0.8}
    found = {
        "master": angles["A"],
        "qualities": {str(angle): quality for angle in angles.values()},
        "placements": [
            {
                "angle": angles["B"],
                "offset_ms": FOUND_MS["B"],
                "drift_ppm": DRIFT_PPM["B"],
                "score": 23.4,
                "error_ms": 0.6,
                "method": "hybrid",
                "reason": "The sounds fit each other all along; nothing else comes near.",
                "through": None,
                "correlation": _correlation(),
            },
            {
                "angle": angles["C"],
                "offset_ms": FOUND_MS["C"],
                "drift_ppm": None,
                "score": 0.0,
                "error_ms": None,
                "method": None,
                "reason": "Its sound fits no other camera's, and its clock tells nothing.",
                "through": None,
                "correlation": _flat(),
            },
        ],
    }
    job = jobs.get(db, job_id)
    assert job is not None
    rules.lined_up(db, job, found)
    jobs.end(db, job_id, State.DONE)


def _correlation() -> dict[str, list[Any]]:
    offset_s = np.linspace(-10, 10, 401)
    z = np.random.default_rng(5).normal(0, 1, len(offset_s))
    z[np.abs(offset_s - 2.345).argmin()] = 23.4
    z[np.abs(offset_s + 6.1).argmin()] = 7.9
    window_s = np.arange(0.5, LASTS_S["B"], 0.5)
    delays_s = 2.345 + window_s * DRIFT_PPM["B"] * 1e-6
    delays_s[3] += 0.004
    return {
        "offset_s": offset_s.tolist(),
        "z": z.tolist(),
        "window_t_cam_s": window_s.tolist(),
        "window_offset_s": delays_s.tolist(),
        "is_used": [k != 3 for k in range(len(window_s))],
    }


def _flat() -> dict[str, list[Any]]:
    offset_s = np.linspace(-5, 10, 301)
    z = np.random.default_rng(6).normal(0, 1, len(offset_s))
    return {
        "offset_s": offset_s.tolist(),
        "z": z.tolist(),
        "window_t_cam_s": [],
        "window_offset_s": [],
        "is_used": [],
    }


# --- what the cameras recorded -----------------------------------------------------------------------


def heard(label: str) -> FloatArray:
    """What a camera hears of the event: (N,) of floats."""
    world = event_sound(*EVENT)
    return drifted(piece(world, BEGINS_S[label], LASTS_S[label], RATE_HZ), DRIFT_PPM[label])


def _film(path: Path, label: str) -> Path:
    """What it heard, and a ramp from dark to its own colour that moves."""
    ramp = np.linspace(20, 220, 160)[None, :, None] * np.ones((90, 1, 3)) * _TINTS[label]
    pictures = (np.roll(ramp, k, axis=1).astype(np.uint8) for k in range(int(LASTS_S[label] * 25)))
    return write_video_with_sound(path, heard(label), RATE_HZ, images=pictures)


def _made_of(recording: Recording, folder: Path) -> Iterator[tuple[Derivative, Path]]:
    stem = recording.chapters[0].path.stem
    wav, waveform, thumbnail = (folder / f"{stem}.{ending}" for ending in ("wav", "dat", "jpg"))
    write_wav(recording, wav)
    write_waveform(waveform_of(read_wav(wav)), waveform)
    thumbnail.write_bytes(still(recording, 2.0))
    yield from ((Derivative.WAV, wav), (Derivative.WAVEFORM, waveform), (Derivative.THUMBNAIL, thumbnail))
