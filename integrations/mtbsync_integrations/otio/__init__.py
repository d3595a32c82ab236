"""The OpenTimelineIO plug-in: each of mtbsync's formats as an adapter called `mtbsync_` and its name.

It claims no suffix that a stock adapter has: ask for an adapter by its name.
"""

from __future__ import annotations

from pathlib import Path

from opentimelineio.adapters import Adapter
from opentimelineio.plugins import manifest

from mtbsync_integrations.formats import format_names
from mtbsync_integrations.otio.adapter import PREFIX


def plugin_manifest() -> manifest.Manifest:
    """What OpenTimelineIO asks of a plug-in package: its adapters."""
    made = manifest.Manifest()
    adapter = str(Path(__file__).with_name("adapter.py"))
    made.adapters = [
        Adapter(name=PREFIX + name.replace("-", "_"), filepath=adapter, suffixes=[])
        for name in format_names()
    ]
    return made
