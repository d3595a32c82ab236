"""What the scripts read of an open timeline."""

from __future__ import annotations

from fractions import Fraction

import pytest
from resolve_scripts.mtbsync_resolve.host import TimelineHandle

from support.resolve_fake import Project, Resolve


@pytest.mark.parametrize(
    ("own_rate", "speed", "at_own_speed"),
    [
        (25.0, Fraction(1), True),
        # Two frames of 500 are rounding, three are a speed.
        (25.0, Fraction(502, 500), True),
        (25.0, Fraction(503, 500), False),
        (25.0, Fraction(497, 500), False),
        # Two frames of the timeline are four of the file's, 1000 in all.
        (50.0, Fraction(1004, 1000), True),
        (50.0, Fraction(1005, 1000), False),
    ],
)
def test_a_clip_plays_at_its_own_speed_but_for_rounding(
    own_rate: float, speed: Fraction, at_own_speed: bool
) -> None:
    resolve, project = Resolve(), Project("Alps")
    resolve.manager.open(project)
    timeline = project.add_timeline("Cut", "25")
    timeline.put(project.add_medium("/rides/GX010034.MP4", own_rate), 0, 500, speed=speed)
    sheet, retimed = TimelineHandle(timeline).sheet()
    assert len(sheet.clips) == at_own_speed
    assert retimed == ([] if at_own_speed else ["GX010034.MP4"])
