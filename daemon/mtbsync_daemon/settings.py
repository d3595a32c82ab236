"""The settings as they are now: read again whenever their file changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from mtbsync_daemon.config import Config, ConfigError, load_config, read_text, understood
from mtbsync_engine.files import write_text

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
        self._one_at_a_time = asyncio.Lock()

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
        async with self._one_at_a_time:
            await self._follow()

    async def change(self, edit: Callable[[str], str]) -> None:
        """Have the file say what `edit` makes of what it says; that counts once this is done.

        Raises:
            ConfigError: the file is wrong as it is, or `edit` finds that it would be.
            OutputError: it cannot be written.
        """
        async with self._one_at_a_time:
            await self._follow()
            if self.problem is not None:
                raise ConfigError(self.problem)
            await asyncio.to_thread(self._write, edit)
            await self._follow()

    def _write(self, edit: Callable[[str], str]) -> None:
        # Where it is a link, as to a folder that is kept under version control, it stays one.
        write_text(self.path.resolve(), edit(read_text(self.path)))

    async def _follow(self) -> None:
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
