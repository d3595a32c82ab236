from __future__ import annotations

from fractions import Fraction

from mtbsync_engine.timing import Rate
from mtbsync_integrations.formats.collisions import one_a_frame
from mtbsync_integrations.timeline import TimelineMarker

PAL = Rate(Fraction(25))


def spread(frames: list[int], n_frames: int) -> tuple[dict[str, int], tuple[str, ...]]:
    markers = [TimelineMarker(f, name=chr(ord("A") + k)) for k, f in enumerate(frames)]
    placed, sentences = one_a_frame(markers, n_frames, PAL)
    assert [p.frame for p in placed] == sorted({p.frame for p in placed})
    return {p.name: p.frame for p in placed}, sentences


def test_markers_alone_on_their_frames_stay() -> None:
    assert spread([0, 5, 6, 24], 25) == ({"A": 0, "B": 5, "C": 6, "D": 24}, ())


def test_the_second_marker_on_a_frame_moves_to_the_next_free_one_past_those_in_place() -> None:
    placed, sentences = spread([10, 10, 10, 11], 100)
    assert placed == {"A": 10, "D": 11, "B": 12, "C": 13}
    assert sentences == ("Moved, as another marker has the frame: 'B' 2 frames later, 'C' 3 frames later.",)


def test_at_the_end_of_the_clip_it_moves_back() -> None:
    placed, sentences = spread([99, 99], 100)
    assert placed == {"A": 99, "B": 98}
    assert sentences == ("Moved, as another marker has the frame: 'B' 1 frame earlier.",)


def test_a_marker_with_no_free_frame_within_a_second_is_left_out() -> None:
    placed, sentences = spread([50] * 52, 1000)
    assert sorted(placed.values()) == list(range(25, 76))
    assert sentences[-1].startswith("Not placed, as every frame within a second has a marker: '")
    assert sum(s.startswith("Not placed") for s in sentences) == 1
