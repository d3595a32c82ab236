"""Asks the daemon of this user, over loopback HTTP; docs/api.md says what it answers."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from mtbsync_daemon.hints import hint
from mtbsync_daemon.places import Places
from mtbsync_engine.errors import InputError

_TIMEOUT_S = 30.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class NotRunningError(InputError):
    """No daemon uses the data folder, or it does not answer."""


class RefusedError(InputError):
    """The daemon will not do what it was asked; `status` is that of its answer."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class Client:
    """The daemon at `url`, with the `token` that it gave to programs of this user."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._token = token
        # Whatever proxy the system has, loopback needs none, and the token is nobody else's.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What lies at `path`, below /api/v1."""
        return self.ask("GET", f"{path}?{urlencode(query)}" if query else path)

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, version: int | None = None
    ) -> dict[str, Any]:
        """The answer to a request; `version` is the one of what it changes.

        Raises:
            RefusedError: the daemon says no, in its own words.
            NotRunningError: it does not answer.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        content, _ = self._send(method, path, data, headers)
        try:
            document = json.loads(content or b"{}")
        except ValueError as error:
            raise RefusedError(f"What answers at {self.url} is not this mtbsync; restart it.", 200) from error
        return dict(document)

    def download(self, path: str) -> tuple[str, bytes]:
        """The file at `path`, below /api/v1: what it is called, and its content.

        Raises:
            RefusedError, NotRunningError: as `ask`.
        """
        content, headers = self._send("GET", path, None, {})
        return headers.get_filename() or "", content

    def _send(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]
    ) -> tuple[bytes, Message]:
        sent = {"Authorization": f"Bearer {self._token}", **headers}
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data, sent, method=method)
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                return answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                raise RefusedError(_sentence(error), error.code) from None
        except OSError as error:
            raise NotRunningError(
                f"mtbsync does not answer at {self.url}; end it where it still runs, and start it again with "
                "`mtbsync serve`."
            ) from error

    def login_url(self, to: str = "") -> str:
        """An address that lets a browser in, once, and shows it the place `to` of the page."""
        url = str(self.ask("POST", "/login-codes")["url"])
        return f"{url}&{urlencode({'to': to}, safe='/')}" if to else url


def connect(data: Path) -> Client:
    """The daemon that uses the data folder `data`, found by the file it keeps there while it runs.

    Raises:
        NotRunningError: there is none.
    """
    told = Places(data).info
    start = hint("mtbsync serve", data)
    try:
        about = json.loads(told.read_text(encoding="utf-8"))
        url, token, pid = about["url"], about["token"], about["pid"]
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname not in _LOOPBACK or not isinstance(token, str):
            raise ValueError(url)
        is_there = _is_there(pid)
    except FileNotFoundError:
        raise NotRunningError(
            f"mtbsync is not running with {data}; start it with {start}, or name another folder with --data."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotRunningError(
            f"{told} cannot be used; stop mtbsync, and start it again with {start}."
        ) from error
    if not is_there:
        raise NotRunningError(
            f"mtbsync was killed and does not run any more; start it with {start}, and it goes on."
        )
    return Client(url, token)


def _is_there(pid: int) -> bool:
    """Whether a process of this user has that id, and is not merely one that nobody has missed yet."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def quoted(name: str) -> str:
    """An id or a name as a part of a path."""
    return quote(name, safe="")


def _sentence(error: urllib.error.HTTPError) -> str:
    try:
        said = json.loads(error.read())
        return str(said.get("detail") or said["title"])
    except (OSError, ValueError, KeyError, AttributeError):
        return f"mtbsync refused with status {error.code}; restart it, as it may be of another version."
