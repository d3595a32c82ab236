"""A program in a process of its own: what it cost, and that it ends."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.bench.alone import call_alone, run_alone

_MEGABYTE = 2**20


def _hold(n_bytes: int) -> int:
    return len(bytearray(n_bytes))


def test_a_call_s_memory_is_its_own() -> None:
    _, small = call_alone(_hold, _MEGABYTE)
    held, large = call_alone(_hold, 300 * _MEGABYTE)
    assert held == 300 * _MEGABYTE
    assert 250 < large.peak_mb - small.peak_mb < 350


def test_processor_seconds_of_what_a_program_starts_count(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.6: pass"
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}], check=True)"
    ran = run_alone([sys.executable, "-c", start], cwd=tmp_path, cpu_limit_s=60)
    assert ran.status == 0
    assert ran.cost.cpu_s > 0.6


def test_a_program_is_stopped_at_its_limit(tmp_path: Path) -> None:
    ran = run_alone([sys.executable, "-c", "while True: pass"], cwd=tmp_path, cpu_limit_s=0.5)
    assert ran.status is None


def test_how_a_program_failed_is_told(tmp_path: Path) -> None:
    ran = run_alone([sys.executable, "-c", "raise SystemExit('no ' + 'way')"], cwd=tmp_path, cpu_limit_s=60)
    assert ran.status == 1
    assert "no way" in ran.output
