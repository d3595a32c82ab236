"""How long each stage took and what it cost, for perf.json."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil


class Perf:
    """Times stages of one piece of work in this process."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._started = time.perf_counter()
        self._cpu_started = self._cpu_s()
        self._peak_rss = 0
        self.stage_s: dict[str, float] = {}
        self.n_pictures: dict[str, int] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time the block takes to stage `name`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.stage_s[name] = self.stage_s.get(name, 0.0) + time.perf_counter() - began
            self._peak_rss = max(self._peak_rss, self._process.memory_info().rss)

    def total_s(self) -> float:
        """Seconds since this began."""
        return time.perf_counter() - self._started

    def document(self) -> dict[str, Any]:
        """Seconds per stage and in all, pictures and pictures a second, CPU and memory."""
        total_s = self.total_s()
        return {
            "stages_sec": {name: round(s, 4) for name, s in self.stage_s.items()},
            "total_sec": round(total_s, 4),
            "frames": self.n_pictures,
            "fps": {
                name: round(n / self.stage_s[name], 2)
                for name, n in self.n_pictures.items()
                if self.stage_s.get(name)
            },
            "cpu_percent": round(100 * (self._cpu_s() - self._cpu_started) / total_s, 1),
            "rss_mb": round(self._peak_rss / 2**20, 1),
            "gpu": None,
        }

    def _cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)
