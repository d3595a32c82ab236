"""What the files in a sync's output folder are called."""

from __future__ import annotations

REF_INDEX, NEW_INDEX = "ref_index.npz", "new_index.npz"
PAIRS_RAW, PAIRS, MATCHING = "pairs_raw.csv", "pairs.csv", "matching.npz"
LIKENESS, MARKERS, PICTURE = "likeness.npz", "new_markers.csv", "sync.png"
WARP, PERF, TIMEWARP = "warp.npz", "perf.json", "timewarp.json"
# The last says that everything else is there.
ALL = (REF_INDEX, NEW_INDEX, PAIRS_RAW, PAIRS, MATCHING, LIKENESS, MARKERS, PICTURE, WARP, PERF, TIMEWARP)
# Below it, the folder of the map that was fitted again with a person's anchors.
ANCHORED = "anchored"
