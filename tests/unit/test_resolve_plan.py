"""What the scripts in Resolve decide, without Resolve. P6: what the user made or moved is never touched."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resolve_scripts.mtbsync_resolve.plan import (
    Marker,
    Step,
    is_untouched,
    key_of,
    plan,
    run_of,
    stamped,
    undo,
    written_keys,
)

N_FRAMES, REACH = 12, 3


def marker(frame: int, name: str = "", **more: object) -> Marker:
    return Marker(frame, "Blue", name or f"at {frame}", "", 1)._replace(**more)


def applied(present: Sequence[Marker], steps: Sequence[Step]) -> list[Marker]:
    """The timeline after the steps; what leaves goes first, and two markers never share a frame."""
    left = {m.frame: m for m in present}
    for step in steps:
        if step.before:
            assert left.pop(step.before.frame) == step.before
    for step in steps:
        if step.after:
            assert step.after.frame not in left
            left[step.after.frame] = step.after
    return sorted(left.values())


def by_frame(markers: Sequence[Marker]) -> list[Marker]:
    return sorted({m.frame: m for m in markers}.values())


texts = st.sampled_from(["", "drop", "Wurzeln \N{FALLEN LEAF}", "two\nlines", "#0badcafe"])
frames = st.integers(0, N_FRAMES - 1)
markers = st.builds(Marker, frames, st.sampled_from(["Blue", "Red"]), texts, texts, st.integers(1, 3))
keys = st.sampled_from(["r1/a", "r1/b", "r1/c/d", "r1/e#f", "r2/a", "r2/b"])
# Wanted are markers of the runs that are pushed, r1; a timeline holds those of other runs as well.
wishes = st.dictionaries(
    st.sampled_from(["r1/a", "r1/b", "r1/c/d", "r1/e#f", "r1/g"]),
    st.builds(Marker, st.integers(-1, N_FRAMES), st.just("Blue"), texts, texts, st.just(1)),
)
foreign = st.builds(
    Marker, frames, st.just("Red"), texts, texts, st.just(1), st.sampled_from(["", "other", "mtbsync"])
)
own = st.builds(stamped, keys, markers)
moved = st.builds(lambda m, frame: m._replace(frame=frame), own, frames)
timelines = st.lists(foreign | own | moved, max_size=8).map(by_frame)
# How long it takes says how busy the machine is.
law = settings(deadline=None)


def test_p6_markers_are_known_by_what_mtbsync_wrote_into_them() -> None:
    written = stamped("run 1/a#b/c", marker(7, "drop"))
    assert key_of(written) == "run 1/a#b/c"
    assert run_of(key_of(written)) == "run 1"
    assert is_untouched(written)
    for change in ({"frame": 8}, {"colour": "Red"}, {"name": "jump"}, {"note": "!"}, {"n_frames": 2}):
        assert not is_untouched(written._replace(**change)), change
    assert not is_untouched(marker(7, custom_data="mtbsync:x"))
    assert key_of(marker(7, custom_data="Mtbsync:r/a#00000000")) == ""


@law
@given(wishes, timelines, st.sets(keys))
def test_p6_applying_twice_changes_nothing_the_second_time(
    wanted: dict[str, Marker], present: list[Marker], removed: set[str]
) -> None:
    first = plan(wanted, present, {"r1"}, N_FRAMES, REACH, removed)
    after = applied(present, first.steps)
    # The journal would forget what the push itself took away.
    removed -= {key_of(step.before) for step in first.steps if step.before and not step.after}
    assert plan(wanted, after, {"r1"}, N_FRAMES, REACH, removed).steps == []


@law
@given(wishes, timelines)
def test_p6_markers_of_others_and_markers_that_the_user_changed_stay(
    wanted: dict[str, Marker], present: list[Marker]
) -> None:
    planned = plan(wanted, present, {"r1"}, N_FRAMES, REACH)
    after = applied(present, planned.steps)
    theirs = [m for m in present if not is_untouched(m) or run_of(key_of(m)) != "r1"]
    assert set(theirs) <= set(after)
    # And whatever else is there is one of ours, one for each key.
    ours = [m for m in after if m not in theirs]
    assert all(is_untouched(m) for m in ours)
    assert len({key_of(m) for m in ours}) == len(ours)


@law
@given(wishes, timelines)
def test_every_wish_is_granted_or_reported(wanted: dict[str, Marker], present: list[Marker]) -> None:
    runs = {"r1", "r2"}
    planned = plan(wanted, present, runs, N_FRAMES, REACH)
    after = {key_of(m): m for m in applied(present, planned.steps) if is_untouched(m)}
    shifted = dict(planned.shifted)
    kept = {key_of(m) for m in planned.kept}
    for key, wish in wanted.items():
        if key in after:
            shift = after[key].frame - wish.frame
            assert after[key] == stamped(key, wish._replace(frame=wish.frame + shift))
            assert abs(shift) <= REACH
            assert shift == 0 or shifted[wish] == shift or wish in [m for m, _ in planned.shifted]
        else:
            assert key in kept or wish in planned.unplaced


@law
@given(wishes, timelines)
def test_p6_undoing_a_push_brings_back_exactly_what_was_there(
    wanted: dict[str, Marker], present: list[Marker]
) -> None:
    steps = plan(wanted, present, {"r1", "r2"}, N_FRAMES, REACH).steps
    after = applied(present, steps)
    back = undo(steps, after)
    assert back.refused == []
    assert applied(after, back.steps) == present


@law
@given(wishes, timelines, st.data())
def test_p6_undo_leaves_whatever_the_user_did_since(
    wanted: dict[str, Marker], present: list[Marker], data: st.DataObject
) -> None:
    steps = plan(wanted, present, {"r1", "r2"}, N_FRAMES, REACH).steps
    after = applied(present, steps)
    moves = data.draw(st.lists(st.none() | frames, min_size=len(after), max_size=len(after)))
    edits = [m if to is None else m._replace(frame=to) for m, to in zip(after, moves, strict=True)]
    new = data.draw(st.lists(foreign, max_size=3))
    now = by_frame([*edits, *new])
    back = undo(steps, now)
    done = applied(now, back.steps)
    pushed = {step.after for step in steps if step.after}
    assert {m for m in now if m not in pushed} <= set(done)
    # What comes back is what was there before the push, to the letter.
    assert {m for m in done if m not in now} <= set(present)


def test_the_first_of_two_on_a_frame_keeps_it() -> None:
    wanted = {"r/b": marker(5, "b"), "r/a": marker(5, "a"), "r/c": marker(6, "c")}
    planned = plan(wanted, [], {"r"}, N_FRAMES, REACH)
    frames = {step.after.name: step.after.frame for step in planned.steps if step.after}
    assert frames == {"a": 5, "b": 7, "c": 6}
    assert planned.shifted == [(wanted["r/b"], 2)]


def test_a_crowded_frame_is_left_for_an_earlier_one_and_then_given_up() -> None:
    full = [marker(frame) for frame in range(5, N_FRAMES)]
    planned = plan({"r/a": marker(7, "a"), "r/b": marker(9, "b")}, full, {"r"}, N_FRAMES, REACH)
    assert [step.after.frame for step in planned.steps if step.after] == [4]
    assert [m.name for m in planned.unplaced] == ["b"]


def test_a_wish_outside_the_timeline_is_not_placed() -> None:
    planned = plan({"r/a": marker(N_FRAMES), "r/b": marker(-1)}, [], {"r"}, N_FRAMES, REACH)
    assert planned.steps == []
    assert len(planned.unplaced) == 2


def test_markers_no_longer_wanted_leave_with_their_run_only() -> None:
    ours = [stamped("r1/a", marker(1)), stamped("r2/a", marker(2))]
    planned = plan({}, ours, {"r1"}, N_FRAMES, REACH)
    assert planned.steps == [Step(ours[0], None)]


def test_two_markers_can_change_places() -> None:
    present = [stamped("r/a", marker(1, "a")), stamped("r/b", marker(2, "b"))]
    steps = plan({"r/a": marker(2, "a"), "r/b": marker(1, "b")}, present, {"r"}, N_FRAMES, REACH).steps
    assert [m.name for m in applied(present, steps)] == ["b", "a"]


def test_p6_a_user_s_copy_stays_and_the_marker_it_was_made_of_goes_on() -> None:
    ours = stamped("r/a", marker(1, "a"))
    copy = ours._replace(frame=9)
    wanted = marker(3, "a")
    planned = plan({"r/a": wanted}, [ours, copy], {"r"}, N_FRAMES, REACH)
    assert planned.steps == [Step(ours, stamped("r/a", wanted))]
    assert planned.kept == []


def test_p6_a_marker_that_the_user_removed_stays_away() -> None:
    wanted = {"r/a": marker(1, "a"), "r/b": marker(2, "b")}
    first = plan(wanted, [], {"r"}, N_FRAMES, REACH).steps
    left = [m for m in applied([], first) if m.name == "b"]
    planned = plan(wanted, left, {"r"}, N_FRAMES, REACH, written_keys([first]))
    assert planned.steps == []
    assert planned.removed == [wanted["r/a"]]


def test_written_keys_are_those_of_the_last_word() -> None:
    a, b = stamped("r/a", marker(1)), stamped("r/b", marker(2))
    assert written_keys([[Step(None, a), Step(None, b)], [Step(a, None), Step(b, b)]]) == ["r/b"]


@pytest.mark.parametrize("after", ["added", "changed"])
def test_p6_undo_refuses_what_the_user_moved(after: str) -> None:
    before, new = stamped("r/a", marker(1)), stamped("r/a", marker(2))
    step = {"added": Step(None, new), "changed": Step(before, new)}[after]
    back = undo([step], [new._replace(frame=9)])
    assert back.steps == []
    assert back.refused == [new]


def test_p6_undo_does_not_return_a_marker_to_a_frame_that_has_another_now() -> None:
    before, new = stamped("r/a", marker(1)), stamped("r/a", marker(2))
    back = undo([Step(before, new)], [marker(1, "mine"), new])
    assert back.steps == []
    assert back.refused == [new]


def test_p6_undo_tells_of_a_changed_marker_that_the_user_removed() -> None:
    before, new = stamped("r/a", marker(1)), stamped("r/a", marker(2))
    assert undo([Step(before, new)], []) == ([], [new])


def test_undo_says_nothing_of_an_added_marker_that_is_gone_anyway() -> None:
    assert undo([Step(None, stamped("r/a", marker(2)))], []) == ([], [])
