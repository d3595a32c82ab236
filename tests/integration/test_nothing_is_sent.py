"""What mtbsync promises: it needs no network and sends nothing anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_RUN_A_NETWORK = """
import numpy as np
from mtbsync_engine.index.describe import describers
from mtbsync_engine.model import IndexParams

picture = np.random.default_rng(1).integers(0, 255, (270, 480)).astype(np.uint8)
describers(IndexParams(), None)().describe(picture)
"""


def test_running_a_network_leaves_no_note_of_it_for_its_makers(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    subprocess.run([sys.executable, "-c", _RUN_A_NETWORK], env=environment | home, check=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
