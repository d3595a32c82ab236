"""When a recording's files have come to rest, on a clock of the tests' own."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from mtbsync_daemon.watch.gather import Group
from mtbsync_daemon.watch.settle import Settling, Stamp

SETTLE_S, LATE_S = 5.0, 20.0
RIDE, CHAPTER, NEXT_CHAPTER = "ride.mp4", "GX010034.MP4", "GX020034.MP4"


def _settling() -> Settling:
    return Settling(SETTLE_S, LATE_S)


def _alone(name: str) -> Group:
    return Group((name,), ())


def test_p4_a_file_is_ready_when_two_looks_found_it_the_same() -> None:
    settling = _settling()
    stamps = {RIDE: Stamp(7, 1)}
    assert settling.look(stamps, {}, 100.0).ready == []
    assert settling.look(stamps, {}, 104.9).ready == []
    assert settling.look(stamps, {}, 105.0).ready == [_alone(RIDE)]


def test_p4_a_file_that_is_written_waits_anew_with_each_change() -> None:
    settling = _settling()
    for n_bytes in range(1, 10):
        assert settling.look({RIDE: Stamp(n_bytes, n_bytes)}, {}, 4.0 * n_bytes).ready == []
    assert settling.look({RIDE: Stamp(9, 9)}, {}, 36.0 + SETTLE_S).ready == [_alone(RIDE)]


def test_p4_also_a_change_of_time_alone_is_one() -> None:
    settling = _settling()
    settling.look({RIDE: Stamp(7, 1)}, {}, 0.0)
    assert settling.look({RIDE: Stamp(7, 2)}, {}, 6.0).ready == []


def test_it_says_when_to_look_again_and_nothing_is_ready_before() -> None:
    settling = _settling()
    assert settling.look({RIDE: Stamp(7, 1)}, {}, 10.0).again_s == SETTLE_S
    assert settling.look({RIDE: Stamp(7, 1)}, {}, 12.0).again_s == SETTLE_S - 2
    assert settling.look({RIDE: Stamp(7, 1)}, {}, 15.0).again_s == math.inf


def test_a_recording_with_chapters_waits_for_late_ones() -> None:
    settling = _settling()
    one = {CHAPTER: Stamp(7, 1)}
    assert settling.look(one, {}, 0.0).again_s == SETTLE_S
    assert settling.look(one, {}, SETTLE_S).again_s == LATE_S - SETTLE_S
    both = {**one, NEXT_CHAPTER: Stamp(8, 1)}
    assert settling.look(both, {}, 19.0).ready == []
    assert settling.look(both, {}, 19.0 + LATE_S - 1).ready == []
    assert settling.look(both, {}, 19.0 + LATE_S).ready == [Group((CHAPTER, NEXT_CHAPTER), ())]


def test_p2_what_was_handed_over_is_not_ready_again() -> None:
    settling = _settling()
    stamps = {RIDE: Stamp(7, 1)}
    for now_s in (0.0, 5.0, 500.0):
        rest = settling.look(stamps, stamps, now_s)
        assert (rest.ready, rest.again_s) == ([], math.inf)


def test_a_late_sidecar_or_a_replaced_file_makes_the_whole_recording_ready_again() -> None:
    settling = _settling()
    before = {RIDE: Stamp(7, 1)}
    for now in ({**before, "ride.gpx": Stamp(3, 1)}, {RIDE: Stamp(7, 2), "ride.gpx": Stamp(3, 1)}):
        settling.look(now, before, 100.0)
        assert settling.look(now, before, 105.0).ready == [Group((RIDE,), ("ride.gpx",))]


def test_a_member_that_is_gone_makes_nothing_ready() -> None:
    settling = _settling()
    before = {RIDE: Stamp(7, 1), "ride.gpx": Stamp(3, 1)}
    for now_s in (0.0, 100.0):
        assert settling.look({RIDE: Stamp(7, 1)}, before, now_s).ready == []


def test_an_empty_chapter_holds_its_recording_back_and_is_named() -> None:
    settling = _settling()
    stamps = {CHAPTER: Stamp(7, 1), NEXT_CHAPTER: Stamp(0, 1)}
    assert settling.look(stamps, {}, 0.0).empty == []
    rest = settling.look(stamps, {}, 100.0)
    assert (rest.ready, rest.empty, rest.again_s) == ([], [NEXT_CHAPTER], math.inf)


def test_an_empty_sidecar_is_waited_for_and_then_left_out_and_named() -> None:
    settling = _settling()
    stamps = {RIDE: Stamp(7, 1), "ride.gpx": Stamp(0, 1)}
    settling.look({RIDE: Stamp(7, 1)}, {}, 0.0)
    assert settling.look(stamps, {}, 4.0).ready == []
    assert settling.look(stamps, {}, 8.0).ready == []
    rest = settling.look(stamps, {}, 9.0)
    assert (rest.ready, rest.empty) == ([_alone(RIDE)], ["ride.gpx"])
    after = settling.look(stamps, {RIDE: Stamp(7, 1)}, 20.0)
    assert (after.ready, after.empty) == ([], ["ride.gpx"])


def test_a_file_that_goes_and_comes_back_waits_anew() -> None:
    settling = _settling()
    settling.look({RIDE: Stamp(7, 1)}, {}, 0.0)
    settling.look({}, {}, 3.0)
    assert settling.look({RIDE: Stamp(7, 1)}, {}, 6.0).ready == []


# --- whatever happens -----------------------------------------------------------------------------

NAMES = (RIDE, "ride.gpx", CHAPTER, NEXT_CHAPTER, "GL010034.LRV")
_stamps = st.builds(Stamp, st.integers(0, 2), st.integers(0, 2))
_changes = st.dictionaries(st.sampled_from(NAMES), st.none() | _stamps, max_size=2)
_history = st.lists(st.tuples(_changes, st.floats(0.01, 30.0)), max_size=25)


def _apply(files: dict[str, Stamp], changes: Mapping[str, Stamp | None]) -> set[str]:
    """Write, replace or remove files; the names of those whose stamp is another now."""
    changed = {name for name, stamp in changes.items() if files.get(name) != stamp}
    for name in changed:
        files.pop(name, None)
        if (stamp := changes[name]) is not None:
            files[name] = stamp
    return changed


@settings(deadline=None)
@given(_history)
def test_p4_nothing_is_ready_that_changed_less_than_settle_s_ago_and_nothing_twice(
    history: list[tuple[dict[str, Stamp | None], float]],
) -> None:
    settling = _settling()
    files: dict[str, Stamp] = {}
    changed_s: dict[str, float] = {}
    handed_over: dict[str, Stamp] = {}
    now_s = 0.0
    for changes, step_s in history:
        now_s += step_s
        changed_s.update(dict.fromkeys(_apply(files, changes), now_s))
        for group in settling.look(files, handed_over, now_s).ready:
            assert all(files[name].n_bytes > 0 for name in group.members)
            assert all(now_s - changed_s[name] >= SETTLE_S for name in group.members)
            news = {name: files[name] for name in group.members if handed_over.get(name) != files[name]}
            assert news
            handed_over |= news


@settings(deadline=None)
@given(_history)
def test_everything_is_handed_over_once_it_is_still_if_one_looks_when_told(
    history: list[tuple[dict[str, Stamp | None], float]],
) -> None:
    settling = _settling()
    files: dict[str, Stamp] = {}
    handed_over: dict[str, Stamp] = {}
    now_s = 0.0

    def look() -> float:
        rest = settling.look(files, handed_over, now_s)
        for group in rest.ready:
            handed_over.update({name: files[name] for name in group.members})
        return rest.again_s

    again_s = look()
    for changes, step_s in history:
        now_s += step_s
        _apply(files, changes)
        again_s = look()
    n_looks = 0
    while math.isfinite(again_s):
        now_s += again_s + 1e-6
        again_s = look()
        n_looks += 1
    # For each of at most three recordings once when it has settled, and once when no chapter came late.
    assert n_looks <= 6
    empty = {name for name, stamp in files.items() if stamp.n_bytes == 0}
    if RIDE in files and RIDE not in empty:
        assert handed_over[RIDE] == files[RIDE]
        assert "ride.gpx" not in {*files} - empty or handed_over["ride.gpx"] == files["ride.gpx"]
    chapters = {CHAPTER, NEXT_CHAPTER} & {*files}
    if chapters.isdisjoint(empty):
        assert all(handed_over[name] == files[name] for name in chapters)
