"""Make a small picture by which a person knows a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.tasks.footage import located
from mtbsync_engine.files import replacing
from mtbsync_engine.media.still import still


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """`recording` as in `tasks.footage`; the picture of about `t_s` goes to `path`, as a JPEG.

    Raises:
        MtbsyncError: the recording is away or cannot be read, or the picture cannot be written.
    """
    with work.stage("Taking a picture"):
        picture = still(located(params["recording"]), params["t_s"])
        with replacing(Path(params["path"])) as temporary:
            temporary.write_bytes(picture)
    return {}
