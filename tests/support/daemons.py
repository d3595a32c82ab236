"""A real daemon in a process of its own, as a person or another program meets it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psutil

if sys.platform != "win32":
    import resource

T = TypeVar("T")
# Generous, as the computer may be busy with other tests; nothing waits that long when all is well.
PATIENCE_S = 120.0
_SERVE = "import sys; from pathlib import Path; from mtbsync_daemon.app import serve; "
_SERVE += "serve(Path(sys.argv[1]), Path(sys.argv[2]))"


class Daemon:
    """`root` gets the daemon's settings and data; `settings` is TOML."""

    def __init__(self, root: Path, settings: str = "") -> None:
        self.data, self.config, self.said = root / "data", root / "mtbsync.toml", root / "daemon.log"
        self.config.write_text(settings, encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None
        self.url = self.token = ""

    def start(self, largest_file_bytes: int | None = None) -> None:
        """Start it, and wait until it answers. With `largest_file_bytes` it and its children write into a
        disk that is full once a file has that size (not on Windows)."""
        (self.data / "daemon.json").unlink(missing_ok=True)
        with self.said.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", _SERVE, self.config, self.data],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                # The limit is for the daemon alone; this process has no other threads that matter.
                preexec_fn=None  # noqa: PLW1509
                if largest_file_bytes is None
                else partial(_limit, largest_file_bytes),
            )
        self.until(self._is_told)

    def _is_told(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.said.read_text(encoding="utf-8")
        try:
            told = json.loads((self.data / "daemon.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return False
        self.url, self.token = told["url"], told["token"]
        return True

    def stop(self) -> int:
        """Tell it to stop, as the system does; its exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE_S)

    def kill(self) -> list[psutil.Process]:
        """Kill it at once, without a chance to tidy up; gives the children that it had."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.wait(PATIENCE_S)
        return children

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """What the daemon answers under /api/v1; an AssertionError where it refuses."""
        status, document = self.answer(method, path, body, **headers)
        assert status < 400, document
        return document

    def answer(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and document."""
        data = None if body is None else json.dumps(body).encode()
        sent = {
            "Authorization": f"Bearer {self.token}",
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        if data is not None:
            sent["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + "/api/v1" + path, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                raw = answer.read()
                return answer.status, json.loads(raw) if raw else None
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def jobs(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Every job, newest first."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.ask("GET", "/jobs?limit=200" + (f"&cursor={cursor}" if cursor else ""))
            found += page["jobs"]
            cursor = urllib.parse.quote(page["next_cursor"] or "")
            if not cursor:
                return [job for job in found if kind in (None, job["kind"])]

    def metric(self, name: str) -> float:
        """A figure of the metrics."""
        sent = {"Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(self.url + "/api/v1/metrics", headers=sent)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            lines = answer.read().decode().splitlines()
        (line,) = [line for line in lines if line.startswith(f"{name} ")]
        return float(line.split()[1])

    def until(self, found: Callable[[], T]) -> T:
        """What `found` gives, once it gives anything."""
        ends = time.monotonic() + PATIENCE_S
        while True:
            value = found()
            if value:
                return value
            assert time.monotonic() < ends, self._how_it_stands()
            time.sleep(0.05)

    def until_idle(self) -> None:
        """Wait until there is no more to do."""
        self.until(lambda: not any(job["state"] in ("queued", "running") for job in self.jobs()))

    def _how_it_stands(self) -> str:
        said = self.said.read_text(encoding="utf-8", errors="replace")
        return f"The time is over. The daemon said: {said}"


def _limit(n_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


def gone(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Wait for processes to end; gives those that do not."""
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)
    return alive
