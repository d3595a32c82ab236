"""P10: whatever is wrong, one clear sentence, a status that is not 0, and nothing written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest

from support.daemons import PATIENCE_S, gone
from support.program import PROGRAM, Outcome, listing, mtbsync, mtbsync_process, state
from support.rides import RATE, Rides
from support.videos import write_video

if sys.platform != "win32":
    import pty
    import resource

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals, limits or permissions")


@pytest.fixture(autouse=True)
def _p1_originals_are_never_written(rides: Rides) -> Iterator[None]:
    before = state(rides.folder)
    yield
    assert state(rides.folder) == before


@pytest.fixture
def refused(rides: Rides, synced: Path, broken: Path, tmp_path: Path) -> Callable[..., str]:
    """Run a command line that has to fail, and return the one sentence that it gives."""
    folders = (tmp_path, rides.folder, synced, broken)

    def run(*arguments: object, status: int = 1) -> str:
        before = listing(*folders)
        outcome = mtbsync(*arguments)
        assert (outcome.status, outcome.out) == (status, ""), outcome
        assert listing(*folders) == before
        return _sentence(outcome)

    return run


def _sentence(outcome: Outcome) -> str:
    lines = outcome.err.splitlines()
    assert len(lines) == 1, outcome.err
    assert lines[0].endswith((".", "?"))
    assert lines[0][0].strip()
    assert "Traceback" not in lines[0]
    assert "  " not in lines[0]
    return lines[0]


# --- videos -----------------------------------------------------------------------------------------

VIDEOS = {
    "missing.mp4": "does not exist; check the name",
    "folder.mp4": "is a folder; name a video file in it.",
    "empty.mp4": "is empty (0 bytes); copy it again from the card.",
    "text.mp4": "is not a video that can be read",
    "no_table_of_contents.mp4": "breaks off before its table of contents",
    "half.mp4": "breaks off at",
    "audio.mp4": "holds no video",
    "one_picture.mp4": "holds fewer than two pictures",
    "short.mp4": "is too short to line up",
    "black.mp4": "shows one flat colour from beginning to end",
    "smooth.mp4": "has no detail that could be recognised",
}


@pytest.fixture(scope="session")
def broken(rides: Rides, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every kind of video that cannot be used, but `missing.mp4`."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "folder.mp4").mkdir()
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("drop in at the big root\n" * 200, encoding="utf-8")
    whole = rides.new.read_bytes()
    assert whole.index(b"moov") > len(whole) // 2
    (folder / "no_table_of_contents.mp4").write_bytes(whole[: len(whole) // 2])
    noise = np.random.default_rng(0).integers(0, 256, (80, 90, 160), dtype=np.uint8)
    streamed = write_video(folder / "half.mp4", noise, RATE, options={"movflags": "faststart"})
    cut = streamed.read_bytes()
    assert cut.index(b"moov") < cut.index(b"mdat")
    streamed.write_bytes(cut[: len(cut) // 2])
    with av.open(str(folder / "audio.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.rate = 48000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    write_video(folder / "one_picture.mp4", noise[:1], RATE)
    write_video(folder / "short.mp4", noise[:6], RATE)
    write_video(folder / "black.mp4", np.zeros((40, 180, 320), np.uint8), RATE)
    ramp = np.tile(np.linspace(90, 160, 320).astype(np.uint8), (180, 1))
    write_video(folder / "smooth.mp4", [ramp] * 40, RATE)
    return folder


@pytest.mark.parametrize("name", VIDEOS)
def test_a_video_that_cannot_be_used(
    rides: Rides, synced: Path, broken: Path, tmp_path: Path, refused: Callable[..., str], name: str
) -> None:
    bad, out = broken / name, tmp_path / "new folder" / "out"
    for arguments in (
        ("sync", "-r", rides.ref, "-n", bad, "--index", synced / "ref_index.npz", "-o", out),
        ("sync", "-r", bad, "-n", rides.new, "-o", out),
        ("index", "--reference", bad, "-o", out / "index.npz"),
        ("batch", rides.folder, "-r", bad, "-o", out),
    ):
        sentence = refused(*arguments)
        assert VIDEOS[name] in sentence
        assert name in sentence


def test_a_batch_says_of_each_bad_run_what_is_wrong_with_it(
    rides: Rides, broken: Path, tmp_path: Path
) -> None:
    runs, out = tmp_path / "runs", tmp_path / "out"
    runs.mkdir()
    for name in ("half.mp4", "audio.mp4"):
        shutil.copy(broken / name, runs)
    shutil.copy(rides.new, runs / "lost.mp4")
    (runs / "lost.gpx").write_text("<gpx/>", encoding="utf-8")
    before = state(runs)
    outcome = mtbsync_process(
        "batch", runs, "-r", rides.ref, "-o", out, "--jobs", 2, "--threads", 1, "--json"
    )
    assert outcome.status == 1
    rows = {row["run"]: row for row in outcome.document["runs"]}
    assert {row["status"] for row in rows.values()} == {"failed"}
    assert VIDEOS["half.mp4"] in rows["half.mp4"]["note"]
    assert VIDEOS["audio.mp4"] in rows["audio.mp4"]["note"]
    assert "'lost.gpx' has no track points" in rows["lost.mp4"]["note"]
    assert outcome.err.splitlines() == [f"{row['run']}: {row['note']}" for row in rows.values()]
    assert {path.name for path in out.iterdir()} == {"ref_index.npz", "batch_summary.csv"}
    assert state(runs) == before


def test_a_folder_without_runs(rides: Rides, tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "notes.txt").touch()
    for folder, words in (
        (tmp_path, "There is no video in"),
        (tmp_path / "no", "cannot be read as a folder"),
    ):
        assert words in refused("batch", folder, "-r", rides.ref, "-o", tmp_path / "out")


# --- tracks -----------------------------------------------------------------------------------------

_POINT = '<trkpt lat="46" lon="7"></trkpt>'
TRACKS = {
    "missing": (None, "There is no GPX file"),
    "empty": ("", "is not a GPX file that can be read"),
    "not XML": ("name,t_ref\nDrop,1\n", "is not a GPX file that can be read"),
    "cut off": ("<gpx><trk><trkseg>" + _POINT, "is not a GPX file that can be read"),
    "no points": ("<gpx></gpx>", "has no track points"),
    "no times": (f"<gpx><trk><trkseg>{_POINT * 3}</trkseg></trk></gpx>", "have no times"),
}


@pytest.mark.parametrize("kind", TRACKS)
def test_a_track_that_cannot_be_used(
    rides: Rides, tmp_path: Path, refused: Callable[..., str], kind: str
) -> None:
    text, words = TRACKS[kind]
    track = tmp_path / "track.gpx"
    if text is not None:
        track.write_text(text, encoding="utf-8")
    for arguments in (
        ("sync", "-n", rides.new, "--new-gpx", track),
        ("sync", "-n", rides.new, "--ref-gpx", track, "--new-gpx", rides.new_gpx),
        ("batch", rides.folder, "--ref-gpx", track),
    ):
        sentence = refused(*arguments, "-r", rides.ref, "-o", tmp_path / "out")
        assert words in sentence
        assert "track.gpx" in sentence


# --- markers ----------------------------------------------------------------------------------------

MARKERS = {
    "missing": (None, "There is no file"),
    "empty": (b"", "is empty"),
    "no time column": (b"name,colour\nDrop,red\n", "has no column t_ref"),
    "no name column": (b"t_ref\n1\n", "has no column name"),
    "not UTF-8": ("name,t_ref\nTröte,1\n".encode("latin-1"), "is not UTF-8 text"),
    "not a number": (b"name,t_ref\nDrop,soon\n", "line 2: 'soon' in column t_ref is not a number from 0 up."),
    "not finite": (b"name,t_ref\nDrop,nan\n", "line 2: 'nan' in column t_ref"),
    "infinite": (b"name,t_ref\nDrop,inf\n", "line 2: 'inf' in column t_ref"),
    "negative": (b"name,t_ref\nDrop,-1\n", "line 2: '-1' in column t_ref"),
    "out of order": (b"name,t_ref\nB,2\nA,1\n", "line 3: 'A' comes before the marker above it"),
    "doubled ids": (b"marker_id,name,t_ref\nm,A,1\nm,B,2\n", "the id 'm' is taken"),
    "a field too many": (b"name,t_ref\nDrop, big,1\n", "3 fields where the header has 2"),
    "an open quote": (b'name,t_ref\n"Drop,1\n', "not readable as CSV"),
    "no such timecode": (b"name,t_ref\nDrop,00:00:01:99\n", "does not exist at"),
    "a line break in a cell": (b'name,t_ref\nDrop,"so\non"\n', "'so on' in column t_ref"),
}


@pytest.mark.parametrize("kind", MARKERS)
def test_markers_that_cannot_be_used(
    rides: Rides, synced: Path, tmp_path: Path, refused: Callable[..., str], kind: str
) -> None:
    content, words = MARKERS[kind]
    markers, timewarp = tmp_path / "markers.csv", synced / "timewarp.json"
    if content is not None:
        markers.write_bytes(content)
    for arguments in (
        ("sync", "-r", rides.ref, "-n", rides.new, "-m", markers, "-o", tmp_path / "out"),
        ("batch", rides.folder, "-r", rides.ref, "-m", markers, "-o", tmp_path / "out"),
        ("transfer", "--ref-markers", markers, "--warp", synced / "warp.npz", "-o", tmp_path / "out.csv"),
        ("viewer", "--timewarp-json", timewarp, "--ref-markers", markers, "--out-png", tmp_path / "x.png"),
    ):
        sentence = refused(*arguments)
        assert words in sentence
        assert "markers.csv" in sentence


NEW_MARKERS = {
    "missing": (None, "There is no file"),
    "empty": (b"\n\n", "is empty"),
    "no time column": (b"name,t_ref\nDrop,1\n", "has no column t_new"),
    "not UTF-8": ("name,t_ref,t_new\nTröte,1,1\n".encode("latin-1"), "is not UTF-8 text"),
    "not finite": (b"name,t_ref,t_new\nDrop,1,inf\n", "'inf' in column t_new"),
    "negative": (b"name,t_ref,t_new\nDrop,1,-1\n", "'-1' in column t_new"),
    "doubled ids": (b"marker_id,name,t_ref,t_new\nm,A,1,1\nm,B,2,2\n", "the id 'm' is taken"),
    "an impossible confidence": (b"name,t_ref,t_new,confidence\nA,1,1,7\n", "lies between 0 and 1"),
    "neither yes nor no": (b"name,t_ref,t_new,needs_review\nA,1,1,perhaps\n", "neither true nor false"),
}


@pytest.mark.parametrize("kind", NEW_MARKERS)
def test_carried_markers_that_cannot_be_used(
    rides: Rides, synced: Path, tmp_path: Path, refused: Callable[..., str], kind: str
) -> None:
    content, words = NEW_MARKERS[kind]
    markers, timewarp = tmp_path / "new_markers.csv", synced / "timewarp.json"
    if content is not None:
        markers.write_bytes(content)
    for arguments in (
        ("export-markers", markers, "--preset", "resolve-edl", "--fps", "25"),
        ("export", "edl", "--markers", markers, "--fps", "25"),
        ("export", "csv", "--markers", markers, "--out", tmp_path / "copy.csv"),
        ("viewer", "--timewarp-json", timewarp, "--new-markers", markers, "--out-png", tmp_path / "x.png"),
        ("evaluate", "--timewarp-json", timewarp, "--truth", rides.truth, "--markers", markers),
    ):
        sentence = refused(*arguments)
        assert words in sentence
        assert "new_markers.csv" in sentence


# --- what an earlier step left ------------------------------------------------------------------------

_PAIRS = "t_new,t_ref,confidence\n"
PAIRS = {
    "missing": None,
    "empty": b"",
    "only a header": _PAIRS.encode(),
    "no column": b"t_new,t_ref\n" + b"".join(b"%d,%d\n" % (k, k) for k in range(9)),
    "not UTF-8": b"t_new,t_ref,confidence\n\xff\xfe,1,1\n",
    "not a number": (_PAIRS + "1,1,high\n").encode(),
    "not finite": (_PAIRS + "".join(f"{k},nan,1\n" for k in range(9))).encode(),
    "negative": (_PAIRS + "".join(f"{k - 20},{k - 20},0.9\n" for k in range(9))).encode(),
    "twice the same moment": (_PAIRS + "1,1,0.9\n" * 9).encode(),
    "backwards": (_PAIRS + "".join(f"{9 - k},{9 - k},0.9\n" for k in range(9))).encode(),
    "cut off": (_PAIRS + "".join(f"{k},{k},0.9\n" for k in range(9)) + "9,").encode(),
    "errors of nothing": b"t_new,t_ref,confidence,se_s\n"
    + b"".join(b"%d,%d,1,0\n" % (k, k) for k in range(9)),
    "negative errors": b"t_new,t_ref,confidence,se_s\n"
    + b"".join(b"%d,%d,1,-1\n" % (k, k) for k in range(9)),
    "no stretch": b"t_new,t_ref,confidence,stretch\n" + b"".join(b"%d,%d,1,nan\n" % (k, k) for k in range(9)),
}


@pytest.mark.parametrize("model", ["curve", "affine"])
@pytest.mark.parametrize("kind", PAIRS)
def test_pairs_that_cannot_be_used(
    tmp_path: Path, refused: Callable[..., str], kind: str, model: str
) -> None:
    pairs = tmp_path / "pairs.csv"
    content = PAIRS[kind]
    if content is not None:
        pairs.write_bytes(content)
    sentence = refused("warp", "--pairs", pairs, "-o", tmp_path / "warp.npz", "--model", model)
    assert "pairs.csv" in sentence


@pytest.mark.parametrize("model", ["curve", "affine"])
def test_too_few_pairs_are_rejected(tmp_path: Path, refused: Callable[..., str], model: str) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(_PAIRS + "1,1,0.9\n2,2,0.9\n", encoding="utf-8")
    arguments = ("warp", "--pairs", pairs, "-o", tmp_path / "warp.npz", "--model", model)
    assert refused(*arguments, status=3).startswith("Only 2 moments of the two runs match")


def _damage_timewarp(good: bytes) -> dict[str, bytes | None]:
    document = json.loads(good)
    knots = document["knots"]
    return {
        "missing": None,
        "empty": b"",
        "not JSON": good[: len(good) // 2],
        "not UTF-8": b"\xff" + good,
        "a list": b"[]",
        "no knots": json.dumps({**document, "knots": {}}).encode(),
        "falling knots": json.dumps({**document, "knots": {**knots, "t_ref": knots["t_ref"][::-1]}}).encode(),
        "knots that are no numbers": json.dumps({**document, "knots": {**knots, "t_ref": "x"}}).encode(),
        "knots that are not finite": good.replace(b'"se_s": [', b'"se_s": [NaN,').replace(
            b'"t_new": [', b'"t_new": [1,'
        ),
        "a newer version": json.dumps({**document, "format_version": 99}).encode(),
    }


@pytest.mark.parametrize("kind", sorted(_damage_timewarp(b'{"knots": {"t_ref": []}}')))
def test_a_damaged_timewarp_json(
    rides: Rides, synced: Path, tmp_path: Path, refused: Callable[..., str], kind: str
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(synced, folder)
    timewarp = folder / "timewarp.json"
    content = _damage_timewarp(timewarp.read_bytes())[kind]
    timewarp.unlink()
    if content is not None:
        timewarp.write_bytes(content)
    for arguments in (
        ("transfer", "--ref-markers", rides.markers, "--timewarp-json", timewarp, "-o", tmp_path / "new.csv"),
        ("plot", folder),
        ("viewer", "--timewarp-json", timewarp, "--out-png", tmp_path / "x.png"),
        ("evaluate", "--timewarp-json", timewarp, "--truth", rides.truth),
    ):
        assert "timewarp.json" in refused(*arguments)


def _damage_npz(path: Path, kind: str) -> None:
    good = path.read_bytes()
    path.unlink()
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("not an archive\n", encoding="utf-8")
    elif kind == "cut off":
        path.write_bytes(good[: len(good) // 2])
    elif kind == "altered":
        middle = len(good) // 2
        path.write_bytes(
            good[:middle] + bytes(b ^ 0xFF for b in good[middle : middle + 64]) + good[middle + 64 :]
        )
    elif kind == "another archive":
        np.savez(path, x=np.zeros(3))
    elif kind == "an array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "objects":
        np.savez(path, about=np.array([{}], dtype=object))
    elif kind == "a folder":
        path.mkdir()


NPZ_DAMAGE = [
    "missing",
    "empty",
    "text",
    "cut off",
    "altered",
    "another archive",
    "an array",
    "objects",
    "a folder",
]


@pytest.mark.parametrize("kind", NPZ_DAMAGE)
def test_a_damaged_index_or_map(
    rides: Rides, synced: Path, tmp_path: Path, refused: Callable[..., str], kind: str
) -> None:
    index, warp = (Path(shutil.copy(synced / name, tmp_path)) for name in ("ref_index.npz", "warp.npz"))
    _damage_npz(index, kind)
    _damage_npz(warp, kind)
    arguments = ("sync", "-r", rides.ref, "-n", rides.new, "--index", index, "-o", tmp_path / "out")
    assert "ref_index.npz" in refused(*arguments)
    arguments = ("transfer", "--ref-markers", rides.markers, "--warp", warp, "-o", tmp_path / "new.csv")
    assert "warp.npz" in refused(*arguments)


@pytest.mark.parametrize("name", ["likeness.npz", "pairs_raw.csv"])
@pytest.mark.parametrize("kind", ["missing", "empty", "text", "cut off", "altered", "a folder"])
def test_plot_of_damaged_results(
    synced: Path, tmp_path: Path, refused: Callable[..., str], name: str, kind: str
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(synced, folder)
    if (name, kind) == ("pairs_raw.csv", "cut off"):
        (folder / name).write_text((folder / name).read_text(encoding="utf-8")[:-12], encoding="utf-8")
    else:
        _damage_npz(folder / name, kind)
    assert name in refused("plot", folder)


def test_a_damaged_index_that_sync_made_itself_is_made_again(
    rides: Rides, synced: Path, tmp_path: Path
) -> None:
    for name in ("ref_index.npz", "new_index.npz"):
        (tmp_path / name).write_bytes((synced / name).read_bytes()[:1000])
    assert mtbsync("sync", "-r", rides.ref, "-n", rides.new, "-m", rides.markers, "-o", tmp_path).status == 0
    assert (tmp_path / "new_markers.csv").read_bytes() == (synced / "new_markers.csv").read_bytes()


def test_an_index_of_another_video_or_with_other_settings(
    rides: Rides, synced: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    arguments = ("sync", "-r", rides.ref, "-n", rides.new, "-o", tmp_path / "out")
    assert "is the index of another video" in refused(*arguments, "--index", synced / "new_index.npz")
    sentence = refused(*arguments, "--index", synced / "ref_index.npz", "--n-features", "500")
    assert "was made with another --n-features or --no-clahe" in sentence


@pytest.mark.parametrize(
    "content",
    [None, b"", b"t_new\n1\n2\n", b"t_new,t_ref\n1,1\n", b"t_new,t_ref\n1,nan\n2,2\n", b"\xff\xfe"],
    ids=["missing", "empty", "no column", "one row", "not finite", "not UTF-8"],
)
def test_a_truth_that_cannot_be_used(
    synced: Path, tmp_path: Path, refused: Callable[..., str], content: bytes | None
) -> None:
    truth = tmp_path / "truth.csv"
    if content is not None:
        truth.write_bytes(content)
    assert "truth.csv" in refused("evaluate", "--timewarp-json", synced / "timewarp.json", "--truth", truth)


# --- formats, rates, timecode -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--preset", "drt"), "There is no format called 'drt'; mtbsync knows avid, csv, edl,"),
        (("--preset", "edl", "--fps", "fast"), "'fast' is not a frame rate; write 25, 29.97 or 30000/1001."),
        (("--preset", "edl", "--fps", "0"), "A frame rate lies above 0"),
        (("--preset", "edl", "--fps", "1/0"), "'1/0' is not a frame rate"),
        (("--preset", "edl", "--fps", "25", "--drop-frame"), "Drop-frame timecode exists at 29.97"),
        (
            ("--preset", "edl", "--fps", "25", "--start-tc", "01:00:00;00"),
            "Drop-frame timecode exists at 29.97",
        ),
        (("--preset", "edl", "--start-tc", "an hour"), "'an hour' is not a timecode; write HH:MM:SS:FF"),
        (("--preset", "edl", "--fps", "25", "--start-tc", "01:00:00:25"), "does not exist at 25"),
        (
            ("--preset", "edl", "--fps", "29.97", "--start-tc", "01:00:00;00", "--non-drop-frame"),
            "is written as drop-frame, but non-drop timecode is wanted here.",
        ),
        (
            ("--preset", "edl", "--fps", "29.97", "--start-tc", "01:01:00;00"),
            "that drop-frame timecode skips.",
        ),
    ],
)
def test_a_format_rate_or_timecode_that_does_not_exist(
    synced: Path, refused: Callable[..., str], options: tuple[str, ...], words: str
) -> None:
    assert words in refused("export-markers", synced / "new_markers.csv", *options)


def test_markers_from_elsewhere_need_a_frame_rate(
    synced: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    markers = shutil.copy(synced / "new_markers.csv", tmp_path)
    sentence = refused("export-markers", markers, "--preset", "edl", status=2)
    assert sentence.startswith("Say the timeline's frame rate with --fps;")


@pytest.mark.parametrize("text", ["{", "[]", '{"new": {"rate": "fast"}}', '{"new": {"files": []}}'])
def test_damaged_notes_beside_the_markers(
    synced: Path, tmp_path: Path, refused: Callable[..., str], text: str
) -> None:
    markers = shutil.copy(synced / "new_markers.csv", tmp_path)
    (tmp_path / "timewarp.json").write_text(text, encoding="utf-8")
    sentence = refused("export-markers", markers, "--preset", "edl", "--fps", "25")
    assert "timewarp.json is damaged" in sentence


# --- where results go ----------------------------------------------------------------------------------


def _writers(rides: Rides, synced: Path) -> dict[str, tuple[object, ...]]:
    """A good command line of each command that writes, up to the name of what it writes."""
    markers = synced / "new_markers.csv"
    return {
        "sync": ("sync", "-r", rides.ref, "-n", rides.new, "--index", synced / "ref_index.npz", "-o"),
        "batch": ("batch", rides.folder, "-r", rides.ref, "-o"),
        "index": ("index", "--reference", rides.ref, "-o"),
        "warp": ("warp", "--pairs", synced / "pairs.csv", "-o"),
        "transfer": ("transfer", "--ref-markers", rides.markers, "--warp", synced / "warp.npz", "-o"),
        "export-markers": ("export-markers", markers, "--preset", "resolve-edl", "-o"),
        "export csv": ("export", "csv", "--markers", markers, "-o"),
        "plot": ("plot", synced, "-o"),
        "viewer": ("viewer", "--timewarp-json", synced / "timewarp.json", "--out-png"),
    }


WRITERS = sorted(_writers(Rides(Path()), Path()))


@pytest.mark.parametrize("command", WRITERS)
def test_a_place_where_nothing_can_be_written(
    rides: Rides, synced: Path, tmp_path: Path, refused: Callable[..., str], command: str
) -> None:
    arguments = _writers(rides, synced)[command]
    taken = tmp_path / "taken"
    taken.touch()
    assert "is a file, not a folder" in refused(*arguments, taken / "deeper" / "result")
    assert "Nothing can be written to" in refused(*arguments, tmp_path / ("x" * 300) / "result")
    if sys.platform == "linux":
        assert "Nothing can be written to" in refused(*arguments, Path("/proc/mtbsync/result"))


@pytest.mark.parametrize("command", [c for c in WRITERS if c not in ("sync", "batch")])
def test_a_file_cannot_take_a_folder_s_name_or_a_recording_s(
    rides: Rides, synced: Path, tmp_path: Path, refused: Callable[..., str], command: str
) -> None:
    arguments = _writers(rides, synced)[command]
    assert "is a folder; name a file in it with --out." in refused(*arguments, tmp_path)
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe")
        assert "is a device or a pipe; name a file with --out." in refused(*arguments, tmp_path / "pipe")
    for name in (rides.new, tmp_path / "ride.MOV", tmp_path / "ride.gpx"):
        assert "is named like a recording, which mtbsync never writes" in refused(*arguments, name)


def test_a_file_cannot_be_the_folder_for_results(
    rides: Rides, synced: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    (tmp_path / "taken").touch()
    for command in ("sync", "batch"):
        assert "is a file, not a folder" in refused(*_writers(rides, synced)[command], tmp_path / "taken")


@pytest.mark.parametrize(
    "arguments",
    [
        ("warp", "--pairs", "pairs.csv", "-o", "pairs.csv"),
        ("transfer", "--ref-markers", "marks.csv", "--warp", "warp.npz", "-o", "marks.csv"),
        ("transfer", "--ref-markers", "marks.csv", "--warp", "warp.npz", "-o", "warp.npz"),
        ("export-markers", "new_markers.csv", "--preset", "csv", "-o", "../out/new_markers.csv"),
        ("export-markers", "new_markers.csv", "--preset", "edl", "-o", "new_markers.csv"),
        ("plot", ".", "-o", "timewarp.json"),
        ("viewer", "--timewarp-json", "timewarp.json", "--out-png", "timewarp.json"),
        ("sync", "-m", "new_markers.csv", "-o", "."),
        ("sync", "-m", "marks.csv", "-o", "marks.csv"),
        ("sync", "--index", "new_index.npz", "-o", "."),
        ("batch", "runs", "-m", "batch_summary.csv", "-o", "."),
    ],
    ids=" ".join,
)
def test_what_is_read_is_never_written_over(
    rides: Rides,
    synced: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refused: Callable[..., str],
    arguments: tuple[str, ...],
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(synced, folder)
    for name in ("marks.csv", "batch_summary.csv"):
        shutil.copy(rides.markers, folder / name)
    (folder / "runs").mkdir()
    shutil.copy(rides.new, folder / "runs")
    monkeypatch.chdir(folder)
    before = state(folder)
    videos = ("-r", rides.ref, "-n", rides.new) if arguments[0] == "sync" else ()
    videos = ("-r", rides.ref) if arguments[0] == "batch" else videos
    assert "is one of the files that are read; choose another name with --out." in refused(
        *arguments, *videos
    )
    assert state(folder) == before


def test_pairs_cannot_take_another_result_s_name(
    rides: Rides, tmp_path: Path, refused: Callable[..., str]
) -> None:
    arguments = ("sync", "-r", rides.ref, "-n", rides.new, "-o", tmp_path / "new_markers.csv")
    assert "new_markers.csv is what another result is called" in refused(*arguments)


def _as_nobody() -> dict[str, Any]:
    """Run as a user whom permissions hold back; the superuser is not."""
    return {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can reach; pytest's own are private."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@posix_only
def test_p1_inputs_that_may_only_be_read_are_enough(rides: Rides, synced: Path, open_folder: Path) -> None:
    inputs = shutil.copytree(rides.folder, open_folder / "inputs")
    shutil.copy(synced / "ref_index.npz", inputs)
    for path in inputs.iterdir():
        path.chmod(0o444)
    inputs.chmod(0o555)
    before = state(inputs)
    outcome = mtbsync_process(
        *("sync", "-r", inputs / "ref.mp4", "-n", inputs / "new.mp4", "--index", inputs / "ref_index.npz"),
        *("-m", inputs / "markers.csv", "--new-gpx", inputs / "new.gpx", "-o", open_folder / "out"),
        **_as_nobody(),
    )
    assert outcome.status == 0, outcome.err
    assert state(inputs) == before
    inputs.chmod(0o755)


@posix_only
def test_a_folder_or_a_video_that_permissions_close(rides: Rides, open_folder: Path) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o555)
    secret = Path(shutil.copy(rides.new, open_folder / "secret.mp4"))
    secret.chmod(0)
    video = shutil.copy(rides.new, open_folder / "open.mp4")
    before = listing(open_folder)
    for reference, out, status, words in (
        (video, closed / "x" / "i.npz", 1, "Nothing can be written to"),
        (secret, open_folder / "i.npz", 2, "is not readable."),
    ):
        outcome = mtbsync_process(
            "index", "--reference", reference, "-o", out, cwd=open_folder, **_as_nobody()
        )
        assert (outcome.status, words in _sentence(outcome)) == (status, True)
        assert listing(open_folder) == before


@posix_only
def test_a_full_disk_leaves_what_was_there_and_nothing_new(
    rides: Rides, synced: Path, tmp_path: Path
) -> None:
    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    older = tmp_path / "older"
    shutil.copytree(synced, older)
    (older / "new_index.npz").unlink()
    before = listing(tmp_path), state(older)
    index = ("--index", synced / "ref_index.npz", "--no-refine")
    for arguments in (
        ("index", "--reference", rides.ref, "-o", tmp_path / "a" / "b" / "index.npz"),
        ("sync", "-r", rides.ref, "-n", rides.new, *index, "-o", older),
        ("batch", rides.folder, "-r", rides.ref, "-o", tmp_path / "c"),
    ):
        outcome = mtbsync_process(*arguments, preexec_fn=no_large_files)
        assert (outcome.status, outcome.out) == (1, "")
        assert _sentence(outcome).endswith("could not be written: File too large.")
        assert (listing(tmp_path), state(older)) == before


# --- killed and interrupted ------------------------------------------------------------------------------


class _Running:
    """A process whose progress bar is watched through a terminal, to end it in the middle of its work."""

    def __init__(self, *arguments: object, cwd: Path) -> None:
        self._terminal, behind = pty.openpty()
        # Whoever runs tests in the background has Ctrl-C ignored, and children inherit that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.process = subprocess.Popen(
            [PROGRAM, *map(str, arguments)],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=behind,
            encoding="utf-8",
            start_new_session=True,
        )
        signal.signal(signal.SIGINT, before)
        os.close(behind)
        self.err = ""

    def wait_for(self, words: str) -> None:
        while words not in self.err:
            self.err += os.read(self._terminal, 4096).decode(errors="replace")

    def end(self, number: int) -> int:
        """Send a signal to all that a terminal's Ctrl-C reaches; the exit status."""
        os.killpg(self.process.pid, number)
        status = self.process.wait(timeout=PATIENCE_S)
        while True:
            try:
                read = os.read(self._terminal, 4096).decode(errors="replace")
            except OSError:
                break
            if not read:
                break
            self.err += read
        os.close(self._terminal)
        return status


@posix_only
def test_ctrl_c_removes_what_was_not_finished(rides: Rides, tmp_path: Path) -> None:
    slow = ("-r", rides.ref, "-o", tmp_path / "a" / "out", "--fps", "10", "--threads", "1")
    for arguments in (
        ("index", *slow[:3], tmp_path / "a" / "i.npz", *slow[4:]),
        ("sync", "-n", rides.new, *slow),
    ):
        running = _Running(*arguments, cwd=tmp_path)
        running.wait_for("Looking at ref.mp4")
        assert running.end(signal.SIGINT) == 130
        assert running.process.stdout is not None
        assert running.process.stdout.read() == ""
        running.process.stdout.close()
        assert "Interrupted; what was not finished has been removed." in running.err
        assert "Traceback" not in running.err
        assert listing(tmp_path) == []


@posix_only
@pytest.mark.parametrize("wait_s", [0.0, 1.0], ids=["as they begin", "as they work"])
def test_ctrl_c_ends_a_batch_with_all_its_processes(rides: Rides, tmp_path: Path, wait_s: float) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        shutil.copy(rides.new, runs / name)
    running = _Running("batch", runs, "-r", rides.ref, "-o", tmp_path / "out", "--jobs", "2", cwd=tmp_path)
    running.wait_for("Runs")
    parent = psutil.Process(running.process.pid)
    while not [c for c in parent.children() if "spawn_main" in " ".join(c.cmdline())]:
        time.sleep(0.02)
    children = parent.children(recursive=True)
    time.sleep(wait_s)
    assert running.end(signal.SIGINT) == 130
    assert running.process.stdout is not None
    running.process.stdout.close()
    assert "Interrupted" in running.err
    assert "Traceback" not in running.err
    assert gone(children) == []
    # The reference's index is whole and will be used again; so is a run that was done in time.
    left = {path.name for path in (tmp_path / "out").iterdir()} - {"ref_index.npz", "batch_summary.csv"}
    assert left <= {"a", "b", "c"}
    for name in left:
        assert (tmp_path / "out" / name / "timewarp.json").exists()
        assert not any(path.name.startswith(".") for path in (tmp_path / "out" / name).iterdir())


@posix_only
def test_p3_a_killed_run_gives_the_same_result_when_it_is_run_again(
    rides: Rides, synced: Path, tmp_path: Path
) -> None:
    arguments = ("sync", "-r", rides.ref, "-n", rides.new, "-m", rides.markers, "-o", tmp_path)
    running = _Running(*arguments, cwd=tmp_path)
    running.wait_for("Looking at new.mp4")
    assert running.end(signal.SIGKILL) == -signal.SIGKILL
    assert running.process.stdout is not None
    running.process.stdout.close()
    # P4: nothing bears the name of a result.
    assert not {path.name for path in tmp_path.iterdir()} & {path.name for path in synced.iterdir()}
    assert mtbsync(*arguments).status == 0
    for name in ("new_markers.csv", "pairs.csv", "pairs_raw.csv", "timewarp.json"):
        assert (tmp_path / name).read_bytes() == (synced / name).read_bytes()


@posix_only
def test_a_run_whose_process_is_killed_is_a_failed_row(rides: Rides, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    shutil.copy(rides.new, runs / "a.mp4")
    batch = subprocess.Popen(
        [PROGRAM, "batch", runs, "-r", rides.ref, "-o", tmp_path / "out", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    parent = psutil.Process(batch.pid)
    while not (children := [c for c in parent.children() if "spawn_main" in " ".join(c.cmdline())]):
        time.sleep(0.02)
    children[0].kill()
    out, err = batch.communicate(timeout=PATIENCE_S)
    outcome = Outcome(batch.returncode, out, err)
    assert outcome.status == 1
    assert "died (exit status -9)" in _sentence(outcome)
    assert [row["status"] for row in outcome.document["runs"]] == ["failed"]


@posix_only
def test_names_that_are_no_text_are_no_obstacle(rides: Rides, synced: Path, tmp_path: Path) -> None:
    video = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    try:
        shutil.copy(rides.new, video)
    except OSError:
        pytest.skip("this file system takes only names that are text")
    out = tmp_path / "out"
    index = ("--index", synced / "ref_index.npz")
    outcome = mtbsync_process(
        "sync", "-r", rides.ref, "-n", os.fspath(video), *index, "-o", out, "--no-refine"
    )
    assert (outcome.status, outcome.err) == (0, "")
    assert mtbsync("plot", out).status == 0
