"""Which format a file is in, by its name and, where editors share a suffix, by how it begins."""

from __future__ import annotations

import re
from pathlib import Path

from mtbsync_engine.errors import ExportError, MarkerError
from mtbsync_integrations.formats import format_names

_HEAD_BYTES = 64 * 1024
_BY_SUFFIX = {".otio": "otio", ".fcpxml": "fcpxml", ".fcpxmld": "fcpxml", ".kdenlive": "kdenlive"}
_TO_BY_SUFFIX = {
    ".csv": "csv",
    ".edl": "edl",
    ".fcpxml": "fcpxml",
    ".kdenlive": "kdenlive",
    ".mlt": "mlt",
    ".otio": "otio",
    ".xml": "premiere",
}
# In order: the first that is found says it.
_SIGNS = {
    ".edl": (("resolve-edl", r"\|C:ResolveColor"), ("edl", r"")),
    ".xml": (("premiere", r"<xmeml\b"), ("fcpxml", r"<fcpxml\b"), ("shotcut", r"<mlt\b")),
    ".mlt": (("shotcut", r"\bshotcut\b"), ("kdenlive", r"\bkdenlive:"), ("mlt", r"")),
    ".csv": (
        ("premiere-csv", r"\A\W*Marker Name\b"),
        ("resolve-csv", r"\A[^\n]*\bRecord In\b"),
        ("csv", r""),
    ),
    ".txt": (("avid", r"\A[^\t\n]*\t\d\d:\d\d:\d\d[:;]"), ("youtube", r"(?m)^\W*\d+:\d\d\b")),
}


def format_of(path: Path) -> str:
    """The name of the format that the file at `path` is in.

    Raises:
        MarkerError: there is no such file, or it is none that mtbsync reads.
    """
    suffix = path.suffix.lower()
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    head = _head(path)
    for name, sign in _SIGNS.get(suffix, ()):
        if re.search(sign, head):
            return name
    known = ", ".join(format_names())
    raise MarkerError(
        f"{path} looks like no format that mtbsync knows; if it is one, say which: "
        f"`mtbsync convert --from NAME` takes {known}."
    )


def format_to(path: Path) -> str:
    """The name of the format that a file called `path` is to be written in.

    Raises:
        ExportError: its suffix does not tell.
    """
    name = _TO_BY_SUFFIX.get(path.suffix.lower())
    if name is None:
        known = ", ".join(format_names())
        raise ExportError(f"{path.name} does not tell its format; name it with --to: {known}.")
    return name


def _head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError:
        raise MarkerError(f"There is no file {path}; check the path.") from None
    except OSError as error:
        raise MarkerError(f"{path} cannot be read ({error.strerror}); check what it is.") from error
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return head.decode(encoding, errors="replace")
