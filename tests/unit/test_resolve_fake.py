"""The fake Resolve is as strict as it says, and spells the API as its documentation does."""

from __future__ import annotations

import ast
import inspect
from importlib.metadata import PackageNotFoundError, files

import pytest

from support import resolve_fake
from support.resolve_fake import Project, Resolve, Timeline

CLASSES = [
    *("Resolve", "ProjectManager", "Project", "MediaPool", "Folder"),
    *("MediaPoolItem", "Timeline", "TimelineItem"),
]


def stubs() -> dict[str, dict[str, list[str]]]:
    """The published stubs: names of the arguments of every method of every class."""
    try:
        found = [file for file in files("fusionscript-stubs") or [] if file.name == "fusionscript.pyi"]
    except PackageNotFoundError:
        pytest.skip("fusionscript-stubs is not installed")
    tree = ast.parse(found[0].read_text(encoding="utf-8"))
    return {
        node.name: {
            method.name: [argument.arg for argument in method.args.args[1:]]
            for method in node.body
            if isinstance(method, ast.FunctionDef)
        }
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }


@pytest.mark.parametrize("name", CLASSES)
def test_every_method_is_the_documented_one(name: str) -> None:
    documented = stubs()[name]
    own = {
        method: list(inspect.signature(function).parameters)[1:]
        for method, function in inspect.getmembers(getattr(resolve_fake, name), inspect.isfunction)
        if method[0].isupper()
    }
    assert own
    assert own == {method: documented.get(method) for method in own}


@pytest.fixture
def timeline() -> Timeline:
    resolve, project = Resolve(), Project("Alps")
    resolve.manager.open(project)
    return project.add_timeline("Cut", "25")


def test_a_frame_holds_one_marker_and_comes_back_as_float_or_int(timeline: Timeline) -> None:
    assert timeline.AddMarker(5, "Red", "a", "", 1)
    assert not timeline.AddMarker(5, "Red", "b", "", 1)
    assert timeline.AddMarker(6.0, "Red", "b", "", 1)
    assert [(type(frame), frame) for frame in timeline.GetMarkers()] == [(float, 5), (int, 6)]


def test_an_absolute_frame_is_taken_silently(timeline: Timeline) -> None:
    assert timeline.AddMarker(timeline.GetStartFrame() + 5, "Red", "a", "", 1)


@pytest.mark.parametrize("colour", ["Orange", "red", ""])
def test_a_colour_that_resolve_does_not_have_is_refused(timeline: Timeline, colour: str) -> None:
    assert not timeline.AddMarker(5, colour, "a", "", 1)


def test_keywords_unknown_methods_and_wrong_arity_are_errors(timeline: Timeline) -> None:
    with pytest.raises(TypeError):
        timeline.AddMarker(frameId=5, color="Red", name="a", note="", duration=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        timeline.AddMarker(5, "Red", "a", "")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="text"):
        timeline.AddMarker(5, "Red", "a", None, 1)
    with pytest.raises(AttributeError):
        timeline.SetMarkers({})  # type: ignore[attr-defined]


def test_a_handle_dies_with_its_project() -> None:
    resolve, project = Resolve(), Project("Alps")
    resolve.manager.open(project)
    timeline = project.add_timeline("Cut", "25")
    assert timeline.GetMarkers() == {}
    resolve.manager.open(Project("Lakes"))
    assert timeline.GetMarkers() is None
    assert timeline.AddMarker(5, "Red", "a", "", 1) is None


def test_clips_go_where_they_are_sent_and_nowhere_else() -> None:
    resolve, project = Resolve(), Project("Alps")
    resolve.manager.open(project)
    timeline, other = project.add_timeline("Cut", "25"), project.add_medium("/b.mp4", 25.0)
    wanted = {"mediaPoolItem": other, "startFrame": 5, "endFrame": 15, "recordFrame": 90100}
    wanted |= {"trackIndex": 1, "mediaType": 1}
    (item,) = project.pool.AppendToTimeline([wanted])
    assert (item.GetStart(), item.GetDuration(), item.GetSourceStartFrame()) == (90100, 10, 5)
    # The place is taken, there is no such track, and there is nothing before the timeline's first frame.
    for change in ({"recordFrame": 90105}, {"trackIndex": 2}, {"recordFrame": 5}):
        assert project.pool.AppendToTimeline([{**wanted, **change}]) == []
    with pytest.raises(TypeError, match="track"):
        project.pool.AppendToTimeline([{**wanted, "track": 1}])
    assert timeline.GetItemListInTrack("video", 1) == [item]


def test_a_timeline_s_rate_can_be_set_while_it_is_empty(timeline: Timeline) -> None:
    assert not timeline.SetSetting("timelineFrameRate", "50")
    assert timeline.SetSetting("useCustomSettings", "1")
    assert timeline.SetSetting("timelineFrameRate", "50")
    assert timeline.GetSetting("timelineFrameRate") == "50"
    timeline.put(None, 0, 100)
    assert not timeline.SetSetting("timelineFrameRate", "25")
