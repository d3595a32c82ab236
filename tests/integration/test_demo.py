"""`make demo`, from an empty folder to markers for editors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.daemons import PATIENCE_S

_DEMO = Path(__file__).resolve().parents[2] / "scripts" / "demo.py"


def test_the_demo_shows_the_main_job_from_end_to_end(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, _DEMO, "--once"],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=2 * PATIENCE_S,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    out = tmp_path / "demo_out"
    for name in ("new_csv.csv", "new_resolve_edl.edl", "new_edl.edl", "new_fcpxml.fcpxml"):
        assert (out / "markers" / name).is_file()
        assert name in shown.stdout
    assert (out / "sync.png").is_file()
    assert "Stated errors hold for" in shown.stdout
    assert not (out / "data" / "daemon.json").exists()
