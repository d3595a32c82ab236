from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import export, get_format
from mtbsync_integrations.otio_timeline import from_otio, marker_colour, to_otio
from mtbsync_integrations.timeline import Clip, Gap, Medium, Reading, Timeline, TimelineMarker, Track
from support.timelines import rich

PAL = Rate(Fraction(25))
NTSC = Rate(Fraction(30000, 1001))
SAMPLES = Path(__file__).parents[3] / "shared/data/nle"
MEDIUM = Medium("run 1.mp4", "file:///media/run%201.mp4", Timecode(250, PAL), 1500, 1920, 1080, True, "A001")
START = Timecode.parse("01:00:00;00", NTSC)


def sample(name: str) -> Reading:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip("the sample exports are not here")
    return get_format("otio").read(path)


def read(text: str, folder: Path) -> Reading:
    path = folder / "edit.otio"
    path.write_text(text, encoding="utf-8")
    return get_format("otio").read(path)


def small(*markers: TimelineMarker) -> Timeline:
    clip = Clip("run", 100, MEDIUM, Fraction(2), markers=(TimelineMarker(10, name="on the clip"),))
    return Timeline("Edit", Timecode(90_000, PAL), (Track("Video 1", (Gap(25), clip)),), markers)


# --- what other programs see --------------------------------------------------------------------


def test_other_programs_see_a_plain_timeline() -> None:
    made = to_otio(small(TimelineMarker(50, 25, "A", "Orange", "brake")))
    assert made.global_start_time == otio.opentime.RationalTime(90_000, 25)
    gap, clip = made.tracks[0]
    assert gap.duration() == otio.opentime.RationalTime(25, 25)
    assert clip.source_range == otio.opentime.TimeRange(
        otio.opentime.RationalTime(300, 25), otio.opentime.RationalTime(100, 25)
    )
    assert clip.media_reference.target_url == "file:///media/run%201.mp4"
    assert clip.media_reference.available_range.start_time == otio.opentime.RationalTime(250, 25)
    (marker,) = made.tracks.markers
    assert (marker.name, marker.comment, marker.color) == ("A", "brake", "ORANGE")
    assert marker.marked_range == otio.opentime.TimeRange(
        otio.opentime.RationalTime(50, 25), otio.opentime.RationalTime(25, 25)
    )
    # A clip's markers count as its source does.
    assert clip.markers[0].marked_range.start_time == otio.opentime.RationalTime(310, 25)


def test_the_sound_of_a_track_is_a_track_of_its_own_and_no_loss_on_the_way_back() -> None:
    made = to_otio(small())
    assert [track.kind for track in made.tracks] == ["Video", "Audio"]
    assert from_otio(made) == Reading(small())


@pytest.mark.parametrize(
    ("speed", "schema"), [(Fraction(0), "FreezeFrame"), (Fraction(5, 4), "LinearTimeWarp")]
)
def test_a_changed_speed_is_an_effect(speed: Fraction, schema: str) -> None:
    timeline = small()
    ((_, clip),) = timeline.tracks[0].clips()
    retimed = replace(timeline, tracks=(Track("Video 1", (replace(clip, speed=speed, markers=()),)),))
    (effect,) = to_otio(retimed).tracks[0][0].effects
    assert (effect.schema_name(), effect.time_scalar) == (schema, float(speed))


# --- an edit by another program counts ----------------------------------------------------------


def edited(change: Callable[[otio.schema.Timeline], None]) -> Timeline:
    made = to_otio(rich(START))
    change(made)
    return from_otio(made).timeline


def test_a_marker_that_was_moved_is_where_it_was_moved_to() -> None:
    def move(made: otio.schema.Timeline) -> None:
        made.tracks.markers[0].marked_range = otio.opentime.TimeRange(
            otio.opentime.RationalTime(77, 30000 / 1001), otio.opentime.RationalTime(3, 30000 / 1001)
        )

    found = {m.name: (m.frame, m.n_frames) for m in edited(move).markers}
    assert found["first frame"] == (77, 3)


def test_a_marker_that_was_coloured_anew_has_its_new_colour() -> None:
    def paint(made: otio.schema.Timeline) -> None:
        for marker in made.tracks.markers:
            marker.color = "WHITE"

    assert {m.colour for m in edited(paint).markers} == {"WHITE"}
    # While nobody touched it, the exact colour holds.
    assert {"Green", "Cyan", "#12ab9f"} <= {m.colour for m in edited(lambda made: None).markers}


def test_a_clip_that_was_trimmed_or_retimed_is_what_it_was_made() -> None:
    def trim(made: otio.schema.Timeline) -> None:
        clip = made.tracks[0][1]
        clip.source_range = otio.opentime.TimeRange(
            otio.opentime.RationalTime(clip.source_range.start_time.value + 5, 30000 / 1001),
            otio.opentime.RationalTime(20, 30000 / 1001),
        )
        clip.effects.append(otio.schema.LinearTimeWarp(time_scalar=0.5))

    before, after = (edited(change).tracks[0].clips()[0][1] for change in (lambda made: None, trim))
    assert (after.n_frames, after.speed) == (20, Fraction(1, 2))
    assert after.source_in_s == before.source_in_s + Fraction(5 * 1001, 30000)


def test_a_timeline_whose_start_was_moved_starts_there() -> None:
    def shift(made: otio.schema.Timeline) -> None:
        made.global_start_time = otio.opentime.RationalTime(86400, 24)

    assert edited(shift).start == Timecode(86400, Rate(Fraction(24)))


# --- what others make ---------------------------------------------------------------------------


def test_the_sequence_markers_and_cuts_of_a_real_export_are_read() -> None:
    reading = sample("premiere_example.otio")
    timeline = reading.timeline
    assert (timeline.rate, str(timeline.start)) == (Rate(Fraction(30)), "00:00:00:00")
    assert [(m.frame, m.n_frames, m.name) for m in timeline.markers] == [
        (113, 1, "My MArker 1"),
        (298, 1, ""),
        (492, 1, "dsf"),
    ]
    on_clips = [m.name for track in timeline.tracks for _, clip in track.clips() for m in clip.markers]
    assert on_clips == [""]
    names = [[clip.name for _, clip in track.clips()] for track in timeline.tracks]
    assert names[1] == [
        "sc01_sh010_anim.mov",
        "sc01_sh020_anim.mov",
        "sc01_sh030_anim.mov",
        "sc01_sh010_anim",
    ]
    assert reading.losses == (
        "Transitions left out: 'Cross Dissolve' (2 times).",
        "Kept as one clip without its medium: 'sc01_sh010_anim'.",
        "Sound left out: '' (2 times).",
    )


@pytest.mark.parametrize(
    ("name", "lengths", "losses"),
    [
        ("simple_cut.otio", [[3, 6, 4, 6]], ()),
        ("transition.otio", [[3, 6, 4, 6]], ("Transitions left out: 'Transition'.",)),
        ("multitrack.otio", [[720, 722, 720], [480], [640]], ()),
    ],
)
def test_the_cuts_of_other_real_files_are_read(
    name: str, lengths: list[list[int]], losses: tuple[str, ...]
) -> None:
    reading = sample(name)
    found = [[clip.n_frames for _, clip in track.clips()] for track in reading.timeline.tracks]
    assert (found, reading.timeline.markers) == (lengths, ())
    assert reading.losses == losses


def test_nested_sequences_and_further_timelines_are_named(tmp_path: Path) -> None:
    rate = float(PAL.fps)
    nested = otio.schema.Stack("nested", [otio.schema.Track(children=[otio.schema.Clip("inner")])])
    nested.source_range = otio.opentime.TimeRange(
        otio.opentime.RationalTime(0, rate), otio.opentime.RationalTime(50, rate)
    )
    first = otio.schema.Timeline("first", global_start_time=otio.opentime.RationalTime(0, rate))
    first.tracks.append(otio.schema.Track("V1", [nested]))
    both = otio.schema.SerializableCollection(children=[first, otio.schema.Timeline("second")])
    reading = read(otio.adapters.write_to_string(both, "otio_json"), tmp_path)
    assert [(clip.name, clip.n_frames, clip.medium) for _, clip in reading.timeline.tracks[0].clips()] == [
        ("nested", 50, None)
    ]
    assert reading.losses == (
        "Only the first timeline is read, of 2.",
        "Kept as one clip without its medium: 'nested'.",
    )


def pal_clip(name: str, *marks: str) -> otio.schema.Clip:
    """Two seconds of a file, with a marker on its sixth frame for every name."""
    span = otio.opentime.TimeRange(otio.opentime.RationalTime(0, 25), otio.opentime.RationalTime(50, 25))
    medium = otio.schema.ExternalReference(f"/v/{name}.mp4", span)
    return otio.schema.Clip(name, medium, span, markers=[pal_marker(m) for m in marks])


def pal_marker(name: str) -> otio.schema.Marker:
    at = otio.opentime.RationalTime(5, 25)
    return otio.schema.Marker(name, otio.opentime.TimeRange(at, otio.opentime.RationalTime(1, 25)))


def test_markers_that_have_no_place_here_are_named() -> None:
    made = otio.schema.Timeline("edit", global_start_time=otio.opentime.RationalTime(0, 25))
    video = otio.schema.Track("V1", [pal_clip("a", "on the clip")])
    video.markers.append(pal_marker("on the track"))
    sound = otio.schema.Track("A1", [pal_clip("song", "beat")], kind="Audio")
    beside = otio.schema.Stack("beside", [otio.schema.Track("B", [pal_clip("b", "far inside")])])
    made.tracks.extend([video, sound, beside])
    reading = from_otio(made)
    assert [
        [m.name for _, clip in track.clips() for m in clip.markers] for track in reading.timeline.tracks
    ] == [["on the clip"]]
    assert reading.losses == (
        "Markers of tracks left out: 'on the track'.",
        "Sound left out: 'A1'.",
        "Markers of sound left out: 'beat'.",
        "Left out, as it lies beside the tracks: 'beside'.",
        "Left out with what lies beside the tracks: 'far inside'.",
    )


def test_a_nested_edit_keeps_its_own_markers_and_names_those_inside() -> None:
    inner = otio.schema.Track("inner", [pal_clip("b", "deep")])
    inner.markers.append(pal_marker("on the inner track"))
    nested = otio.schema.Stack("nested", [inner], markers=[pal_marker("on the nested edit")])
    nested.source_range = otio.opentime.TimeRange(
        otio.opentime.RationalTime(2, 25), otio.opentime.RationalTime(40, 25)
    )
    made = otio.schema.Timeline("edit", global_start_time=otio.opentime.RationalTime(0, 25))
    made.tracks.append(otio.schema.Track("V1", [nested]))
    reading = from_otio(made)
    ((_, clip),) = reading.timeline.tracks[0].clips()
    # Its frame 5 is the fourth of those that show, as the first two are cut off.
    assert [(m.frame, m.name) for m in clip.markers] == [(3, "on the nested edit")]
    assert reading.losses == (
        "Kept as one clip without its medium: 'nested'.",
        "Markers inside nested edits left out: 'on the inner track', 'deep'.",
    )


def test_what_is_switched_off_is_named() -> None:
    made = otio.schema.Timeline("edit", global_start_time=otio.opentime.RationalTime(0, 25))
    clip, nested = pal_clip("a"), otio.schema.Stack("nested", [pal_clip("b")])
    track = otio.schema.Track("V2", [pal_clip("c")])
    made.tracks.extend([otio.schema.Track("V1", [clip, nested]), track])
    for item in (clip, nested, track):
        item.enabled = False
    reading = from_otio(made)
    assert [len(track.clips()) for track in reading.timeline.tracks] == [2, 1]
    assert "Switched off in the edit, and kept: 'a', 'nested', 'V2'." in reading.losses


def test_a_timeline_that_tells_no_rate_takes_the_one_given(tmp_path: Path) -> None:
    text = otio.adapters.write_to_string(otio.schema.Timeline("empty"), "otio_json")
    with pytest.raises(MarkerError, match="does not tell its timeline's frame rate; give it with --fps"):
        read(text, tmp_path)
    assert get_format("otio").read(tmp_path / "edit.otio", PAL).timeline.rate == PAL


@pytest.mark.parametrize("rate", [0.0, -25.0, float("nan"), float("inf"), 1e9])
def test_a_rate_that_no_timeline_has_is_refused(rate: float) -> None:
    made = otio.schema.Timeline("x", global_start_time=otio.opentime.RationalTime(1, 25))
    clip = otio.schema.Clip("a")
    clip.source_range = otio.opentime.TimeRange(
        otio.opentime.RationalTime(0, rate), otio.opentime.RationalTime(50, rate)
    )
    made.tracks.append(otio.schema.Track("V1", [clip]))
    with pytest.raises(MarkerError):
        from_otio(made)


def test_what_is_no_timeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MarkerError, match="is not readable as OTIO"):
        read("{", tmp_path)
    with pytest.raises(MarkerError, match="There is no timeline in it"):
        read(otio.adapters.write_to_string(otio.schema.Marker("m"), "otio_json"), tmp_path)


def twice_named() -> str:
    """Ends the whole program in OpenTimelineIO's own reader."""
    return TEXT.replace(
        '"enabled"', '"a": {"OTIO_SCHEMA": "Gap.1"}, "a": {"OTIO_SCHEMA": "Gap.1"}, "enabled"', 1
    )


@pytest.mark.parametrize("text", [lambda: "[" * 100_000, twice_named], ids=["too deep", "named twice"])
def test_what_opentimelineio_would_not_survive_is_refused(text: Callable[[], str], tmp_path: Path) -> None:
    with pytest.raises(MarkerError, match="is not readable as OTIO"):
        read(text(), tmp_path)


@pytest.mark.parametrize("depth", [100, 300, 600, 900])
def test_things_deep_inside_each_other_are_read_or_refused_in_words(depth: int, tmp_path: Path) -> None:
    document = json.loads(TEXT)
    deep: dict[str, object] = {}
    for _ in range(depth):
        deep = {"a": deep}
    document["metadata"]["mtbsync"]["more"] = deep
    with contextlib.suppress(MarkerError):
        assert read(json.dumps(document), tmp_path) == read(TEXT, tmp_path)


@pytest.mark.parametrize("noted", ["source_in_s", "speed"])
def test_a_note_of_ours_that_nothing_can_be_made_of_is_passed_over(noted: str) -> None:
    made = to_otio(small())
    made.tracks[0][1].metadata["mtbsync"][noted] = "1/0"
    ((_, clip),) = from_otio(made).timeline.tracks[0].clips()
    assert (clip.source_in_s, clip.speed) == (Fraction(2), Fraction(1))


TEXT = export("otio", rich(START)).files[0][1]


def assert_read_or_refused(text: str, folder: Path) -> None:
    """Either a timeline that can be written again as it was read, or a sentence that names the file."""
    try:
        timeline = read(text, folder).timeline
    except MarkerError as error:
        refusal = str(error)
    else:
        assert [m.frame for m in timeline.markers] == sorted(max(0, m.frame) for m in timeline.markers)
        clips = [clip for track in timeline.tracks for _, clip in track.clips()]
        assert all(clip.n_frames > 0 for clip in clips)
        assert all(m.n_frames > 0 for m in (*timeline.markers, *(m for c in clips for m in c.markers)))
        return
    assert refusal.startswith(str(folder))
    assert refusal.endswith(".")


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_words(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    at = data.draw(st.integers(0, len(TEXT) - 1))
    end = at + data.draw(st.integers(1, 40))
    patch = data.draw(st.sampled_from(["", "0", "-1", "1e400", "null", '"x"', "{", "[]", "NaN", "true"]))
    assert_read_or_refused(TEXT[:at] + patch + TEXT[end:], tmp_path_factory.mktemp("damaged"))


def _values(thing: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where every number, text and object of a document lies."""
    pairs = thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list) else ()
    return [path, *(place for key, value in pairs for place in _values(value, (*path, key)))]


DOCUMENT = json.loads(TEXT)
PLACES = [place for place in _values(DOCUMENT) if place and place[-1] != "OTIO_SCHEMA"]


@settings(max_examples=400, deadline=None)
@given(
    place=st.sampled_from(PLACES),
    value=st.sampled_from([None, 0, -1, 1e300, 2**40, "", "x", [], {}, True, 0.5]),
)
def test_any_value_that_is_something_else_is_read_or_refused_in_words(
    place: tuple[str | int, ...], value: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    document = json.loads(TEXT)
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    assert_read_or_refused(json.dumps(document), tmp_path_factory.mktemp("changed"))


def test_what_has_no_length_is_refused_in_words() -> None:
    document = json.loads(TEXT)
    gap = document["tracks"]["children"][0]["children"][0]
    assert gap["OTIO_SCHEMA"].startswith("Gap")
    gap["source_range"] = None
    with pytest.raises(MarkerError, match="Its times cannot be understood"):
        from_otio(otio.adapters.read_from_string(json.dumps(document), "otio_json"))


def test_a_markers_colour_is_read_from_whatever_holds_it() -> None:
    assert marker_colour(otio.schema.Marker(color="PINK")) == "PINK"
    assert marker_colour(SimpleNamespace(metadata={}, color=None)) == ""
    coral = otio.core.Color(1.0, 0.0, 0.0, 1.0, "Coral")
    assert marker_colour(SimpleNamespace(metadata={}, color=coral)) == "Coral"
    nameless = otio.core.Color(1.0, 0.0, 0.0, 1.0, "")
    assert marker_colour(SimpleNamespace(metadata={}, color=nameless)) == "#ff0000ff"
    exact = otio.schema.Marker(color="RED", metadata={"mtbsync": {"colour": "Red"}})
    assert marker_colour(exact) == "Red"


# --- Resolve's shape ----------------------------------------------------------------------------


def test_resolve_gets_exactly_the_shape_it_accepts() -> None:
    clip = Clip("run", 100, MEDIUM, Fraction(2))
    marker = TimelineMarker(50, 25, "A", "Cyan", "brake")
    timeline = Timeline("Edit", Timecode(90_000, PAL), (Track("V", (Gap(25), clip)),), (marker,))
    assert json.loads(export("resolve-otio", timeline).files[0][1]) == {
        "OTIO_SCHEMA": "Timeline.1",
        "name": "Edit",
        "metadata": {},
        "global_start_time": resolve_time(90_000),
        "tracks": {
            **resolve_item("Stack.1", "tracks"),
            "children": [resolve_track("Video", "Video 1"), resolve_track("Audio", "Audio 1")],
            "markers": [
                {
                    "OTIO_SCHEMA": "Marker.2",
                    "name": "A",
                    "color": "CYAN",
                    "comment": "brake",
                    "marked_range": resolve_range(50, 25),
                    "metadata": {"Resolve_OTIO": {"Keywords": [], "Note": "brake"}},
                }
            ],
        },
    }


def resolve_track(kind: str, name: str) -> dict[str, object]:
    """A gap of a second, then the clip; sound and picture are cut alike."""
    gap = {**resolve_item("Gap.1", ""), "source_range": resolve_range(0, 25)}
    clip = {
        **resolve_item("Clip.2", "run"),
        "source_range": resolve_range(300, 100),
        "active_media_reference_key": "DEFAULT_MEDIA",
        "media_references": {
            "DEFAULT_MEDIA": {
                "OTIO_SCHEMA": "ExternalReference.1",
                "name": "run 1.mp4",
                "metadata": {},
                "target_url": "/media/run 1.mp4",
                "available_range": resolve_range(250, 1500),
                "available_image_bounds": None,
            }
        },
    }
    return {**resolve_item("Track.1", name), "kind": kind, "children": [gap, clip]}


def resolve_item(schema: str, name: str) -> dict[str, object]:
    """What every part of an edit has."""
    plain: dict[str, object] = {
        "metadata": {},
        "effects": [],
        "markers": [],
        "source_range": None,
        "color": None,
    }
    return {"OTIO_SCHEMA": schema, "name": name, "enabled": True, **plain}


def resolve_range(start: int, n_frames: int) -> dict[str, object]:
    times = {"start_time": resolve_time(start), "duration": resolve_time(n_frames)}
    return {"OTIO_SCHEMA": "TimeRange.1", **times}


def resolve_time(frame: int) -> dict[str, object]:
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": 25.0, "value": float(frame)}


def test_a_note_that_resolve_wrote_is_a_comment() -> None:
    made = to_otio(small(TimelineMarker(50, name="A")), exact=False)
    made.tracks.markers[0].metadata["Resolve_OTIO"] = {"Keywords": [], "Note": "from Resolve"}
    assert from_otio(made).timeline.markers[0].comment == "from Resolve"
