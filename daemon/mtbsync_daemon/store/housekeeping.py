"""What the library itself can do without."""

from __future__ import annotations

import sqlite3

from mtbsync_daemon.store import events

# What syncs and line-ups are made of stays, and so does what alone can make a trail or a camera ready.
_OLD_JOBS = """
DELETE FROM jobs WHERE state NOT IN ('queued', 'running') AND ended_at < ?
AND id NOT IN (SELECT job_id FROM syncs)
AND id NOT IN (SELECT job_id FROM cameras WHERE job_id IS NOT NULL)
AND id NOT IN (SELECT job_id FROM line_ups)
AND (kind != 'index' OR json_extract(params, '$.trail') NOT IN (SELECT id FROM trails))
"""


def forget_old(db: sqlite3.Connection, before: float) -> None:
    """Forget jobs that ended before that moment, pushes that were taken back, and what timelines told then;
    and all but the newest events. Jobs that a sync, a trail or a session needs stay."""
    db.execute(_OLD_JOBS, (before,))
    db.execute("DELETE FROM pushes WHERE state = 'undone' AND created_at < ?", (before,))
    db.execute("DELETE FROM told WHERE told_at < ?", (before,))
    events.prune(db)
