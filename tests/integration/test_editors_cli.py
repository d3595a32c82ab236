"""Timelines and markers from editors in, timelines and markers for editors out, by the command line."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from mtbsync_engine.artifacts import load_timewarp_json
from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from mtbsync_integrations.formats import export, format_names, get_format
from mtbsync_integrations.media_urls import url_of
from mtbsync_integrations.timeline import Clip, Medium, Timeline, TimelineMarker, Track
from support.program import mtbsync, state
from support.rides import RATE, Rides, true_t_new

TEN = Rate(Fraction(RATE))
START = Timecode.parse("01:00:00:00", TEN)
# t_ref of markers on the edit below, all of which the new run shows.
MARKED_S = (2.5, 4.0, 5.5)


@pytest.fixture(autouse=True)
def _p1_originals_are_never_written(rides: Rides) -> Iterator[None]:
    before = state(rides.folder)
    yield
    assert state(rides.folder) == before


def edit_of(rides: Rides) -> Timeline:
    """Two cuts of the reference, from 2 to 4.5 s and from 5 to 6 s; two markers above them, one on a clip."""
    medium = Medium(rides.ref.name, url_of(rides.ref.absolute()), Timecode(0, TEN), 80, 320, 180)
    first = Clip("one", 25, medium, Fraction(2), markers=(TimelineMarker(20, name="Drop"),))
    second = Clip("two", 10, medium, Fraction(5))
    markers = (TimelineMarker(5, name="Root", comment="big"), TimelineMarker(30, name="Bend"))
    return Timeline("Edit", START, (Track("Video 1", (first, second)),), markers, width=320, height=180)


def written(timeline: Timeline, name: str, folder: Path) -> Path:
    path = folder / f"edit{get_format(name).SUFFIX}"
    path.write_bytes(export(name, timeline).files[0][1].encode())
    return path


@pytest.fixture
def out(synced: Path, tmp_path: Path) -> Path:
    shutil.copytree(synced, tmp_path / "out")
    return tmp_path / "out"


# --- convert ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", format_names())
def test_any_format_becomes_any_other(name: str, rides: Rides, tmp_path: Path) -> None:
    source = written(edit_of(rides), "otio", tmp_path)
    middle = tmp_path / f"middle{get_format(name).SUFFIX}"
    outcome = mtbsync("convert", source, middle, "--to", name, "--json")
    assert outcome.status == 0, outcome.err
    assert outcome.document["losses"] == outcome.err.splitlines()
    counting = ("--fps", RATE, "--start-tc", START)
    back = mtbsync("convert", middle, tmp_path / "back.otio", "--from", name, *counting)
    assert back.status == 0, back.err
    found = get_format("otio").read(tmp_path / "back.otio").timeline
    assert found.rate == TEN
    names = {m.name for m in found.markers} | {
        m.name for t in found.tracks for _, c in t.clips() for m in c.markers
    }
    assert {"Root", "Drop", "Bend"} <= names


def test_a_timeline_that_tells_no_rate_needs_one(rides: Rides, tmp_path: Path) -> None:
    source = written(edit_of(rides), "edl", tmp_path)
    outcome = mtbsync("convert", source, tmp_path / "b.otio")
    assert outcome.status == 1
    assert outcome.err == (
        f"{source} does not tell its timeline's frame rate; give it with --fps (for "
        "reference markers, --markers-fps).\n"
    )
    outcome = mtbsync("convert", source, tmp_path / "b.otio", "--start-tc", "01:00:00:00")
    assert outcome.status == 2
    assert "--start-tc needs --fps" in outcome.err


def test_an_output_of_no_known_name_needs_a_format(rides: Rides, tmp_path: Path) -> None:
    source = written(edit_of(rides), "otio", tmp_path)
    outcome = mtbsync("convert", source, tmp_path / "b.txt")
    assert outcome.status == 1
    assert "b.txt does not tell its format; name it with --to: avid" in outcome.err


def test_a_source_is_never_written_over(rides: Rides, tmp_path: Path) -> None:
    source = written(edit_of(rides), "otio", tmp_path)
    before = source.read_bytes()
    assert mtbsync("convert", source, source).status == 1
    assert source.read_bytes() == before


def test_a_version_of_fcpxml_can_be_asked_for(rides: Rides, tmp_path: Path) -> None:
    source = written(edit_of(rides), "otio", tmp_path)
    assert mtbsync("convert", source, tmp_path / "b.fcpxml", "--format-version", "1.8").status == 0
    assert '<fcpxml version="1.8">' in (tmp_path / "b.fcpxml").read_text(encoding="utf-8")
    outcome = mtbsync("convert", source, tmp_path / "c.fcpxml", "--format-version", "2")
    assert (outcome.status, (tmp_path / "c.fcpxml").exists()) == (1, False)
    assert "mtbsync writes these versions: 1.8, 1.9" in outcome.err
    outcome = mtbsync("convert", source, tmp_path / "c.edl", "--format-version", "2")
    assert "mtbsync writes one version only of edl, not '2'." in outcome.err


# --- timeline -----------------------------------------------------------------------------------


def test_a_timeline_of_the_new_run_holds_its_whole_length_and_its_markers(out: Path) -> None:
    outcome = mtbsync("timeline", out, "--to", "otio")
    assert outcome.status == 0, outcome.err
    made = get_format("otio").read(out / "new.otio").timeline
    ((first, clip),) = made.tracks[0].clips()
    assert (first, clip.n_frames, clip.speed) == (0, 80, 1)
    assert (made.rate, str(made.start)) == (TEN, "01:00:00:00")
    with (out / "new_markers.csv").open(encoding="utf-8", newline="") as file:
        wanted = [
            (row["name"], nearest_frame(float(row["t_new"]), TEN))
            for row in csv.DictReader(file)
            if row["t_new"]
        ]
    assert [(m.name, m.frame) for m in made.markers] == wanted


def test_side_by_side_shows_the_same_place_at_every_frame(out: Path) -> None:
    outcome = mtbsync("timeline", out, "--side-by-side", "--out", out / "both.otio", "--tolerance", "0.05")
    assert outcome.status == 0, outcome.err
    made = get_format("otio").read(out / "both.otio").timeline
    new, reference = made.tracks
    assert [clip.name for _, clip in reference.clips()] == ["ref.mp4"]
    time_map = load_timewarp_json(out / "timewarp.json").time_map
    for first, clip in new.clips():
        for frame in range(clip.n_frames):
            t_new = float(clip.source_in_s + frame / TEN.fps * clip.speed)
            assert abs(t_new - float(time_map.to_new((first + frame) / RATE))) < 0.051


def test_a_timeline_needs_a_format_and_a_synced_folder(out: Path, tmp_path: Path) -> None:
    outcome = mtbsync("timeline", out)
    assert (outcome.status, "Say which format to write with --to" in outcome.err) == (2, True)
    outcome = mtbsync("timeline", tmp_path / "nowhere", "--to", "otio")
    assert outcome.status == 1


# --- an edit of the reference becomes one of the new run ----------------------------------------


@pytest.mark.parametrize("name", ["otio", "fcpxml", "premiere", "edl"])
def test_an_edit_of_the_reference_becomes_the_same_edit_of_the_new_run(
    name: str, rides: Rides, out: Path, tmp_path: Path
) -> None:
    source = written(edit_of(rides), name, tmp_path)
    made_file = tmp_path / f"made{source.suffix}"
    counting = ("--markers-fps", RATE, "--markers-start-tc", START) if name == "edl" else ()
    outcome = mtbsync(
        "transfer", "--timeline", source, "--warp", out / "timewarp.json", "--out", made_file, *counting
    )
    assert outcome.status == 0, outcome.err
    made = get_format(name).read(made_file, TEN, START).timeline
    clips = made.tracks[0].clips()
    shown = [(float(c.source_in_s), float(c.source_in_s) + c.n_frames / RATE) for _, c in clips]
    for (begins_s, ends_s), (ref_in_s, ref_out_s) in zip(shown, [(2.0, 4.5), (5.0, 6.0)], strict=True):
        assert begins_s == pytest.approx(true_t_new(ref_in_s), abs=0.25)
        assert ends_s == pytest.approx(true_t_new(ref_out_s), abs=0.25)
    markers = [m.frame for m in made.markers] + [first + m.frame for first, c in clips for m in c.markers]
    moments = []
    for frame in sorted(markers):
        ((first, clip),) = [(f, c) for f, c in clips if f <= frame < f + c.n_frames]
        moments.append(float(clip.source_in_s) + (frame - first) / RATE)
    assert moments == [pytest.approx(true_t_new(t_ref), abs=0.25) for t_ref in MARKED_S]


def test_the_new_run_can_be_synced_on_the_way(
    rides: Rides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = written(edit_of(rides), "otio", tmp_path)
    outcome = mtbsync("transfer", "--timeline", source, "--new", rides.new, "--out", "made.otio")
    assert outcome.status == 0, outcome.err
    assert f"The reference is {rides.ref}." in outcome.out
    assert (tmp_path / "new_sync" / "timewarp.json").exists()
    made = get_format("otio").read(tmp_path / "made.otio").timeline
    assert [clip.medium.name for _, clip in made.tracks[0].clips() if clip.medium] == ["new.mp4", "new.mp4"]
    assert all(m.transferred is not None for m in made.markers)


def test_an_edit_whose_footage_is_not_there_asks_for_it(rides: Rides, tmp_path: Path) -> None:
    lost = Medium("ref.mp4", "file:///nowhere/ref.mp4", Timecode(0, TEN), 80)
    timeline = Timeline("Edit", START, (Track("Video 1", (Clip("one", 25, lost),)),))
    source = written(timeline, "otio", tmp_path)
    outcome = mtbsync("transfer", "--timeline", source, "--new", rides.new, "--out", tmp_path / "made.otio")
    assert outcome.status == 2
    assert "/nowhere/ref.mp4 is not there; give the reference's video with --reference." in outcome.err


def test_an_edit_of_something_else_is_refused(rides: Rides, out: Path, tmp_path: Path) -> None:
    other = Medium("song.wav", "file:///song.wav", Timecode(0, TEN), 80)
    source = written(
        Timeline("Edit", START, (Track("Video 1", (Clip("one", 25, other),)),)), "otio", tmp_path
    )
    made = tmp_path / "made.otio"
    outcome = mtbsync("transfer", "--timeline", source, "--warp", out / "timewarp.json", "--out", made)
    assert (outcome.status, made.exists()) == (1, False)
    assert "No clip of this timeline shows ref.mp4" in outcome.err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "Give either --ref-markers or --timeline."),
        (("--timeline", "a.otio"), "Give either --warp, or --new"),
        (("--timeline", "a.otio", "--ref-markers", "b.csv"), "Give either --ref-markers or --timeline."),
        (("--ref-markers", "b.csv"), "--ref-markers needs --warp"),
        (("--ref-markers", "b.csv", "--warp", "w", "--new", "n.mp4"), "go with --timeline."),
        (("--timeline", "a.otio", "--warp", "w", "--reference", "r.mp4"), "--reference goes with --new"),
        (
            ("--timeline", "a.otio", "--warp", "w", "--plot-overlay"),
            "--plot-overlay goes with --ref-markers.",
        ),
    ],
)
def test_what_does_not_go_together_is_said(options: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    outcome = mtbsync("transfer", *options, "--out", tmp_path / "x.otio")
    assert (outcome.status, sentence in outcome.err) == (2, True)


# --- reference markers from any format ----------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in format_names() if name != "csv"])
def test_reference_markers_may_come_from_any_format(
    name: str, rides: Rides, out: Path, tmp_path: Path
) -> None:
    timeline = edit_of(rides)
    carries = get_format(name).CARRIES
    if carries.n_tracks == 0:
        # A list counts from the recording's first picture, and YouTube's chapters in whole seconds.
        at = (3.0, 4.0, 5.0) if carries.whole_seconds else MARKED_S
        markers = tuple(TimelineMarker(nearest_frame(t_s, TEN), name=f"M{t_s}") for t_s in at)
        timeline = replace(timeline, tracks=(), markers=markers)
    else:
        at = MARKED_S
    source = written(timeline, name, tmp_path)
    outcome = mtbsync(
        *("transfer", "--ref-markers", source, "--warp", out / "timewarp.json"),
        *("--out", tmp_path / "new.csv", "--markers-start-tc", START),
    )
    assert outcome.status == 0, outcome.err
    with (tmp_path / "new.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["name"] != "Start"]
    assert [float(row["t_ref"]) for row in rows] == [pytest.approx(t_s) for t_s in at]
    assert [float(row["t_new"]) for row in rows] == [pytest.approx(true_t_new(t_s), abs=0.25) for t_s in at]


def test_sync_takes_an_edit_for_its_markers(rides: Rides, out: Path, tmp_path: Path) -> None:
    source = written(edit_of(rides), "fcpxml", tmp_path)
    outcome = mtbsync("sync", "-r", rides.ref, "-n", rides.new, "-m", source, "-o", out, "--json")
    assert outcome.status == 0, outcome.err
    assert outcome.document["markers"] == {"n": 3, "placed": 3, "review": 0}
    assert json.loads((out / "timewarp.json").read_text(encoding="utf-8"))["new"]["starts_s"] == [0.0]
