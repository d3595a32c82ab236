"""The settings as they are now: read again whenever their file changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from mtbsync_daemon.config import Config, ConfigError, load_config, read_text, understood

_FROM_START = ("sweep_s", "server", "jobs", "executor")


class Settings:
    """`current` are the settings that count. Where the file has become wrong, that is `problem`, and those
    from before go on to count; so they do where it is gone or empty, as while an editor writes it anew."""

    def __init__(self, path: Path) -> None:
        """Read the settings at `path`.

        Raises:
            ConfigError: they cannot be used.
        """
        self.path = path
        self.problem: str | None = None
        self._stamp = self._look()
        self.current = self._at_start = load_config(path)
        self._listeners: list[Callable[[Config], None]] = []

    @property
    def waiting(self) -> tuple[str, ...]:
        """Settings that were changed and count from the next start on."""
        return tuple(
            name for name in _FROM_START if getattr(self.current, name) != getattr(self._at_start, name)
        )

    def on_change(self, listener: Callable[[Config], None]) -> None:
        """Have `listener` called with the new settings whenever they change, in another thread."""
        self._listeners.append(listener)

    async def look(self) -> None:
        """Read the file again where it has changed."""
        stamp = self._look()
        if stamp != self._stamp:
            self._stamp = stamp
            # Whoever listens may have to wait for a share that does not answer.
            await asyncio.to_thread(self._read_again)

    def _read_again(self) -> None:
        try:
            text = read_text(self.path)
            wanted = understood(text, self.path)
            if not text.strip() and self.current != wanted:
                raise ConfigError(
                    f"{self.path} is missing or empty, so the settings from before go on to count; write it "
                    "again, or start mtbsync anew to go on without it."
                )
        except ConfigError as error:
            self.problem = str(error)
            return
        self.problem = None
        if wanted != self.current:
            self.current = wanted
            for listener in self._listeners:
                listener(wanted)

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size
