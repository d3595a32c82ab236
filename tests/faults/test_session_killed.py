"""P3: the daemon is killed while a session comes in, and nothing of it is lost, doubled or left half made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from support.daemons import Daemon
from support.sounds import event_sound, piece, write_video_with_sound

RATE_HZ = 16_000
# Where each camera begins in what all of them hear, in seconds.
BEGINS_S = {"a": 0.0, "b": 3.25, "c": 1.5}


def has(pattern: str) -> Callable[[Path], bool]:
    """Whether there is such a file below the media."""
    return lambda media: any(media.glob(f"projects/*/*/{pattern}"))


@pytest.mark.parametrize(
    "reached",
    [
        pytest.param(has("manifests/*"), id="the first sound was made"),
        pytest.param(
            has("thumbnails/angle-002*"), id="the second camera is nearly done", marks=pytest.mark.long
        ),
        pytest.param(has("proxys/*"), id="the first copy was made", marks=pytest.mark.long),
    ],
)
def test_p3_killed_while_cameras_come_in_the_same_comes_out(
    tmp_path: Path, reached: Callable[[Path], bool]
) -> None:
    world = event_sound(7, 30.0, RATE_HZ)
    daemon = Daemon(tmp_path, f"roots = ['{tmp_path.as_posix()}']\n")
    daemon.start()
    session = daemon.ask("POST", "/sessions", {"title": "Race day"})["id"]
    for name, begin_s in BEGINS_S.items():
        heard = piece(world, begin_s, 25.0, RATE_HZ)
        write_video_with_sound(tmp_path / f"{name}.mp4", heard, RATE_HZ)
        daemon.ask("POST", f"/sessions/{session}/cameras", {"path": str(tmp_path / f"{name}.mp4")})
    media = daemon.data / "media"
    daemon.until(lambda: reached(media))
    children = daemon.kill()
    daemon.until(lambda: not any(child.is_running() for child in children))
    daemon.start()
    daemon.until_idle()

    found = daemon.ask("GET", f"/sessions/{session}")
    assert [camera["status"] for camera in found["cameras"]] == ["ready"] * 3
    begins_ms = {c["label"]: 1000 * BEGINS_S[Path(c["file_name"]).stem] for c in found["cameras"]}
    for placement in found["placements"]:
        true_ms = begins_ms[placement["camera"]] - begins_ms[found["master"]]
        assert placement["offset_ms"] == pytest.approx(true_ms, abs=2)
    kept = {path: path.read_bytes() for path in media.glob("projects/*/*/*/*") if path.is_file()}
    for camera in found["cameras"]:
        kinds = [made["kind"] for made in camera["derived"]]
        assert sorted(kinds) == ["audio-wav", "proxy", "thumbnail", "waveform"]
        for made in camera["derived"]:
            assert hashlib.sha256(kept[media / made["key"]]).hexdigest() == made["sha256"]
    assert not [path for path in media.rglob("*") if ".tmp" in path.name or ".mtbsync-" in path.name]
    daemon.stop()
