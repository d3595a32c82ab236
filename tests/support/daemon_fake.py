"""The daemon's HTTP interface as docs/api.md defines it, with its state in memory.

A real HTTP server on loopback. It refuses whatever that document does not allow: an unknown route, a
missing or unknown field, a wrong type, a wrong token.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

TOKEN = "t0ken-of-the-test"
_MARKER = {"frame": int, "colour": str, "name": str, "note": str, "n_frames": int, "custom_data": str}
_PULLED = {
    "t_s": float,
    "duration_s": float,
    "name": str,
    "colour": str,
    "note": str,
    "changed": bool,
}


class RefusalError(Exception):
    """An answer of `status` with one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass
class State:
    """What the daemon knows. `files_of` are recordings on disk that nobody has told it of yet."""

    recordings: dict[str, dict[str, Any]] = field(default_factory=dict)
    on_disk: dict[str, dict[str, Any]] = field(default_factory=dict)
    markers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    pulled: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    syncs: dict[str, dict[str, Any]] = field(default_factory=dict)
    sync_ends: dict[str, dict[str, Any]] = field(default_factory=dict)
    pushes: list[dict[str, Any]] = field(default_factory=list)

    def add_recording(self, recording_id: str, *paths: str, duration_s: float = 600.0) -> None:
        """A recording with files of equal length, on disk and not yet known."""
        each_s = duration_s / len(paths)
        self.on_disk[recording_id] = {
            "id": recording_id,
            "name": paths[0].rpartition("/")[2],
            "is_reference": False,
            "duration_s": duration_s,
            "files": [
                {"path": path, "offset_s": k * each_s, "duration_s": each_s} for k, path in enumerate(paths)
            ],
        }


def _exactly(body: Any, fields: dict[str, Any]) -> None:
    if not isinstance(body, dict) or set(body) != set(fields):
        raise RefusalError(400, f"The body must have exactly {', '.join(fields)}.")
    for name, kind in fields.items():
        value = body[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise RefusalError(400, f"'{name}' has a wrong type.")


def _steps(steps: list[Any]) -> None:
    for step in steps:
        _exactly(step, {"before": (dict, type(None)), "after": (dict, type(None))})
        sides = [side for side in step.values() if side is not None]
        if not sides:
            raise RefusalError(400, "A step changes nothing.")
        for side in sides:
            _exactly(side, _MARKER)


def _only(query: list[tuple[str, str]], *names: str) -> None:
    if not query or {name for name, _ in query} != set(names):
        raise RefusalError(400, f"The query must have {' and '.join(names)}.")


class _Routes:
    """One method a route: METHOD_noun; those with an id in the path get it."""

    def __init__(self, state: State) -> None:
        self.state = state

    def GET_recordings(self, query: list[tuple[str, str]], body: Any) -> dict[str, Any]:
        _only(query, "path")
        return {"recordings": self._owners([path for _, path in query], self.state.recordings)}

    def POST_recordings(self, query: list[tuple[str, str]], body: Any) -> dict[str, Any]:
        _exactly(body, {"paths": list})
        found = self._owners(body["paths"], self.state.on_disk)
        owned = {f["path"] for r in found for f in r["files"]}
        for path in body["paths"]:
            if path not in owned:
                raise RefusalError(403, f"{path} lies outside the folders that mtbsync may read.")
        for recording in found:
            self.state.recordings[recording["id"]] = recording
        return {"recordings": found}

    def PATCH_recordings_id(self, recording_id: str, body: Any) -> dict[str, Any]:
        _exactly(body, {"is_reference": bool})
        recording = self._recording(recording_id)
        recording["is_reference"] = body["is_reference"]
        return recording

    def POST_syncs(self, query: list[tuple[str, str]], body: Any) -> dict[str, Any]:
        _exactly(body, {"recording": str})
        self._recording(body["recording"])
        sync = {"id": f"s{len(self.state.syncs)}", "recording": body["recording"], "reference": None}
        sync |= {"state": "queued", "progress": 0.0, "verdict": None, "reasons": [], "error": None}
        self.state.syncs[sync["id"]] = sync
        return dict(sync)

    def GET_syncs_id(self, sync_id: str, body: Any) -> dict[str, Any]:
        if sync_id not in self.state.syncs:
            raise RefusalError(404, "There is no such sync.")
        sync = self.state.syncs[sync_id]
        if sync["state"] == "queued":
            sync |= {"state": "running", "progress": 0.5}
        else:
            sync |= {"progress": 1.0, **self.state.sync_ends[sync["recording"]]}
        return dict(sync)

    def GET_markers(self, query: list[tuple[str, str]], body: Any) -> dict[str, Any]:
        _only(query, "recording", "editor")
        asked = dict(query)
        if asked["editor"] != "resolve":
            raise RefusalError(400, "There is no such editor.")
        self._recording(asked["recording"])
        return {"markers": self.state.markers.get(asked["recording"], [])}

    def PUT_markers(self, query: list[tuple[str, str]], body: Any) -> dict[str, Any]:
        _exactly(body, {"recording": str, "timeline": str, "markers": list})
        self._recording(body["recording"])
        for marker in body["markers"]:
            _exactly(marker, {"id": (str, type(None)), **_PULLED})
        self.state.pulled[body["recording"], body["timeline"]] = body["markers"]
        return {}

    def GET_pushes(self, query: list[tuple[str, str]], body: Any) -> dict[str, Any]:
        _only(query, "timeline")
        own = [p for p in self.state.pushes if p["timeline"] == query[0][1] and p["state"] != "undone"]
        return {"pushes": own[::-1]}

    def POST_pushes(self, query: list[tuple[str, str]], body: Any) -> dict[str, Any]:
        _exactly(body, {"timeline": str, "name": str, "steps": list})
        _steps(body["steps"])
        push = {"id": f"p{len(self.state.pushes)}", "state": "started", **body}
        self.state.pushes.append(push)
        return push

    def PATCH_pushes_id(self, push_id: str, body: Any) -> dict[str, Any]:
        push = next((p for p in self.state.pushes if p["id"] == push_id), None)
        if push is None:
            raise RefusalError(404, "There is no such push.")
        if isinstance(body, dict) and body.get("state") == "done" and push["state"] == "started":
            _exactly(body, {"state": str, "steps": list})
            _steps(body["steps"])
        elif push["state"] == "undone" or body != {"state": "undone"}:
            raise RefusalError(409, "A push goes from started to done to undone.")
        push |= body
        return push

    def _recording(self, recording_id: str) -> dict[str, Any]:
        if recording_id not in self.state.recordings:
            raise RefusalError(404, "There is no such recording.")
        return self.state.recordings[recording_id]

    def _owners(self, paths: list[str], among: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
        return [r for r in among.values() if {f["path"] for f in r["files"]} & set(paths)]


@contextmanager
def daemon(state: State) -> Iterator[str]:
    """Serve `state` for the block, at the address that is yielded."""
    routes = _Routes(state)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            try:
                status, document = 200, self._find(json.loads(raw) if raw else None)
            except RefusalError as refusal:
                status, document = refusal.status, {"error": str(refusal)}
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _find(self, body: Any) -> dict[str, Any]:
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise RefusalError(401, "The token is wrong; restart mtbsync.")
            parts = urlsplit(self.path)
            api, version, *words = parts.path.strip("/").split("/")
            if (api, version) != ("api", "v1") or not 1 <= len(words) <= 2:
                raise RefusalError(404, "There is no such page.")
            name = f"{self.command}_{words[0]}" + ("_id" if len(words) == 2 else "")
            route = getattr(routes, name, None)
            if route is None:
                raise RefusalError(404, "There is no such page.")
            answer: dict[str, Any]
            if len(words) == 2:
                answer = route(unquote(words[1]), body)
            else:
                answer = route(parse_qsl(parts.query, strict_parsing=bool(parts.query)), body)
            return answer

        do_GET = do_POST = do_PUT = do_PATCH = _answer  # noqa: N815 - the library calls them so

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
