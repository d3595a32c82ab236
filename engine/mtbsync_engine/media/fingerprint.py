"""Telling recordings apart by what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from mtbsync_engine.errors import MediaError

_BLOCK_BYTES = 64 * 1024
_N_SPREAD = 16


def fingerprint(paths: Iterable[Path]) -> str:
    """A short name for the content of a recording's files, in order: 32 hexadecimal digits.

    It covers every file's size, head and tail, and sixteen blocks spread evenly between: about a
    megabyte a file, however long. A copy under another name has the same one; a recording with a
    chapter more has another. Two different recordings would have to agree in their sizes to the byte
    and in megabytes of compressed pictures, which never repeat; then blake2b's 128 bits leave chance
    nothing. What it cannot see is a change between the blocks that keeps the file's size, such as a
    few damaged bytes: it names a recording, it does not certify one.

    Raises:
        MediaError: a file cannot be read.
    """
    digest = blake2b(digest_size=16)
    for path in paths:
        try:
            _add_file(digest, path)
        except OSError as error:
            raise MediaError(
                f"{path} cannot be read ({error.strerror}); check the drive it lies on."
            ) from error
    return digest.hexdigest()


def _add_file(digest: blake2b, path: Path) -> None:
    with path.open("rb") as file:
        n_bytes = os.fstat(file.fileno()).st_size
        digest.update(n_bytes.to_bytes(8, "big"))
        for offset in _block_offsets(n_bytes):
            file.seek(offset)
            digest.update(file.read(_BLOCK_BYTES))


def _block_offsets(n_bytes: int) -> list[int]:
    """Where blocks begin: the head, the tail and those spread between; all of a small file."""
    n_blocks = _N_SPREAD + 2
    if n_bytes <= n_blocks * _BLOCK_BYTES:
        return list(range(0, n_bytes, _BLOCK_BYTES))
    return [(n_bytes - _BLOCK_BYTES) * k // (n_blocks - 1) for k in range(n_blocks)]
