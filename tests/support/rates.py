"""The rates that every timeline and every timecode has to be right at."""

from __future__ import annotations

from fractions import Fraction

from mtbsync_engine.timing import Rate

RATES = [
    Rate(Fraction(fps))
    for fps in (
        Fraction(24000, 1001),
        24,
        25,
        Fraction(30000, 1001),
        30,
        50,
        Fraction(60000, 1001),
        100,
        Fraction(120000, 1001),
        120,
        240,
    )
]
