"""The benchmark: each part measures one thing and keeps what it found; all that is kept makes the page.

pairs      where pairs of rides with known truth come from
truth      markers of a pair, and how far placed markers are from them
alone      a call or a program in a process of its own, and what it cost
foreign    other people's programs, each in an environment of its own
heard      what two cameras hear of one event, with known truth
listeners  other people's programs that line sounds up
answers    what programs said of two sounds, held against the truth
results    what a part found, kept as JSON
accuracy, identify, speed, growth, codecs, ablation, daemon, peer, sound    the parts
page       docs/benchmarks.md from the results
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench"
# Rides are rendered by the code that renders them for tests.
sys.path.insert(0, str(ROOT / "tests"))
