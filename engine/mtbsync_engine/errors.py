"""Every error that mtbsync raises on purpose.

A message is one sentence (or two) for a rider: what is wrong with what they gave, and what to do next.
"""

from __future__ import annotations


class MtbsyncError(Exception):
    """Root of the hierarchy: whatever a caller may show to a person as it is."""


class InputError(MtbsyncError):
    """Something that was handed in cannot be used."""


class MediaError(InputError):
    """A video cannot be opened, decoded or used."""


class TelemetryError(InputError):
    """A GPS track cannot be read or used."""


class MarkerError(InputError):
    """A list of markers is malformed."""


class TimecodeError(InputError):
    """A rate or a timecode is malformed, or does not exist at its rate."""


class ArtifactError(InputError):
    """A file that an earlier step wrote cannot be read."""


class MatcherError(InputError):
    """What describes or matches pictures cannot run here."""


class AlignmentError(MtbsyncError):
    """Two recordings could not be lined up at all."""


class ExportError(MtbsyncError):
    """A timeline cannot be expressed in the wanted format."""


class OutputError(MtbsyncError):
    """A result could not be written."""
