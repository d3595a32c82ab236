"""What is made of a camera's footage is kept whole, made once, and never another recording's."""

from __future__ import annotations

import hashlib
import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mtbsync_daemon.storage import StorageAwayError, open_storage
from mtbsync_daemon.storage.keys import key_of, manifest_of
from mtbsync_daemon.storage.local import FolderStorage
from mtbsync_daemon.tasks import ingest, transcode
from mtbsync_daemon.tasks.away import AwayError
from mtbsync_engine.errors import OutputError
from mtbsync_engine.media.probe import probe
from mtbsync_engine.media.sound import read_wav
from mtbsync_engine.media.waveform import read_waveform
from support.sounds import event_sound, write_video_with_sound
from support.videos import write_video

PREFIX = "projects/alps/20260704-1a2b3c"
RATE_HZ = 48_000
_INGESTED = ["thumbnail", "audio-wav", "waveform"]


class Work:
    """Notes the stages, and how far the last was told to be."""

    n_threads = 1

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.lines: list[str] = []
        self.done = 0.0
        self.cleared = Path()

    @contextmanager
    def stage(self, name: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
        self.stages.append(name)

        def tell(done: float) -> None:
            self.done = done / (total or 1.0)

        yield tell

    def log(self, text: str) -> None:
        self.lines.append(text)

    def clears(self, folder: Path) -> None:
        self.cleared = folder


class _KilledAt(Work):
    """Is killed as a stage of that name begins."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    @contextmanager
    def stage(self, name: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
        if name == self._name:
            signal.raise_signal(signal.SIGKILL)
        yield lambda done: None


def ingest_until(stage: str, params_json: str) -> None:
    """For a process of its own: ingest, and be killed as that stage begins."""
    ingest.run(json.loads(params_json), _KilledAt(stage))


def _filmed(path: Path, seed: int = 1, duration_s: float = 2.0) -> Path:
    return write_video_with_sound(path, event_sound(seed, duration_s, RATE_HZ), RATE_HZ)


def _params(path: Path, media: Path, **more: Any) -> dict[str, Any]:
    return {
        "storage": {"bucket": None, "folder": None, "default": str(media)},
        "recording": {"fingerprint": probe(path).fingerprint, "copies": [str(path)], "tracks": []},
        "prefix": PREFIX,
        "angle": 1,
        "take": 1,
        **more,
    }


def _key(kind: str) -> str:
    return key_of(PREFIX, kind, 1, 1)


def _made_at(result: dict[str, Any]) -> dict[str, float]:
    return {one["kind"]: one["made_at"] for one in result["derived"]}


# --- ingest -------------------------------------------------------------------------------------------


def test_sound_waveform_and_picture_are_kept_and_told_of(tmp_path: Path) -> None:
    params, work = _params(_filmed(tmp_path / "ride.mp4"), tmp_path / "media"), Work()
    result = ingest.run(params, work)
    assert [one["kind"] for one in result["derived"]] == _INGESTED
    assert result["has_variable_rate"] is False
    assert json.loads(json.dumps(result)) == result
    storage = open_storage(params["storage"])
    for one in result["derived"]:
        assert one["key"] == _key(one["kind"])
        content = storage.fetch(one["key"], tmp_path / "cache").read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (one["n_bytes"], one["sha256"])
        assert storage.stat(one["key"]) is not None
    sound = read_wav(tmp_path / "media" / _key("audio-wav"))
    assert sound.duration_s == pytest.approx(2.0, abs=0.05)
    assert len(read_waveform(tmp_path / "media" / _key("waveform")).lowest) == pytest.approx(200, abs=5)
    assert work.stages.index("Taking the sound") < work.stages.index("Drawing the sound")


def test_a_second_time_nothing_is_made(tmp_path: Path) -> None:
    params = _params(_filmed(tmp_path / "ride.mp4"), tmp_path / "media")
    first = ingest.run(params, Work())
    work = Work()
    assert ingest.run(params, work) == first
    assert work.stages == ["Looking at the frame rate"]


@pytest.mark.parametrize("spoilt", _INGESTED)
@pytest.mark.parametrize("how", ["gone", "short", "changed"])
def test_what_is_damaged_is_made_again_and_nothing_else(tmp_path: Path, spoilt: str, how: str) -> None:
    params = _params(_filmed(tmp_path / "ride.mp4"), tmp_path / "media")
    first = ingest.run(params, Work())
    path = tmp_path / "media" / _key(spoilt)
    content = path.read_bytes()
    path.unlink()
    if how != "gone":
        path.write_bytes(content[:-7] if how == "short" else content[:-7] + b"changed")
    second = ingest.run(params, Work())
    assert hashlib.sha256(path.read_bytes()).hexdigest() in {one["sha256"] for one in second["derived"]}
    again = {kind for kind, at in _made_at(second).items() if at != _made_at(first)[kind]}
    assert again == {spoilt}


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"version": 1}', b"\xff\xfe"])
def test_a_damaged_manifest_costs_only_time(tmp_path: Path, content: bytes) -> None:
    params = _params(_filmed(tmp_path / "ride.mp4"), tmp_path / "media")
    ingest.run(params, Work())
    path = tmp_path / "media" / manifest_of(_key("audio-wav"))
    path.unlink()
    path.write_bytes(content)
    work = Work()
    assert [one["kind"] for one in ingest.run(params, work)["derived"]] == _INGESTED
    assert work.stages == ["Looking at the frame rate", "Taking the sound", "Storing it"]


def test_another_recording_under_the_same_key_is_never_mistaken(tmp_path: Path) -> None:
    media = tmp_path / "media"
    first = ingest.run(_params(_filmed(tmp_path / "a.mp4", seed=1), media), Work())
    second = ingest.run(_params(_filmed(tmp_path / "b.mp4", seed=2), media), Work())
    sha256 = [{one["kind"]: one["sha256"] for one in result["derived"]} for result in (first, second)]
    assert sha256[0]["audio-wav"] != sha256[1]["audio-wav"]
    assert sha256[0]["waveform"] != sha256[1]["waveform"]
    silent = write_video(tmp_path / "c.mp4", [np.full((36, 64), 90, np.uint8)] * 50, 25)
    third = ingest.run(_params(silent, media), Work())
    assert [one["kind"] for one in third["derived"]] == ["thumbnail"]
    assert not (media / _key("audio-wav")).exists()
    assert not (media / _key("waveform")).exists()


def test_a_camera_without_sound_is_no_failure(tmp_path: Path) -> None:
    silent = write_video(tmp_path / "ride.mp4", [np.full((36, 64), 90, np.uint8)] * 50, 25)
    work = Work()
    result = ingest.run(_params(silent, tmp_path / "media"), work)
    assert [one["kind"] for one in result["derived"]] == ["thumbnail"]
    assert any("has no sound" in line for line in work.lines)


def test_chapters_are_taken_in_as_one(tmp_path: Path) -> None:
    for chapter in (1, 2):
        _filmed(tmp_path / f"GX0{chapter}0001.MP4", seed=chapter)
    params = _params(tmp_path / "GX010001.MP4", tmp_path / "media")
    ingest.run(params, Work())
    assert read_wav(tmp_path / "media" / _key("audio-wav")).duration_s == pytest.approx(4.0, abs=0.05)


def test_a_phones_rate_is_told(tmp_path: Path) -> None:
    times_s = np.cumsum(np.random.default_rng(1).uniform(0.02, 0.06, 60))
    pictures = [np.full((36, 64), 90, np.uint8)] * 60
    path = write_video(tmp_path / "phone.mp4", pictures, 30, times_s=(times_s - times_s[0]).tolist())
    assert ingest.run(_params(path, tmp_path / "media"), Work())["has_variable_rate"] is True


def test_the_picture_stands_upright_and_is_small(tmp_path: Path) -> None:
    pictures = [np.full((720, 1280), 90, np.uint8)] * 10
    path = write_video(tmp_path / "ride.mp4", pictures, 25, rotation=90)
    ingest.run(_params(path, tmp_path / "media"), Work())
    with av.open(io.BytesIO((tmp_path / "media" / _key("thumbnail")).read_bytes()), format="mjpeg") as image:
        frame = next(image.decode(video=0))
    assert (frame.width, frame.height) == (640, 1138)


def test_a_file_that_breaks_off_is_taken_in_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = _filmed(tmp_path / "whole.mp4", duration_s=4.0)
    path = tmp_path / "ride.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w", options={"movflags": "+faststart"}) as target:
        streams = {s.index: target.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                target.mux(packet)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    ingest.run(_params(path, tmp_path / "media"), Work())
    assert 1.0 < read_wav(tmp_path / "media" / _key("audio-wav")).duration_s < 3.9


def test_where_the_footage_is_away_that_is_said(tmp_path: Path) -> None:
    path = _filmed(tmp_path / "ride.mp4")
    params = _params(path, tmp_path / "media")
    path.unlink()
    with pytest.raises(AwayError, match="plug in the drive"):
        ingest.run(params, Work())


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    params = _params(_filmed(tmp_path / "ride.mp4"), tmp_path / "media")
    (tmp_path / "media").write_text("a file")
    with pytest.raises(OutputError, match="media could not be written"):
        ingest.run(params, Work())


def test_p1_the_original_is_only_read(tmp_path: Path) -> None:
    path = _filmed(tmp_path / "ride.mp4")
    path.chmod(0o444)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    params = _params(path, tmp_path / "media", kinds=["proxy"])
    ingest.run(params, Work())
    transcode.run(params, Work())
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


# --- killed -------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
def test_p3_killed_at_any_stage_it_goes_on_from_there(tmp_path: Path) -> None:
    media = tmp_path / "media"
    params = _params(_filmed(tmp_path / "ride.mp4"), media)
    for stage, kept in [
        ("Taking the sound", ["thumbnail"]),
        ("Drawing the sound", ["thumbnail", "audio-wav"]),
    ]:
        code = (
            "import sys; from integration.test_ingest_task import ingest_until; ingest_until(*sys.argv[1:])"
        )
        killed = subprocess.run(
            [sys.executable, "-c", code, stage, json.dumps(params)],
            env={"PYTHONPATH": str(Path(__file__).parents[1])},
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL
        names = {kind: media / manifest_of(_key(kind)) for kind in _INGESTED}
        before = {
            kind: json.loads(path.read_text(encoding="utf-8"))["made_at"]
            for kind, path in names.items()
            if path.exists()
        }
        assert list(before) == kept
    result = ingest.run(params, Work())
    assert [one["kind"] for one in result["derived"]] == _INGESTED
    assert {kind: _made_at(result)[kind] for kind in before} == before


def test_p3_what_was_noted_but_not_put_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = _params(_filmed(tmp_path / "ride.mp4"), tmp_path / "media")
    put = FolderStorage.put

    def put_or_die(self: FolderStorage, key: str, *more: Any) -> None:
        if key == _key("audio-wav"):
            raise KeyboardInterrupt
        put(self, key, *more)

    with monkeypatch.context() as patched:
        patched.setattr(FolderStorage, "put", put_or_die)
        with pytest.raises(KeyboardInterrupt):
            ingest.run(params, Work())
    assert (tmp_path / "media" / manifest_of(_key("audio-wav"))).exists()
    assert [one["kind"] for one in ingest.run(params, Work())["derived"]] == _INGESTED
    assert read_wav(tmp_path / "media" / _key("audio-wav")).duration_s > 1.9


def test_p4_nothing_unfinished_is_left(tmp_path: Path) -> None:
    params = _params(_filmed(tmp_path / "ride.mp4"), tmp_path / "media", kinds=["proxy"])
    ingest.run(params, Work())
    transcode.run(params, Work())
    assert not list((tmp_path / "media").glob(".mtbsync-*"))


# --- transcode ----------------------------------------------------------------------------------------


def test_copies_are_made_beside_and_kept(tmp_path: Path) -> None:
    media = tmp_path / "media"
    path = _filmed(tmp_path / "ride.mp4")
    params = _params(path, media, kinds=["proxy", "mezzanine"])
    ingested = ingest.run(params, Work())
    work = Work()
    first = transcode.run(params, work)
    assert [(one["kind"], one["key"]) for one in first["derived"]] == [
        ("proxy", _key("proxy")),
        ("mezzanine", _key("mezzanine")),
    ]
    assert work.done == pytest.approx(1.0, abs=0.05)
    for one in first["derived"]:
        copy = probe(media / one["key"])
        assert copy.duration_s == pytest.approx(2.0, abs=0.05)
        assert copy.has_audio
    again = Work()
    assert transcode.run(params, again) == first
    assert again.stages == []
    # Neither task forgets what the other has made.
    assert ingest.run(params, Work()) == ingested


def test_p3_what_cannot_be_fetched_as_the_storage_is_away_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = _params(_filmed(tmp_path / "ride.mp4"), tmp_path / "media", kinds=["proxy"])
    first = transcode.run(params, Work())
    fetch = FolderStorage.fetch

    def fetch_or_break_off(self: FolderStorage, key: str, cache: Path) -> Path:
        if key == _key("proxy"):
            raise StorageAwayError("The line went dead.")
        return fetch(self, key, cache)

    again = Work()
    with monkeypatch.context() as patched:
        patched.setattr(FolderStorage, "fetch", fetch_or_break_off)
        with pytest.raises(StorageAwayError):
            transcode.run(params, again)
    assert again.stages == []
    assert transcode.run(params, Work()) == first


def test_what_two_tasks_make_of_one_camera_at_once_is_all_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = _params(_filmed(tmp_path / "ride.mp4"), tmp_path / "media", kinds=["proxy"])
    put = FolderStorage.put
    copied: list[dict[str, Any]] = []

    def put_after_the_other(self: FolderStorage, key: str, *more: Any) -> None:
        if not copied:
            copied.append({})
            copied.append(transcode.run(params, Work()))
        put(self, key, *more)

    with monkeypatch.context() as patched:
        patched.setattr(FolderStorage, "put", put_after_the_other)
        ingest.run(params, Work())
    again = Work()
    assert transcode.run(params, again) == copied[1]
    assert again.stages == []


def test_whoever_runs_a_task_is_told_where_it_works(tmp_path: Path) -> None:
    params, work = _params(_filmed(tmp_path / "ride.mp4"), tmp_path / "media", kinds=["proxy"]), Work()
    transcode.run(params, work)
    assert work.cleared.parent == tmp_path / "media"
    assert not work.cleared.exists()


def test_only_the_wanted_copies_are_made(tmp_path: Path) -> None:
    params = _params(_filmed(tmp_path / "ride.mp4"), tmp_path / "media", kinds=["proxy"])
    assert [one["kind"] for one in transcode.run(params, Work())["derived"]] == ["proxy"]
    assert not (tmp_path / "media" / _key("mezzanine")).exists()
