"""Names for things, and the moment they were made."""

from __future__ import annotations

import json
import secrets
import time
from hashlib import blake2b
from typing import Any


def new_id() -> str:
    """A name that no other thing has: 16 hexadecimal digits."""
    return secrets.token_hex(8)


def new_marker_id() -> str:
    """A name that no other marker has. Without the letter, spreadsheets read digits and an e as a number."""
    return f"m{new_id()}"


def key_of(kind: str, inputs: Any) -> str:
    """The same text for the same work: `inputs` are plain values that name contents and parameters."""
    canonical = json.dumps([kind, inputs], sort_keys=True, separators=(",", ":"))
    return blake2b(canonical.encode(), digest_size=16).hexdigest()


def as_text(name: str) -> str:
    """A file's name, or a sentence that holds one, as the library and JSON can hold it."""
    return name.encode("utf-8", "replace").decode()


def now() -> float:
    """Seconds since 1970, UTC."""
    return time.time()
