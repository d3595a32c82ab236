"""The HTTP interface: routes, who may ask, and what follows along."""

from __future__ import annotations

from mtbsync_daemon.http.server import PortError, Site, make_app, start

__all__ = ["PortError", "Site", "make_app", "start"]
