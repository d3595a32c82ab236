"""`mtbsync resolve`, as people run it."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

from mtbsync_daemon.cli.command import run
from mtbsync_daemon.cli.resolve import app
from support.program import Outcome

MARKERS = (
    "marker_id,name,t_ref,t_new,confidence,expected_error_s,needs_review,colour,comment,reason\n"
    "m1,gate,1.0,2.0,0.95,0.1,false,red,,\n"
    "m2,drop,3.0,4.0,0.40,0.9,true,#00ff00,brake,few pictures agree\n"
    "m3,gone,5.0,,0.00,,true,,,the new run does not show it\n"
)


def resolve(*arguments: object) -> Outcome:
    """Run `mtbsync resolve` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(app, [str(argument) for argument in arguments])
    return Outcome(status, out.getvalue(), err.getvalue())


def test_install_status_and_uninstall(tmp_path: Path) -> None:
    where = ("--folder", tmp_path)
    assert "Not installed" in resolve("status", *where).out
    assert "Restart Resolve" in resolve("install", *where).out
    document = resolve("status", *where, "--json").document
    assert document["ok"] is True
    assert document["installed"] is True
    assert len(document["current"]) == 9
    Path(document["folder"], "Undo last push.py").write_text("# Written by mtbsync\n", encoding="utf-8")
    assert "Of another version" in resolve("status", *where).out
    assert len(resolve("uninstall", *where, "--json").document["removed"]) == 9
    assert resolve("uninstall", *where, "--json").document["removed"] == []


def test_lua_writes_a_script_for_the_markers_and_one_to_take_them_away(tmp_path: Path) -> None:
    markers = tmp_path / "new_markers.csv"
    markers.write_text(MARKERS, encoding="utf-8")
    outcome = resolve("lua", markers, "--fps", "25", "--folder", tmp_path, "--json")
    assert outcome.status == 0
    push, remove = (Path(path) for path in outcome.document["files"])
    assert push.parent == tmp_path / "Utility" / "mtbsync"
    assert (push.name, remove.name) == ("Push markers of new_markers.lua", "Remove mtbsync markers.lua")
    text = push.read_text(encoding="ascii")
    wanted = 'frame = 50, colour = "Red", name = "gate", note = ""'
    assert re.search(f'key = "new_markers-[0-9a-f]{{8}}/m1", {wanted}', text)
    assert 'note = "CHECK, may be 0.9 s off: brake"' in text
    assert "Not placed: 'gone' (the new run does not show it)." in outcome.err
    assert len(resolve("uninstall", "--folder", tmp_path, "--json").document["removed"]) == 2


def test_lua_without_a_rate_asks_for_one(tmp_path: Path) -> None:
    markers = tmp_path / "new_markers.csv"
    markers.write_text(MARKERS, encoding="utf-8")
    outcome = resolve("lua", markers, "--folder", tmp_path)
    assert outcome.status == 2
    assert "Say the timeline's frame rate with --fps" in outcome.err


def note_run(folder: Path, fingerprint: str | None) -> None:
    """What `sync` notes of a recording of two files; earlier versions noted no fingerprint."""
    noted = {
        "files": [str(folder / "GX010034.MP4"), str(folder / "GX020034.MP4")],
        "starts_s": [0.0, 30.03],
        "rate": "29.97",
        "duration_s": 60.06,
        "start_timecode": None,
        "width": 1920,
        "height": 1080,
        "has_audio": True,
    }
    known = {} if fingerprint is None else {"fingerprint": fingerprint}
    warp = {"new": {**noted, **known}, "reference": None}
    (folder / "timewarp.json").write_text(json.dumps(warp), encoding="utf-8")


def test_lua_takes_the_rate_and_the_file_that_sync_noted(tmp_path: Path) -> None:
    markers = tmp_path / "new_markers.csv"
    markers.write_text(MARKERS, encoding="utf-8")
    note_run(tmp_path, "d20a")
    outcome = resolve("lua", markers, "--folder", tmp_path, "--json")
    assert outcome.status == 0, outcome.err
    text = Path(outcome.document["files"][0]).read_text(encoding="ascii")
    assert "local FPS = 29.970\nlocal REACH = 30\n" in text
    assert '{ name = "GX010034.MP4", first = 0 },' in text
    assert '{ name = "GX020034.MP4", first = 900 },' in text


@pytest.mark.parametrize("fingerprints", [("d20a", "77fe"), (None, None)])
def test_lua_keeps_two_runs_of_one_name_apart(tmp_path: Path, fingerprints: tuple[str | None, ...]) -> None:
    scripts = tmp_path / "Scripts"
    pushes = []
    for day, fingerprint in zip(("monday", "tuesday", "monday", "tuesday"), fingerprints * 2, strict=True):
        folder = tmp_path / day
        folder.mkdir(exist_ok=True)
        (folder / "new_markers.csv").write_text(MARKERS, encoding="utf-8")
        note_run(folder, fingerprint)
        outcome = resolve("lua", folder / "new_markers.csv", "--folder", scripts, "--json")
        pushes.append(Path(outcome.document["files"][0]))
    assert pushes[0].name == "Push markers of GX010034.lua"
    assert re.fullmatch(r"Push markers of GX010034 \([0-9a-f]{8}\)\.lua", pushes[1].name)
    # Writing them again changes neither name.
    assert pushes[2:] == pushes[:2]
    runs = [re.findall(r'local (?:RUN|TITLE) = "(.*)"', path.read_text(encoding="ascii")) for path in pushes]
    assert [title for title, _ in runs] == [path.stem for path in pushes]
    assert runs[0][1] != runs[1][1]
    assert runs[2:] == runs[:2]
    # A run keeps its title when its namesake's script is gone, so that it never has two scripts.
    pushes[0].unlink()
    outcome = resolve("lua", tmp_path / "tuesday" / "new_markers.csv", "--folder", scripts, "--json")
    assert Path(outcome.document["files"][0]) == pushes[1]


def test_lua_knows_a_run_by_its_content_wherever_it_lies(tmp_path: Path) -> None:
    scripts = tmp_path / "Scripts"
    for place in ("card", "disk"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "new_markers.csv").write_text(MARKERS, encoding="utf-8")
        note_run(tmp_path / place, "d20a")
        assert resolve("lua", tmp_path / place / "new_markers.csv", "--folder", scripts).status == 0
    names = {path.name for path in (scripts / "Utility" / "mtbsync").iterdir()}
    assert names == {"Push markers of GX010034.lua", "Remove mtbsync markers.lua"}


def test_lua_leaves_somebody_else_s_scripts_alone(tmp_path: Path) -> None:
    markers, folder = tmp_path / "new_markers.csv", tmp_path / "Utility" / "mtbsync"
    markers.write_text(MARKERS, encoding="utf-8")
    folder.mkdir(parents=True)
    own = [folder / "Push markers of new_markers.lua", folder / "Remove mtbsync markers.lua"]
    own[0].write_text("print('mine')", encoding="utf-8")
    outcome = resolve("lua", markers, "--fps", "25", "--folder", tmp_path, "--json")
    push = Path(outcome.document["files"][0])
    assert push.exists()
    assert push not in own
    own[1].write_text("print('mine')", encoding="utf-8")
    outcome = resolve("lua", markers, "--fps", "25", "--folder", tmp_path)
    assert outcome.status == 1
    assert "is not mtbsync's; move it elsewhere" in outcome.err
    assert [path.read_text(encoding="utf-8") for path in own] == ["print('mine')"] * 2


@pytest.mark.parametrize("command", ["install", "status", "uninstall"])
def test_a_folder_that_is_a_file_gets_a_sentence(tmp_path: Path, command: str) -> None:
    file = tmp_path / "Scripts"
    file.write_text("", encoding="utf-8")
    outcome = resolve(command, "--folder", file)
    assert "Traceback" not in outcome.err
    assert outcome.status == (1 if command == "install" else 0)
