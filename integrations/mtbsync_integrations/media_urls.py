"""Paths and file URLs of media, on whatever system they were written.

A project travels: a path from Windows must survive on Linux, so nothing here asks the system it runs on.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote

_DRIVE = re.compile(r"/?([A-Za-z]):(?=[\\/]|$)")
# Of a file there is no query and no fragment, so a bare ? or # belongs to its name.
_FILE_URL = re.compile(r"file:(?://(?P<server>[^/]*))?(?P<path>/?.*)", re.IGNORECASE | re.DOTALL)
_SAFE = "/:!$&'()*+,;=@-._~"


def url_of(path: Path | str) -> str:
    """The file URL of an absolute path of any system: `/a b`, `C:\\a b` or `\\\\server\\share\\a b`."""
    text = str(path)
    drive = _DRIVE.match(text)
    if drive or text.startswith("\\\\"):
        text = text.replace("\\", "/")
    if text.startswith("//"):
        server, _, rest = text[2:].partition("/")
        return f"file://{server}/{quote(rest, safe=_SAFE)}"
    return "file://" + quote(f"/{text}" if drive and not text.startswith("/") else text, safe=_SAFE)


def path_of(url: str) -> str:
    """The path behind a file URL, as its own system writes it: `/a b`, `C:/a b` or `//server/share/a b`.

    What is no file URL is given back as it is.
    """
    match = _FILE_URL.fullmatch(url)
    if match is None:
        return url
    server, path = match["server"] or "", unquote(match["path"])
    if server and server.lower() != "localhost":
        return f"//{server}{path}"
    return path[1:] if _DRIVE.match(path) else path


def normal_url(text: str) -> str:
    """One spelling for every way in which editors write a medium's place: a URL with or without
    `localhost`, with more or less of it quoted, or a bare absolute path. A relative path and the address
    of anything else are given back as they are; empty stays empty."""
    if not text:
        return ""
    if text.lower().startswith("file:"):
        return url_of(path_of(text))
    if text.startswith(("/", "\\\\")) or _DRIVE.match(text):
        return url_of(text)
    return text


def file_name(url: str) -> str:
    """The last part of a URL or path, unquoted."""
    return re.split(r"[\\/]", path_of(url))[-1]
