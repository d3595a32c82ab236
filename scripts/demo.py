"""The demo: from two videos to markers in an editor, and how far each marker is from the truth."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MTBSYNC = Path(sys.executable).with_name("mtbsync")
STEPS = (
    (
        "Line the new run up with the reference, and carry ten markers over",
        "sync --reference data/sample/ref.mp4 --new data/sample/new.mp4 "
        "--ref-gpx data/sample/ref.gpx --new-gpx data/sample/new.gpx "
        "--markers data/sample/markers.csv --out demo_out",
    ),
    (
        "Write them for DaVinci Resolve: Timelines > Import > Timeline Markers from EDL",
        "export-markers demo_out/new_markers.csv --preset resolve-edl --out demo_out/resolve_markers.edl",
    ),
    (
        "Write them for Avid and others as a CMX3600 EDL with locators",
        "export-markers demo_out/new_markers.csv --preset edl --out demo_out/cmx3600.edl",
    ),
    ("Draw how well the two runs line up", "plot demo_out"),
    (
        "Compare with the truth, which is known because both rides were rendered",
        "evaluate --timewarp-json demo_out/timewarp.json --truth data/sample/truth_map.csv "
        "--markers demo_out/new_markers.csv",
    ),
)


def main() -> int:
    for purpose, command in STEPS:
        print(f"\n# {purpose}\n$ mtbsync {command}", flush=True)
        status = subprocess.run([MTBSYNC, *shlex.split(command)], cwd=ROOT, check=False).returncode
        if status != 0:
            return status
    print("\nNow open demo_out/sync.png, and demo_out/new_markers.csv in any spreadsheet.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
