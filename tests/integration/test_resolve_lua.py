"""The self-contained Lua scripts, run in a sandbox against the strict fake. P6 holds for them as well."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resolve_scripts.mtbsync_resolve import plan as python_plan

from mtbsync_engine.model import Marker, TransferredMarker
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.build import Footage, run_timeline
from mtbsync_integrations.resolve.lua import Run, push_script, quoted, remove_script
from mtbsync_integrations.resolve.words import text_for_resolve
from mtbsync_integrations.timeline import Clip, Medium, Timeline, TimelineMarker, Track
from support.resolve_fake import Project, Resolve
from support.resolve_fake import Timeline as ResolveTimeline

pytest.importorskip("lupa")
from support.resolve_lua import evaluate, interpreters, run_lua

PAL = Rate(Fraction(25))
RUN = Run("run", "the contents of its file")


def placed(name: str, t_new: float | None, **more: object) -> TransferredMarker:
    """A marker carried over to the new run."""
    marker = Marker(
        f"id-{name}", name, t_new or 0.0, colour="green", comment="look \N{DOWNWARDS ARROW}\nhere"
    )
    carried = TransferredMarker(marker, t_new, 0.9, 0.1, needs_review=False)
    return TransferredMarker(**{**vars(carried), **more})  # type: ignore[arg-type]


def script(
    *markers: TransferredMarker, run: str = "GX010034", identity: str = "/a/GX010034.MP4", rate: Rate = PAL
) -> str:
    """Of a run that nothing but its markers is known of."""
    footage = Footage.of_markers(run, markers, rate, "")
    return push(run_timeline(footage, markers, Timecode(0, rate)), Run(run, identity))


def push(timeline: Timeline, run: Run = RUN) -> str:
    """The script alone, under its usual title."""
    return push_script(timeline, run, run.titles[0])[0]


def opened(rate: str = "25", n_frames: int = 1000) -> tuple[Resolve, ResolveTimeline]:
    """Resolve with an empty timeline in front."""
    resolve, project = Resolve(), Project("Alps")
    resolve.manager.open(project)
    return resolve, project.add_timeline("Cut", rate, n_frames=n_frames)


def shown(timeline: ResolveTimeline) -> dict[int, str]:
    return {int(frame): m["name"] for frame, m in sorted(timeline.GetMarkers().items())}


def test_there_is_a_lua_like_resolve_s() -> None:
    assert interpreters()


@settings(deadline=None)
@given(st.text())
def test_any_text_survives_as_a_lua_string(text: str) -> None:
    assert evaluate(quoted(text)) == text.encode("utf-8", "replace")
    assert quoted(text).isascii()
    assert quoted(text).isprintable()


@pytest.mark.parametrize("interpreter", interpreters())
def test_p6_push_edit_push_again_and_remove(interpreter: str) -> None:
    resolve, timeline = opened()
    timeline.AddMarker(50, "Red", "my own", "keep", 1)
    timeline.AddMarker(900, "Red", "another tool's", "", 1, "tool:17")
    before = timeline.GetMarkers()
    first = script(placed("gate", 1.0), placed("drop", 2.0), placed("corner", 4.0))
    said = run_lua(first, resolve, interpreter)
    assert said == [
        "mtbsync: Push markers of GX010034",
        "Markers: 3 added, 0 changed, 0 taken away.",
        "1 moved, as another marker has the frame.",
    ]
    assert shown(timeline) == {25: "gate", 50: "my own", 51: "drop", 100: "corner", 900: "another tool's"}
    added = timeline.GetMarkers()[25]
    assert (added["color"], added["note"], added["duration"]) == (
        "Green",
        "look \N{DOWNWARDS ARROW}\nhere",
        1,
    )
    assert re.fullmatch("mtbsync:GX010034-[0-9a-f]{8}/id-gate#[0-9a-f]{8}", added["customData"])

    pushed = timeline.GetMarkers()
    assert run_lua(first, resolve, interpreter)[1] == "Markers: 0 added, 0 changed, 0 taken away."
    assert timeline.GetMarkers() == pushed

    timeline._markers[107.0] = timeline._markers.pop(100.0)
    second = script(placed("gate", 1.4), placed("corner", 4.4), placed("new", 6.0))
    said = run_lua(second, resolve, interpreter)
    assert said[1:] == ["Markers: 1 added, 1 changed, 1 taken away.", "1 left as you changed them."]
    assert shown(timeline) == {35: "gate", 50: "my own", 107: "corner", 150: "new", 900: "another tool's"}

    said = run_lua(remove_script(), resolve, interpreter)
    assert said[1:] == ["Markers: 0 added, 0 changed, 2 taken away.", "1 left as you changed them."]
    left = timeline.GetMarkers()
    assert shown(timeline) == {50: "my own", 107: "corner", 900: "another tool's"}
    assert {frame: m for frame, m in left.items() if frame in before} == before


def test_two_runs_on_a_timeline_leave_each_other_alone() -> None:
    resolve, timeline = opened()
    run_lua(script(placed("gate", 1.0), run="A"), resolve)
    run_lua(script(placed("gate", 2.0), run="B"), resolve)
    run_lua(script(placed("gate", 3.0), run="A"), resolve)
    assert set(shown(timeline)) == {50, 75}


def test_two_recordings_of_one_name_leave_each_other_alone() -> None:
    resolve, timeline = opened()
    run_lua(script(placed("gate", 1.0), identity="/monday/GX010034.MP4"), resolve)
    run_lua(script(placed("gate", 2.0), identity="/tuesday/GX010034.MP4"), resolve)
    assert set(shown(timeline)) == {25, 50}


def test_a_slash_in_a_run_s_name_does_not_end_it() -> None:
    resolve, timeline = opened()
    run_lua(script(placed("gate", 1.0), run="a/b"), resolve)
    (marker,) = timeline.GetMarkers().values()
    key = python_plan.key_of(python_plan.Marker(25, "", "", "", 1, marker["customData"]))
    assert re.fullmatch("a_b-[0-9a-f]{8}", python_plan.run_of(key))


def test_the_earliest_of_several_places_gets_the_marker() -> None:
    medium = Medium("GX010034.MP4", "file:///rides/GX010034.MP4", Timecode(0, PAL), 5000)
    marker = TimelineMarker(10, name="gate", marker_id="m")
    run = Timeline("run", Timecode(0, PAL), (Track("Video 1", (Clip("c", 5000, medium),)),), (marker,))
    resolve, timeline = opened()
    project = resolve.manager.current
    assert project is not None
    clip = project.add_medium("/rides/GX010034.MP4", 25.0)
    for frame, track in ((600, 1), (200, 1), (400, 2)):
        timeline.put(clip, frame, 100, track=track)
    run_lua(push(run), resolve)
    assert shown(timeline) == {210: "gate"}


def test_p6_a_marker_that_resolve_will_not_delete_does_not_come_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve, timeline = opened()
    run_lua(script(placed("gate", 1.0)), resolve)
    monkeypatch.setattr(ResolveTimeline, "DeleteMarkerAtFrame", lambda self, frame: False)
    said = run_lua(script(placed("gate", 2.0)), resolve)
    assert shown(timeline) == {25: "gate"}
    assert said[1:] == ["Markers: 0 added, 0 changed, 0 taken away.", "1 refused by Resolve."]


def test_markers_stand_where_the_timeline_shows_the_run() -> None:
    medium = Medium("GX010034.MP4", "file:///rides/GX010034.MP4", Timecode(0, PAL), 5000)
    marks = tuple(
        TimelineMarker(frame, name=f"at {frame}", marker_id=f"m{frame}") for frame in (10, 300, 700)
    )
    run = Timeline("run", Timecode(0, PAL), (Track("Video 1", (Clip("c", 5000, medium),)),), marks)
    resolve, timeline = opened()
    project = resolve.manager.current
    assert project is not None
    clip = project.add_medium("C:\\rides\\GX010034.MP4", 25.0)
    timeline.put(clip, 400, 200, left=200, track=2)
    timeline.put(clip, 650, 200, left=600)
    timeline.put(None, 0, 100)
    said = run_lua(push(run), resolve)
    assert shown(timeline) == {500: "at 300", 750: "at 700"}
    assert said[2] == "1 not placed, as this timeline does not show their part of the run."


def test_markers_stay_within_the_timeline() -> None:
    resolve, timeline = opened(n_frames=50)
    timeline.AddMarker(49, "Red", "my own", "", 1)
    said = run_lua(script(placed("last", 1.96), placed("beyond", 2.0)), resolve)
    assert shown(timeline) == {48: "last", 49: "my own"}
    assert said[2:] == [
        "1 moved, as another marker has the frame.",
        "1 not placed, as no frame near theirs on this timeline is free.",
    ]


@pytest.mark.parametrize(
    ("shown_rate", "fits"), [("29.97", True), ("29.97 DF", True), ("30", False), ("25", False)]
)
def test_a_timeline_at_another_rate_is_refused(shown_rate: str, fits: bool) -> None:
    resolve, timeline = opened(shown_rate)
    said = run_lua(script(placed("gate", 1.0), rate=Rate.parse("29.97")), resolve)
    assert bool(timeline.GetMarkers()) == fits
    assert fits or "Write the script anew with --fps" in said[0]


@pytest.mark.parametrize("page", ["nothing", "Project Manager", "no timeline"])
def test_with_nothing_open_a_sentence_says_so(page: str) -> None:
    resolve = None if page == "nothing" else Resolve()
    if resolve and page == "no timeline":
        resolve.manager.open(Project("Empty"))
    assert run_lua(remove_script(), resolve) == [
        "mtbsync: no timeline is open. Open one on the Edit page, and run this script again."
    ]


@settings(deadline=None)
@given(st.text())
def test_texts_have_nothing_that_could_come_back_changed(text: str) -> None:
    tidy = text_for_resolve(text)
    assert tidy == tidy.strip() == text_for_resolve(tidy)
    assert all(letter == "\n" or letter >= " " for letter in tidy)
    assert tidy.encode("utf-8").decode("utf-8") == tidy


def test_what_cannot_be_carried_is_told() -> None:
    markers = [placed("a", None, reason="not seen"), placed("b", 1.0, needs_review=True)]
    footage = Footage.of_markers("run", markers, PAL, "")
    text, losses = push_script(run_timeline(footage, markers, Timecode(0, PAL)), RUN, "Push")
    assert "Not placed: 'a' (not seen)." in losses
    assert 'note = "CHECK, may be 0.1 s off: look ' in text


# --- the two planners are one ------------------------------------------------------------------------

N_FRAMES = 12
texts = st.sampled_from(["drop", "Wurzeln \N{FALLEN LEAF}", "two\nlines", '"]]\\'])
frames = st.integers(0, N_FRAMES - 1)
wanted = st.dictionaries(
    st.sampled_from(["a", "b", "c/d", "e#f"]),
    st.builds(python_plan.Marker, frames, st.just("Blue"), texts, texts, st.integers(1, 2)),
)
looks = st.builds(
    python_plan.Marker, frames, st.sampled_from(["Blue", "Red"]), texts, texts, st.integers(1, 2)
)
keys = st.sampled_from([*(f"{RUN.key}/{name}" for name in ("a", "b", "c/d", "x")), "run/a", "other/a"])
own = st.builds(python_plan.stamped, keys, looks)
dragged = st.builds(lambda m, frame: m._replace(frame=frame), own, frames)
foreign = looks.map(lambda m: m._replace(custom_data="tool:1"))
present = st.lists(own | dragged | foreign, max_size=8)


@settings(deadline=None)
@given(wanted, present)
def test_p6_lua_plans_as_python_does(
    wishes: dict[str, python_plan.Marker], there: list[python_plan.Marker]
) -> None:
    resolve, timeline = opened(n_frames=N_FRAMES)
    there = sorted({m.frame: m for m in there}.values())
    for m in there:
        timeline.AddMarker(*m)
    steps = python_plan.plan(
        {f"{RUN.key}/{name}": wish for name, wish in wishes.items()}, there, {RUN.key}, N_FRAMES, 25
    ).steps
    expected = set(there) - {s.before for s in steps} | {s.after for s in steps if s.after}

    marks = tuple(
        TimelineMarker(w.frame, w.n_frames, w.name, w.colour, w.note, marker_id=name)
        for name, w in sorted(wishes.items(), key=lambda item: item[1].frame)
    )
    run_lua(push(Timeline("run", Timecode(0, PAL), (), marks)), resolve)
    found = {
        python_plan.Marker(int(f), m["color"], m["name"], m["note"], int(m["duration"]), m["customData"])
        for f, m in timeline.GetMarkers().items()
    }
    assert found == expected


def test_a_script_is_plain_ascii() -> None:
    assert script(placed("Stra\N{LATIN SMALL LETTER SHARP S}e \N{GRINNING FACE}", 1.0)).isascii()
