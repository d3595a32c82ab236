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

from mtbsync_engine.errors import MarkerError, MtbsyncError
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
        "Transitions left out: 'Cross Dissolve', 'Cross Dissolve'.",
        "Kept as one clip without its medium: 'sc01_sh010_anim'.",
        "Sound left out: '', ''.",
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


TEXT = export("otio", rich(START)).files[0][1]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_words(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    at = data.draw(st.integers(0, len(TEXT) - 1))
    end = at + data.draw(st.integers(1, 40))
    patch = data.draw(st.sampled_from(["", "0", "-1", "1e400", "null", '"x"', "{", "[]", "NaN", "true"]))
    with contextlib.suppress(MtbsyncError):
        read(TEXT[:at] + patch + TEXT[end:], tmp_path_factory.mktemp("damaged"))


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
    with contextlib.suppress(MtbsyncError):
        read(json.dumps(document), tmp_path_factory.mktemp("changed"))


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


def test_resolve_gets_the_shape_it_accepts() -> None:
    marker = TimelineMarker(50, 1, "A", "Cyan", "brake")
    document = json.loads(export("resolve-otio", small(marker)).files[0][1])
    assert document["global_start_time"]["value"] == 90_000
    video, audio = document["tracks"]["children"]
    assert (video["name"], audio["name"]) == ("Video 1", "Audio 1")
    _, clip = video["children"]
    assert clip["OTIO_SCHEMA"] == "Clip.2"
    medium = clip["media_references"][clip["active_media_reference_key"]]
    assert medium["target_url"] == "/media/run 1.mp4"
    assert medium["available_range"]["start_time"]["value"] == 250
    assert clip["source_range"]["start_time"]["value"] == 300
    (written,) = document["tracks"]["markers"]
    assert written["metadata"] == {"Resolve_OTIO": {"Keywords": [], "Note": "brake"}}
    assert written["color"] == "CYAN"
    assert '"mtbsync"' not in json.dumps(document)


def test_a_note_that_resolve_wrote_is_a_comment() -> None:
    made = to_otio(small(TimelineMarker(50, name="A")), exact=False)
    made.tracks.markers[0].metadata["Resolve_OTIO"] = {"Keywords": [], "Note": "from Resolve"}
    assert from_otio(made).timeline.markers[0].comment == "from Resolve"
