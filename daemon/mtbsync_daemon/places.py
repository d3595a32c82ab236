"""Where the daemon keeps things: all of it under one data folder, but for the settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import platformdirs

_NAME = "mtbsync"


def default_data() -> Path:
    """This system's folder for what programs keep for a user."""
    return Path(platformdirs.user_data_dir(_NAME))


def default_config() -> Path:
    """This system's place for a user's settings."""
    return Path(platformdirs.user_config_dir(_NAME)) / "mtbsync.toml"


@dataclass(frozen=True)
class Places:
    """The data folder, and what lies where in it."""

    data: Path

    @property
    def database(self) -> Path:
        """The library."""
        return self.data / "library.sqlite"

    @property
    def backups(self) -> Path:
        """The library as it was before each upgrade."""
        return self.data / "backups"

    @property
    def lock(self) -> Path:
        """Held by the one daemon that uses this folder."""
        return self.data / "daemon.lock"

    @property
    def info(self) -> Path:
        """Tells programs of the same user where the daemon listens, and the token; there while it runs."""
        return self.data / "daemon.json"

    @property
    def housekeeping(self) -> Path:
        """As old as the last housekeeping."""
        return self.data / "housekeeping"

    @property
    def artifacts(self) -> Path:
        """What stages made of videos: all of it can be made again."""
        return self.data / "artifacts"

    @property
    def logs(self) -> Path:
        """One file for each job."""
        return self.data / "logs"

    @property
    def output(self) -> Path:
        """Where exports go unless the settings name another folder."""
        return self.data / "output"

    @property
    def footage(self) -> Path:
        """What was dropped onto the page. It may be the only copy that there is."""
        return self.data / "footage"

    @property
    def uploads(self) -> Path:
        """What is dropped onto the page and has not come whole yet, on the disk where it is to lie."""
        return self.footage / ".uploads"

    @property
    def media(self) -> Path:
        """What was made of sessions' footage, unless the settings name another storage."""
        return self.data / "media"

    def light_copy_of(self, recording_id: str) -> Path:
        """The folder of a recording's light copy, with a file NUMBER.mp4 for each chapter."""
        return self.artifacts / "light" / recording_id

    def still_of(self, recording_id: str) -> Path:
        """A picture by which people know a recording."""
        return self.artifacts / "stills" / f"{recording_id}.jpg"

    def log_of(self, job_id: str) -> Path:
        """What a job said."""
        return self.logs / f"{job_id}.log"
