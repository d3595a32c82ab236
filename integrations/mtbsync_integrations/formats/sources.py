"""What the readers share: a file's text, and where its timeline begins."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.timing import Rate, Timecode


def read_text(path: Path, *, may_be_empty: bool = False) -> str:
    """The file's text, from UTF-8, or from UTF-16 that begins with a byte order mark, as Premiere and
    spreadsheets write it; line ends stay as they are.

    Raises:
        MarkerError: there is no such file, it is neither, or it is empty though it may not be.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MarkerError(f"There is no file {path}; check the path to the markers.") from None
    except OSError as error:
        raise MarkerError(f"{path} cannot be read ({error.strerror}); check what it is.") from error
    encoding = "utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise MarkerError(f"{path} is not UTF-8 text; save it again as UTF-8.") from None
    if not text.strip() and not may_be_empty:
        raise MarkerError(f"{path} is empty; export the markers again.")
    if "\0" in text:
        raise MarkerError(f"{path} is not UTF-8 text; save it again as UTF-8.")
    return text


def timeline_start(
    path: Path, rate: Rate | None, start: Timecode | None, usual: str, *, drop_frame: bool = False
) -> Timecode:
    """Where the timeline of a file that does not tell it begins: `start`, else `usual` at `rate`.

    Raises:
        MarkerError: neither is given.
    """
    if start is not None:
        return start
    if rate is None:
        raise MarkerError(
            f"{path} does not tell its timeline's frame rate; give it with --fps (for "
            "reference markers, --markers-fps)."
        )
    return Timecode.parse(usual, rate, drop_frame and rate.can_drop)
