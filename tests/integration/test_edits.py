"""What a person changes on a run: markers, anchors, and taking all of it back.

P6: what a person made stays, and every change can be undone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtbsync_daemon.config import Config, Folder
from mtbsync_daemon.results import ANCHORED
from mtbsync_daemon.rules import StateError
from mtbsync_daemon.store import anchors, edits, markers, syncs, trails
from mtbsync_daemon.store.anchors import AnchorRow
from mtbsync_daemon.store.markers import MarkerRow, MarkerState
from mtbsync_daemon.store.syncs import SyncRow
from mtbsync_daemon.store.trails import TrailMarker
from support.house import House

MARKED = [TrailMarker(f"m{k}", name, t_s) for k, (name, t_s) in enumerate([("drop", 2.0), ("jump", 5.0)])]
REJECTED = {"state": MarkerState.REJECTED}


class Run:
    """A run in a library, lined up with its trail: its markers a second later than there."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.id = house.recording("new.mp4").recording_id

    @property
    def sync(self) -> SyncRow:
        found = self.house.store.read(syncs.current, self.id)
        assert found is not None
        return found

    def markers(self) -> dict[str, MarkerRow]:
        return {m.name: m for m in self.house.store.read(markers.of_recording, self.id)}

    def anchors(self) -> list[AnchorRow]:
        trail_id = self.sync.trail_id
        assert trail_id is not None
        return self.house.store.read(anchors.of_run, self.id, trail_id)

    def change(self, name: str, *, is_place: bool = True, **values: Any) -> None:
        changed = [(self.markers()[name], values)]
        self.house.store.write(self.house.library.change_markers, self.id, changed, is_place=is_place)

    def same_place(self, t_new_s: float, t_ref_s: float) -> None:
        self.house.store.write(self.house.library.add_anchor, self.sync, t_new_s, t_ref_s)

    def undo(self) -> str:
        return self.house.store.write(self.house.library.undo, self.id).what

    def redo(self) -> str:
        return self.house.store.write(self.house.library.redo, self.id).what

    def state(self) -> Any:
        """All that a person can change."""
        return [replace(m, version=0) for m in self.markers().values()], self.anchors()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    root = tmp_path_factory.mktemp("edits")
    (rides := root / "rides").mkdir()
    house = House(root, Config(folder=(Folder(path=rides, formats=("csv",)),)))
    house.lands(rides / "ref.mp4", "the reference", folder=rides)
    house.work()
    house.trail(house.recording("ref.mp4"), "Home", *MARKED)
    house.work()
    house.lands(rides / "new.mp4", "a new run", folder=rides)
    house.work()
    yield Run(house)
    house.store.close()


@pytest.fixture
def run(made: Run) -> Run:
    """The run as its sync left it."""
    _take_all_back(made)
    return made


def _take_all_back(run: Run) -> None:
    while run.house.store.read(edits.to_undo, run.id) is not None:
        run.undo()
    run.house.work()


def test_a_marker_that_is_moved_becomes_an_anchor_and_the_map_is_fitted_again(run: Run) -> None:
    run.change("drop", t_s=3.4, state=MarkerState.CORRECTED)
    assert [(a.t_new_s, a.t_ref_s, a.anchor_id) for a in run.anchors()] == [(3.4, 2.0, "m0")]
    run.house.work()
    _, asked = [told for told in run.house.answers.asked if told[0] == "transfer"][-1]
    assert asked["anchors"] == [[3.4, 2.0]]
    assert run.sync.map_folder == f"{run.sync.artifact}/{ANCHORED}"
    run.change("drop", t_s=3.5)
    assert [(a.t_new_s, a.t_ref_s) for a in run.anchors()] == [(3.5, 2.0)]
    assert [run.undo(), run.undo()] == ["drop moved", "drop moved"]
    run.house.work()
    assert run.anchors() == []
    assert run.sync.map_folder == run.sync.artifact
    assert run.markers()["drop"].state is MarkerState.FOUND
    assert run.markers()["drop"].t_s == 3.0


def test_a_marker_that_an_editor_moved_for_the_cut_says_nothing_of_the_place(run: Run) -> None:
    run.change("drop", is_place=False, t_s=3.4, state=MarkerState.CORRECTED)
    assert run.anchors() == []
    assert run.markers()["drop"].t_s == 3.4


def test_places_in_another_order_than_the_trail_s_are_refused_and_change_nothing(run: Run) -> None:
    run.same_place(4.0, 4.0)
    before = run.state()
    with pytest.raises(StateError, match=r"0:03\.00 and 0:04\.00 of the run would be 0:04\.50 and 0:04\.00"):
        run.same_place(3.0, 4.5)
    with pytest.raises(StateError, match="out of order"):
        run.change("jump", t_s=3.9, state=MarkerState.CORRECTED)
    assert run.state() == before


def test_what_is_undone_is_found_anew(run: Run) -> None:
    run.change("jump", **REJECTED)
    assert run.undo() == "jump rejected"
    run.house.work()
    assert run.markers()["jump"].state is MarkerState.FOUND


def test_something_new_ends_what_could_be_redone(run: Run) -> None:
    run.change("drop", **REJECTED)
    run.undo()
    run.change("jump", **REJECTED)
    with pytest.raises(StateError, match="nothing that could be done again"):
        run.redo()


def test_an_edit_that_another_has_overtaken_is_passed_over(run: Run) -> None:
    run.change("jump", **REJECTED)
    run.change("drop", **REJECTED)
    run.house.store.write(markers.put, replace(run.markers()["drop"], name="cliff"))
    assert run.undo() == "jump rejected"
    assert run.markers()["cliff"].state is MarkerState.REJECTED
    with pytest.raises(StateError, match="nothing that could be undone"):
        run.undo()
    found = run.house.answers.asked
    run.house.store.write(markers.remove, run.markers()["cliff"])
    run.house.store.write(run.house.library.sync_again, run.sync)
    run.house.work()
    assert found is run.house.answers.asked
    assert run.markers()["drop"].state is MarkerState.FOUND


def test_a_note_stays_when_the_map_is_fitted_again(run: Run) -> None:
    extra = (("note", "mind the root"), ("labels", "roots"))
    run.change("jump", extra=extra, comment="late", own=("comment", "labels", "note"))
    run.change("drop", t_s=3.4, state=MarkerState.CORRECTED)
    run.house.work()
    jump = run.markers()["jump"]
    assert (jump.note, jump.labels, jump.state) == ("mind the root", ("roots",), MarkerState.FOUND)
    assert (jump.comment, jump.t_s) == ("late", 6.0)
    run.undo()
    run.house.work()
    assert run.undo() == "jump edited"
    run.house.work()
    assert run.markers()["jump"].note == ""


def test_a_nudged_marker_that_is_rejected_vouches_for_no_place(run: Run) -> None:
    run.change("drop", t_s=3.4, state=MarkerState.CORRECTED)
    run.change("drop", is_place=False, **REJECTED)
    assert run.anchors() == []
    assert run.undo() == "drop rejected"
    assert [(a.t_new_s, a.t_ref_s) for a in run.anchors()] == [(3.4, 2.0)]


def test_what_was_decided_on_a_trail_is_there_again_with_the_trail(run: Run) -> None:
    house, home = run.house, run.sync.trail_id
    other = house.root / "rides" / "other.mp4"
    if not other.exists():
        house.lands(other, "another trail", folder=other.parent)
        house.work()
        house.trail(house.recording("other.mp4"), "Away", TrailMarker("a0", "rock", 1.0))
        house.work()
    run.change("drop", t_s=3.4, state=MarkerState.CORRECTED)
    recording = house.recording("new.mp4")
    away = house.store.read(trails.named, "Away")
    assert home is not None
    back = house.store.read(trails.get, home)
    for trail, names in ((away, {"rock"}), (back, {"drop", "jump"})):
        house.store.write(house.library.want_sync, recording, trail, is_asked_for=True)
        house.work()
        assert set(run.markers()) == names
    drop = run.markers()["drop"]
    assert (drop.t_s, drop.state) == (3.4, MarkerState.CORRECTED)


def test_no_version_comes_twice(run: Run) -> None:
    library, store = run.house.library, run.house.store
    values: dict[str, Any] = {"duration_s": 0.0, "colour": "", "comment": "", "extra": ()}
    seen = [store.write(library.add_marker, run.id, 9.5, None, name="berm", **values).version]
    for turn in (run.undo, run.redo) * 2:
        turn()
        seen += [m.version for m in run.markers().values() if m.name == "berm"]
    run.change("berm", comment="steep")
    seen.append(run.markers()["berm"].version)
    assert seen == sorted(set(seen))


def test_a_marker_of_ones_own_stays_whatever_syncs_find(run: Run) -> None:
    library, store = run.house.library, run.house.store
    values: dict[str, Any] = {"duration_s": 0.0, "colour": "", "comment": "", "extra": (("labels", "a, b"),)}
    own = store.write(library.add_marker, run.id, 9.0, None, name="spray", **values)
    assert (own.labels, own.note) == (("a", "b"), "")
    store.write(library.sync_again, run.sync)
    run.house.work()
    assert run.markers()["spray"].state is MarkerState.ADDED
    assert run.undo() == "spray added"
    assert "spray" not in run.markers()
    run.redo()
    assert run.markers()["spray"].t_s == 9.0


_NAMES = st.sampled_from([m.name for m in MARKED])
_ACTS = st.one_of(
    st.tuples(st.just("move"), _NAMES, st.floats(0, 10)),
    st.tuples(st.just("decide"), _NAMES, st.sampled_from([MarkerState.ACCEPTED, MarkerState.REJECTED])),
    st.tuples(st.just("note"), _NAMES, st.text(max_size=5)),
    st.tuples(st.just("place"), st.floats(0, 10), st.floats(0, 10)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_ACTS, max_size=8))
def test_p6_all_that_was_done_can_be_taken_back_and_done_again(run: Run, acts: list[Any]) -> None:
    _take_all_back(run)
    states = [run.state()]
    for act in acts:
        try:
            _do(run, act)
        except StateError:
            assert run.state() == states[-1]
            continue
        states.append(run.state())
    for before in reversed(states[:-1]):
        run.undo()
        assert run.state() == before
    for after in states[1:]:
        run.redo()
        assert run.state() == after


def _do(run: Run, act: tuple[str, Any, Any]) -> None:
    kind, what, value = act
    if kind == "place":
        run.same_place(what, value)
    elif kind == "move":
        run.change(what, t_s=value, state=MarkerState.CORRECTED)
    elif kind == "decide":
        run.change(what, state=value)
    else:
        extra = markers.with_column(run.markers()[what].extra, markers.NOTE, value)
        run.change(what, extra=extra, own=(markers.NOTE,))
