"""The commands that show files on disk, as a person starts them, and a browser that was let in."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from support.daemons import PATIENCE_S
from support.program import PROGRAM

T = TypeVar("T")


class Looking:
    """`mtbsync preview` or another of them, on any port, ready to be asked. `temporary` is the folder that it
    takes for the system's temporary one."""

    def __init__(self, *words: object, temporary: Path, environment: Mapping[str, str] | None = None) -> None:
        self.temporary = temporary
        temporary.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [PROGRAM, str(words[0]), "--port", "0", "--json", "--no-browser", *map(str, words[1:])],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env={
                **os.environ,
                **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)),
                **(environment or {}),
            },
            creationflags=subprocess.CREATE_NEW_PROCESS_GROUP if sys.platform == "win32" else 0,
        )
        assert self.process.stdout is not None
        too_late = threading.Timer(PATIENCE_S, self.process.kill)
        too_late.start()
        line = self.process.stdout.readline()
        too_late.cancel()
        assert line, self.process.communicate()
        self.said: dict[str, Any] = json.loads(line)
        assert self.said["ok"], self.said
        self.url: str = self.said["url"]
        self.host = urlsplit(self.url).netloc
        self.cookie = ""

    def come_in(self) -> str:
        """Follow the link that was printed, as a browser does, and keep the cookie; where it leads to."""
        parts = urlsplit(self.url)
        status, headers, _ = self.send("GET", f"{parts.path}?{parts.query}")
        assert status == 303, status
        self.cookie = headers["Set-Cookie"].partition(";")[0]
        return headers["Location"]

    def send(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of an answer to the page."""
        sent = {"Origin": f"http://{self.host}", "Cookie": self.cookie, "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE_S)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The document that is answered under /api/v1."""
        status, _, raw = self.send(method, f"/api/v1{path}", body, **headers)
        assert status < 400, raw
        return json.loads(raw) if raw else None

    def recordings(self) -> dict[str, Any]:
        """All recordings by name."""
        return {r["name"]: r for r in self.ask("GET", "/recordings")["recordings"]}

    def markers(self, recording_id: str) -> dict[str, Any]:
        """A run's markers by name."""
        found = self.ask("GET", f"/recordings/{recording_id}/markers")["markers"]
        return {marker["name"]: marker for marker in found}

    def until(self, found: Callable[[], T]) -> T:
        """What `found` gives, once it gives anything."""
        ends = time.monotonic() + PATIENCE_S
        while not (value := found()):
            assert time.monotonic() < ends, "it never came to that"
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.05)
        return value

    def interrupt(self) -> int:
        """Press Ctrl-C (on Windows Ctrl-Break, which can be sent to one program); its exit status."""
        self.process.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGINT)
        _, self.warned = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode

    def left_behind(self) -> list[str]:
        """What lies in the temporary folder."""
        return sorted(path.name for path in self.temporary.iterdir() if path.name.startswith("mtbsync-"))

    def end(self) -> None:
        """See that it has ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
