"""What the commands for sessions make of files that are handed in, and what they say of a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtbsync_daemon.cli import session_words as words
from mtbsync_daemon.cli.console import Console
from mtbsync_daemon.cli.session_given import first_files
from mtbsync_daemon.places import default_data
from mtbsync_engine.errors import InputError


def _camera(label: str, **more: Any) -> dict[str, Any]:
    return {
        "label": label,
        "status": "ready",
        "problem": "",
        "file_name": f"{label}.mp4",
        "recording": "r",
        "duration_s": 61.4,
        "frames_a_second": "25",
        "has_audio": True,
        "quality": {"score": 24.876, "snr_db": 29.6},
        **more,
    }


def _lies(camera: str, **more: Any) -> dict[str, Any]:
    return {
        "camera": camera,
        "offset_ms": 1500.04,
        "drift_ppm": -3.25,
        "error_ms": 0.84,
        "score": 12.34,
        "trust": "looks-good",
        "method": "hybrid",
        "reason": "The sounds agree.",
        "through": None,
        "status": "pending",
        **more,
    }


def _session(status: str, *cameras: dict[str, Any], **more: Any) -> dict[str, Any]:
    lined_up: dict[str, Any] = {"master": None, "placements": [], "problem": ""}
    return {"status": status, "cameras": list(cameras), **lined_up, **more}


_A, _B = _camera("A"), _camera("B")


@pytest.mark.parametrize(
    ("session", "step"),
    [
        (
            _session("syncing", _A, _B, problem="The drive is away; plug it in."),
            "The drive is away; plug it in. The cameras are lined up by themselves once that is put right.",
        ),
        (_session("draft"), "`mtbsync session add 'Big Race' FILE` adds its cameras."),
        (_session("draft", _A), "`mtbsync session add 'Big Race' FILE` adds another camera."),
        (
            _session("ingesting", _A, _camera("B", status="ingesting"), _camera("C", status="uploading")),
            "B is being taken in; `mtbsync session show 'Big Race'` looks again. The footage of C has not "
            "all come; `mtbsync session show 'Big Race'` looks again. Where an upload from the page broke "
            "off, drop it there once more.",
        ),
        (
            _session(
                "ingesting", _A, _camera("B", status="ingesting", problem="The drive is away; plug it in.")
            ),
            "Camera B: The drive is away; plug it in. B is being taken in; "
            "`mtbsync session show 'Big Race'` looks again.",
        ),
        (
            _session("syncing", _A, _B),
            "The cameras are being lined up; `mtbsync session show 'Big Race'` tells what came of it.",
        ),
        (
            _session("needs-review", _A, _B, master="A", placements=[_lies("B")]),
            "Look at B on the page (`mtbsync status --open`); `mtbsync session approve 'Big Race'` says that "
            "it is well so.",
        ),
        (
            _session(
                "needs-review",
                _A,
                _B,
                _camera("C"),
                master="A",
                placements=[_lies("B"), _lies("C", offset_ms=None, trust="needs-manual-nudge")],
            ),
            "Look at B on the page (`mtbsync status --open`); `mtbsync session approve 'Big Race' B` says "
            "that it is well so. Nothing tells where C lies; "
            "`mtbsync session correct 'Big Race' C --offset-ms X` says it.",
        ),
        (
            _session(
                "needs-review",
                _A,
                master="A",
                placements=[_lies(label, offset_ms=None, trust="needs-manual-nudge") for label in "BCD"],
            ),
            "Nothing tells where B, C and D lie; "
            "`mtbsync session correct 'Big Race' CAMERA --offset-ms X` says it.",
        ),
        (
            _session("needs-review", _A, _camera("B", status="failed", problem="B.mp4 is damaged.")),
            "Camera B could not be taken in: B.mp4 is damaged. Once that is put right, try again on the "
            "page; `mtbsync session remove 'Big Race' B` takes it out.",
        ),
        (
            _session("needs-review", _A, _B, problem="The disk is full."),
            "The disk is full. `mtbsync session sync 'Big Race'` tries again.",
        ),
        (_session("needs-review", _A, _B), "`mtbsync session sync 'Big Race'` lines the cameras up."),
        (
            _session("ready", _A, _B, master="A", placements=[_lies("B", status="approved")]),
            "`mtbsync session export 'Big Race' --format resolve-otio` writes it for an editor.",
        ),
    ],
)
def test_each_state_says_what_to_do_next(session: dict[str, Any], step: str) -> None:
    assert words.next_step(session, "Big Race", default_data()) == step


def test_cameras_and_where_they_lie_in_numbers() -> None:
    unknown = _lies(
        "C", offset_ms=None, drift_ppm=0.0, error_ms=None, score=0.0, method=None, trust="needs-manual-nudge"
    )
    silent = _camera("C", has_audio=False, quality=None)
    coming = _camera("D", recording=None, duration_s=0.0, frames_a_second=None, quality=None, has_audio=False)
    session = _session(
        "needs-review", _A, _B, silent, coming, master="A", placements=[_lies("B", through="C"), unknown]
    )
    assert words.camera_rows(session) == [
        ("A", "A.mp4", "1:01", "25", "30 dB", "ready"),
        ("B", "B.mp4", "1:01", "25", "30 dB", "ready"),
        ("C", "C.mp4", "1:01", "25", "none", "ready"),
        ("D", "D.mp4", "", "", "", "ready"),
    ]
    assert words.placement_rows(session) == [
        ("A", "0.0", "", "", "", "", "master"),
        ("B", "+1500.0", "-3.25", "0.8", "12.3", "looks good", "not yet"),
        ("C", "unknown", "", "", "0.0", "needs your hand", "not yet"),
    ]
    assert words.reasons(session)[0] == "B (hybrid), laid on C: The sounds agree."
    assert words.placement_rows(_session("draft", _A)) == []
    event = {"at": 0.0, "camera": "B", "what": "taken back", "offset_ms": None, "drift_ppm": None}
    assert words.history_row(event)[1:] == ("B", "taken back", "unknown", "")


def test_what_was_found_says_nothing_of_a_camera_that_a_person_has_put_elsewhere() -> None:
    put = _lies("B", method=None, trust="needs-manual-nudge", reason="It has no sound.", status="corrected")
    session = _session("ready", _A, _B, master="A", placements=[put])
    assert words.placement_rows(session)[1] == ("B", "+1500.0", "-3.25", "", "", "", "corrected")
    assert words.reasons(session) == ["B: It lies where you put it."]


def test_nothing_of_where_cameras_lie_is_cut_off_in_a_window_of_eighty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    far = {"offset_ms": -3_600_000.0, "drift_ppm": -123.45, "error_ms": 12.3, "score": 123.4}
    lies = [
        _lies("B", trust="needs-manual-nudge", **far),
        _lies("C", trust="review-suggested", **far),
        _lies("D", status="corrected", **far),
    ]
    session = _session("needs-review", _A, _B, _camera("C"), _camera("D"), master="A", placements=lies)
    console = Console(as_json=False, quiet=False)
    console.table("On the master's clock", words.PLACEMENTS, words.placement_rows(session))
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert {"needs", "hand", "worth", "corrected", "-3600000.0", "-123.45"} <= set(shown.split())


def test_what_waits_again_is_told_with_why() -> None:
    def placed(master: str, **status: str) -> dict[str, Any]:
        lies = [_lies(label, status=each) for label, each in status.items()]
        return _session("needs-review", master=master, placements=lies)

    before = placed("A", B="approved", C="corrected", D="pending")
    assert words.asked_again(before, placed("B", A="pending", C="pending", D="pending")) == (
        "They lie on the clock of B now: what you decided on C waits for you again."
    )
    assert words.asked_again(before, placed("A", B="pending", C="corrected", D="pending")) == (
        "They were found elsewhere: what you decided on B waits for you again."
    )
    assert words.asked_again(before, before) == ""


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; name the files in it"):
        first_files([tmp_path])


def test_chapters_of_one_recording_are_one_camera(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("GX020034.MP4", "phone.mov", "GX010034.MP4", "GX010035.MP4")]
    for path in paths:
        path.touch()
    assert first_files(paths) == [tmp_path / n for n in ("GX010034.MP4", "phone.mov", "GX010035.MP4")]
    with pytest.raises(InputError, match=r"There is no file .*gone\.mp4"):
        first_files([*paths, tmp_path / "gone.mp4"])
