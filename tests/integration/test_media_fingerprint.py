"""A fingerprint follows content, not names."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from mtbsync_engine.errors import MediaError
from mtbsync_engine.media.fingerprint import fingerprint

_BLOCK = 64 * 1024


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Larger than all sampled blocks together."""
    path = tmp_path / "large.mp4"
    path.write_bytes(np.random.default_rng(1).bytes(40 * _BLOCK))
    return path


def _flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def test_a_copy_under_another_name_has_the_same_fingerprint(large: Path, tmp_path: Path) -> None:
    copy = shutil.copy(large, tmp_path / "renamed.mov")
    assert fingerprint([copy]) == fingerprint([large])


@pytest.mark.parametrize("offset", [0, _BLOCK - 1, 39 * _BLOCK, 40 * _BLOCK - 1], ids=str)
def test_one_bit_at_the_head_or_tail_changes_it(large: Path, offset: int) -> None:
    before = fingerprint([large])
    _flip(large, offset)
    assert fingerprint([large]) != before


def test_another_middle_changes_it(large: Path) -> None:
    before = fingerprint([large])
    content = bytearray(large.read_bytes())
    content[10 * _BLOCK : 30 * _BLOCK] = np.random.default_rng(2).bytes(20 * _BLOCK)
    large.write_bytes(content)
    assert fingerprint([large]) != before


def test_every_bit_of_a_small_file_counts(tmp_path: Path) -> None:
    small = tmp_path / "small.mp4"
    small.write_bytes(np.random.default_rng(1).bytes(5 * _BLOCK + 17))
    before = fingerprint([small])
    for offset in (0, 2 * _BLOCK + 3, 5 * _BLOCK + 16):
        _flip(small, offset)
        assert fingerprint([small]) != before
        _flip(small, offset)
    assert fingerprint([small]) == before


def test_every_chapter_and_their_order_count(tmp_path: Path) -> None:
    first, second = tmp_path / "GX010034.MP4", tmp_path / "GX020034.MP4"
    first.write_bytes(b"first" * 100)
    second.write_bytes(b"second" * 100)
    names = {fingerprint(paths) for paths in ([first], [second], [first, second], [second, first])}
    assert len(names) == 4


def test_the_boundary_between_chapters_counts(tmp_path: Path) -> None:
    for name, content in (("a", b"12"), ("b", b"3"), ("c", b"1"), ("d", b"23")):
        (tmp_path / name).write_bytes(content)
    assert fingerprint([tmp_path / "a", tmp_path / "b"]) != fingerprint([tmp_path / "c", tmp_path / "d"])


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"gone\.mp4 cannot be read"):
        fingerprint([tmp_path / "gone.mp4"])
