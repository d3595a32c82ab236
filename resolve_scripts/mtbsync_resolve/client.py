"""The daemon on this machine, over loopback HTTP; docs/api.md says what it answers."""

import http.client
import json
import os
import posixpath
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

from . import NotRunningError, ScriptError
from .place import File, Recording
from .plan import Marker, Step

_TIMEOUT_S = 20
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NOT_RUNNING = "mtbsync is not running. Start it, and run this script again."


def data_folder(platform: str, environment: Mapping[str, str], home: str) -> str:
    """mtbsync's folder for data on this system (as platformdirs' user_data_dir names it)."""
    if platform == "win32":
        local = environment.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
        return os.path.join(local, "mtbsync", "mtbsync")
    chosen = environment.get("XDG_DATA_HOME", "")
    if posixpath.isabs(chosen):
        return posixpath.join(chosen, "mtbsync")
    below = "Library/Application Support" if platform == "darwin" else ".local/share"
    return posixpath.join(home, below, "mtbsync")


def connect() -> "Client":
    """The daemon that runs as this user, found by the file it keeps while it runs.

    Raises:
        NotRunningError: there is none.
        ScriptError: its file cannot be used.
    """
    path = os.path.join(data_folder(sys.platform, os.environ, os.path.expanduser("~")), "daemon.json")
    try:
        with open(path, encoding="utf-8") as file:
            told = json.load(file)
        url, token = told["url"], told["token"]
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "http" or parts.hostname not in _LOOPBACK or not isinstance(token, str):
            raise ValueError(url)
    except FileNotFoundError:
        raise NotRunningError(_NOT_RUNNING) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise ScriptError(f"{path} cannot be used; restart mtbsync, and run this script again.") from None
    return Client(url, token)


class Client:
    """Asks the daemon at `url`. Where it refuses, ScriptError holds its own sentence."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/") + "/api/v1"
        self._token = token
        # Whatever proxy the system has, loopback needs none, and the token is nobody else's.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def find(self, paths: Sequence[str]) -> List[Recording]:
        """The recordings that the daemon knows of, among those that own these files."""
        return self._recordings(self._ask("GET", "/recordings", query=[("path", path) for path in paths]))

    def register(self, paths: Sequence[str]) -> List[Recording]:
        """The recordings that own these files, which the daemon gets to know where it does not yet."""
        return self._recordings(self._ask("POST", "/recordings", {"paths": list(paths)}))

    def set_reference(self, recording: Recording) -> None:
        """Make a recording one that new runs are compared with."""
        self._ask("POST", "/trails", {"recording": recording.recording_id})

    def sync(self, recording: Recording, pause_s: float) -> Iterator[Dict[str, Any]]:
        """Line a recording up with its reference: what the daemon says of it, until it has ended."""
        sync = self._ask("POST", "/syncs", {"recording": recording.recording_id})
        yield sync
        while sync["state"] in ("queued", "running"):
            time.sleep(pause_s)
            sync = self._ask("GET", "/syncs/" + _quoted(sync["id"]))
            yield sync

    def markers(self, recording: Recording) -> List[Dict[str, Any]]:
        """A recording's markers, in the words that Resolve can hold."""
        query = [("recording", recording.recording_id), ("editor", "resolve")]
        return list(self._ask("GET", "/markers", query=query)["markers"])

    def put_markers(self, recording: Recording, timeline_id: str, markers: List[Dict[str, Any]]) -> None:
        """Tell what a timeline shows over a recording; it replaces what that timeline told before."""
        body = {"recording": recording.recording_id, "timeline": timeline_id, "markers": markers}
        self._ask("PUT", "/markers", body)

    def pushes(self, timeline_id: str) -> List[Dict[str, Any]]:
        """What was pushed to a timeline and not taken back, newest first."""
        told = self._ask("GET", "/pushes", query=[("timeline", timeline_id)])["pushes"]
        return [dict(push, steps=[_step(s) for s in push["steps"]]) for push in told]

    def begin_push(self, timeline_id: str, timeline_name: str, steps: Sequence[Step]) -> str:
        """Note in the journal what is about to be done, before it is; gives the push's id."""
        body = {"timeline": timeline_id, "name": timeline_name, "steps": [_plain(s) for s in steps]}
        return str(self._ask("POST", "/pushes", body)["id"])

    def end_push(self, push_id: str, steps: Sequence[Step]) -> None:
        """Note what has really been done."""
        body = {"state": "done", "steps": [_plain(s) for s in steps]}
        self._ask("PATCH", "/pushes/" + _quoted(push_id), body)

    def mark_undone(self, push_id: str) -> None:
        """Note that a push has been taken back."""
        self._ask("PATCH", "/pushes/" + _quoted(push_id), {"state": "undone"})

    def sessions(self) -> List[Dict[str, Any]]:
        """The events that several cameras recorded, newest first."""
        return list(self._ask("GET", "/sessions")["sessions"])

    def synced_timeline(self, session_id: str) -> Dict[str, Any]:
        """A session's cameras as tracks that are in sync, from the bottom up."""
        return self._ask("GET", "/sessions/" + _quoted(session_id) + "/timeline")

    def next_request(self, timeline_name: Optional[str], wait_s: float) -> Optional[Dict[str, Any]]:
        """What a person asks for on mtbsync's page, for which this waits up to `wait_s`; None for nothing."""
        body = {"timeline": timeline_name, "wait_s": wait_s}
        request = self._ask("POST", "/resolve/connection", body)["request"]
        return None if request is None else dict(request)

    def answer(self, request: Mapping[str, Any], state: str, said: str) -> None:
        """Tell the page what came of it: `state` is done or failed."""
        body = {"state": state, "said": said}
        self._ask("PATCH", "/resolve/requests/" + _quoted(request["id"]), body)

    def _ask(self, method: str, path: str, body: Any = None, query: Any = ()) -> Dict[str, Any]:
        url = self._url + path + ("?" + urllib.parse.urlencode(query) if query else "")
        data = None if body is None else json.dumps(body).encode("utf-8")
        headers = {"Authorization": "Bearer " + self._token, "Content-Type": "application/json"}
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                document = json.loads(answer.read().decode("utf-8"))
        except urllib.error.HTTPError as error:
            raise ScriptError(_sentence(error)) from None
        except (OSError, http.client.HTTPException):
            raise NotRunningError(_NOT_RUNNING) from None
        except ValueError:
            raise ScriptError("mtbsync's answer cannot be read; update mtbsync and these scripts.") from None
        return dict(document)

    def _recordings(self, document: Dict[str, Any]) -> List[Recording]:
        return [
            Recording(
                r["id"],
                r["name"],
                r["is_reference"],
                tuple(File(f["path"], f["offset_s"], f["duration_s"]) for f in r["files"]),
            )
            for r in document["recordings"]
        ]


def _sentence(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read().decode("utf-8"))["detail"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"mtbsync refused with status {error.code}; update mtbsync and these scripts."


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def _plain(step: Step) -> Dict[str, Any]:
    return {side: None if m is None else dict(m._asdict()) for side, m in step._asdict().items()}


def _step(document: Dict[str, Any]) -> Step:
    return Step(*(None if document[s] is None else Marker(**document[s]) for s in ("before", "after")))
