"""Results on disk: whole or not at all, and never over a recording."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mtbsync_engine.errors import OutputError
from mtbsync_engine.files import check_output, replacing, replacing_all, write_new_track, write_text

POSIX = pytest.mark.skipif(os.name == "nt", reason="needs limits and permissions of POSIX")


def _all_files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def _in_another_process(script: str, *arguments: Path) -> str:
    """What `script` printed; it must neither fail nor complain on stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


# --- one file -------------------------------------------------------------------------------------


def test_a_new_file_appears_with_its_content(tmp_path: Path) -> None:
    write_text(tmp_path / "out.csv", "a,b\r\n1,2\nä\n")
    assert _all_files(tmp_path) == {"out.csv": "a,b\r\n1,2\nä\n".encode()}


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "out.json", "{}")
    assert _all_files(tmp_path) == {str(Path("a", "b", "out.json")): b"{}"}


def test_an_old_file_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("old and long " * 1000, encoding="utf-8")
    write_text(tmp_path / "out.csv", "new")
    assert _all_files(tmp_path) == {"out.csv": b"new"}


def test_nobody_sees_the_file_before_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old", encoding="utf-8")
    with replacing(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old"
        assert temporary.parent == path.parent
        assert temporary.name.startswith(".")
    assert path.read_text(encoding="utf-8") == "half"


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit], ids=lambda f: f.__name__)
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old", encoding="utf-8")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise failure("stop")

    with pytest.raises(failure, match="stop"):
        fail()
    assert _all_files(tmp_path) == {"out.csv": b"old"}


def test_a_block_that_fails_takes_the_folders_back_that_were_made_for_it(tmp_path: Path) -> None:
    def fail() -> None:
        with replacing(tmp_path / "a" / "b" / "out.csv"):
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_system_inside_the_block_is_told_of_the_file(tmp_path: Path) -> None:
    def fail() -> None:
        with replacing(tmp_path / "out.csv"):
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"out\.csv could not be written: No space left on device"):
        fail()
    assert list(tmp_path.iterdir()) == []


@POSIX
def test_a_disk_that_is_full_leaves_the_old_file_and_no_half_one(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old", encoding="utf-8")
    printed = _in_another_process(
        """
        import resource, sys
        from pathlib import Path
        from mtbsync_engine.errors import OutputError
        from mtbsync_engine.files import write_text
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            write_text(Path(sys.argv[1]), "x" * 100_000)
        except OutputError as error:
            print(error)
        """,
        path,
    )
    assert printed.startswith(f"{path} could not be written: ")
    assert _all_files(tmp_path) == {"out.csv": b"old"}


@POSIX
def test_a_disk_that_is_full_leaves_no_half_archive_either(tmp_path: Path) -> None:
    printed = _in_another_process(
        """
        import resource, sys
        from pathlib import Path
        import numpy as np
        from mtbsync_engine.artifacts import save_likeness
        from mtbsync_engine.errors import OutputError
        from mtbsync_engine.model import LikenessImage
        noise = np.random.default_rng(0).standard_normal((200, 200)).astype(np.float16)
        image = LikenessImage(noise, np.arange(200.0), np.arange(200.0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            save_likeness(image, Path(sys.argv[1]))
        except OutputError as error:
            print(error)
        """,
        tmp_path / "likeness.npz",
    )
    assert "likeness.npz could not be written" in printed
    assert _all_files(tmp_path) == {}


def test_a_folder_where_a_file_stands_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(OutputError, match=r"out\.csv could not be written"):
        write_text(tmp_path / "taken" / "out.csv", "x")
    assert _all_files(tmp_path) == {"taken": b"a file"}


def test_a_file_where_a_folder_stands_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(OutputError, match=r"out\.csv could not be written"):
        write_text(tmp_path / "out.csv", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]


@POSIX
def test_a_result_is_an_ordinary_file_that_others_may_read(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "out.csv", "x")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o640


def test_a_track_is_written_where_none_lies_and_never_over_one(tmp_path: Path) -> None:
    write_new_track(tmp_path / "a" / "out.GPX", "<gpx/>")
    with pytest.raises(OutputError, match="is there already"):
        write_new_track(tmp_path / "a" / "out.GPX", "another")
    with pytest.raises(OutputError, match="does not end in"):
        write_new_track(tmp_path / "out.mp4", "<gpx/>")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        write_new_track(tmp_path / "a" / "out.GPX" / "out.gpx", "<gpx/>")
    assert _all_files(tmp_path) == {str(Path("a", "out.GPX")): b"<gpx/>"}


@pytest.mark.parametrize("name", ["ride.mp4", "ride.MP4", "ride.MOV", "ride.LRV", "track.gpx", "track.fit"])
def test_what_is_named_like_a_recording_is_never_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"the ride of a lifetime")
    for write in (lambda p: write_text(p, "x"), check_output):
        with pytest.raises(OutputError, match="named like a recording"):
            write(tmp_path / name)
    assert _all_files(tmp_path) == {name: b"the ride of a lifetime"}


# --- several files ----------------------------------------------------------------------------------

_NAMES = ("pairs.csv", "warp.npz", "timewarp.json")


def test_several_files_appear_together_and_older_ones_go(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    for name in (*_NAMES, "notes.txt"):
        (folder / name).write_text("old", encoding="utf-8")
    with replacing_all(folder, _NAMES) as temporary:
        write_text(temporary / "pairs.csv", "new")
        write_text(temporary / "timewarp.json", "new")
        assert (folder / "pairs.csv").read_text(encoding="utf-8") == "old"
    assert _all_files(folder) == {"pairs.csv": b"new", "timewarp.json": b"new", "notes.txt": b"old"}


def test_several_files_fail_together(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "pairs.csv").write_text("old", encoding="utf-8")

    def fail() -> None:
        with replacing_all(folder, _NAMES) as temporary:
            write_text(temporary / "pairs.csv", "new")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert _all_files(folder) == {"pairs.csv": b"old"}
    assert [p.name for p in folder.iterdir()] == ["pairs.csv"]


def test_a_failure_among_several_names_the_real_folder(tmp_path: Path) -> None:
    folder = tmp_path / "out"

    def fail() -> None:
        with replacing_all(folder, _NAMES) as temporary:
            (temporary / "pairs.csv").mkdir()
            write_text(temporary / "pairs.csv", "x")

    with pytest.raises(OutputError) as raised:
        fail()
    assert str(raised.value).startswith(f"{folder / 'pairs.csv'} could not be written")
    assert list(tmp_path.iterdir()) == []


# --- finding out beforehand ---------------------------------------------------------------------------


def test_a_place_that_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    check_output(tmp_path / "a" / "b" / "out.csv")
    check_output(tmp_path / "out.csv", [None, tmp_path / "missing.mp4"])
    assert list(tmp_path.iterdir()) == []


def test_an_existing_result_may_be_written_again(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("old", encoding="utf-8")
    check_output(tmp_path / "out.csv")
    assert _all_files(tmp_path) == {"out.csv": b"old"}


def test_a_folder_is_no_file_to_write(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        check_output(tmp_path)


def test_what_is_read_is_not_written(tmp_path: Path) -> None:
    markers = tmp_path / "markers.csv"
    markers.write_text("t_ref\n", encoding="utf-8")
    with pytest.raises(OutputError, match="one of the files that are read"):
        check_output(tmp_path / "." / "markers.csv", [None, markers])


def test_a_file_is_no_folder_to_write_to(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        check_output(tmp_path / "taken" / "deeper" / "out.csv")


@POSIX
@pytest.mark.parametrize("mode", ["0o555", "0o000"], ids=["may only be read", "may not even be listed"])
def test_a_folder_without_permission_is_named_before_any_work(mode: str) -> None:
    printed = _in_another_process(
        f"""
        import os, tempfile
        from pathlib import Path
        from mtbsync_engine.errors import OutputError
        from mtbsync_engine.files import check_output, write_text
        # Not a folder of pytest's, which only its owner may enter.
        with tempfile.TemporaryDirectory() as base:
            os.chmod(base, 0o755)
            folder = Path(base, "locked")
            folder.mkdir()
            folder.chmod({mode})
            if os.geteuid() == 0:
                os.seteuid(65534)  # nothing is forbidden to root
            for write in (check_output, lambda path: write_text(path, "x")):
                try:
                    write(folder / "deeper" / "out.csv")
                except OutputError as error:
                    print(error)
            if os.getuid() == 0:
                os.seteuid(0)
            folder.chmod(0o755)
            assert list(folder.iterdir()) == []
        """
    )
    first, second = printed.splitlines()
    assert first.startswith("Nothing can be written to ")
    assert "Permission denied" in first
    assert "could not be written: Permission denied" in second
