"""What becomes of a task whose files are not there."""

from __future__ import annotations

from mtbsync_engine.errors import MediaError


class AwayError(MediaError):
    """The files are not there now, as when a drive was unplugged; the library waits for them."""
