"""What every storage promises, whether it is a folder or a bucket, and what each does in its own way."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from mtbsync_daemon.config import Storage as Settings
from mtbsync_daemon.own import MARK
from mtbsync_daemon.storage import Storage, StorageAwayError, StorageError, Stored, open_storage
from mtbsync_daemon.storage.keys import key_of
from mtbsync_daemon.storage.local import open_folder
from mtbsync_daemon.store.ids import now
from mtbsync_daemon.store.sessions import Derivative
from mtbsync_engine.errors import OutputError
from support.buckets import ALONE, KEYS, client_of, serving_s3

PREFIX = "projects/alps/20260704-1a2b3c"
KEY = key_of(PREFIX, "proxy", 1, 1)
# More than goes to a bucket in one piece.
BIG = 17 * 2**20


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An S3 store."""
    pytest.importorskip("boto3", reason="buckets need mtbsync[s3]")
    pytest.importorskip("moto", reason="the tests' S3 store needs mtbsync[dev]")
    with serving_s3() as found:
        yield found


@pytest.fixture
def with_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """This computer has keys for a store."""
    for name, value in {**ALONE, **KEYS}.items():
        monkeypatch.setenv(name, value)


def params(tmp_path: Path, **settings: Any) -> dict[str, Any]:
    """The settings, as `Library.storage` gives them."""
    return Settings(**settings).model_dump(mode="json") | {"default": str(tmp_path / "media")}


@pytest.fixture(params=["folder", "bucket"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Mapping[str, Any]:
    """The settings of a storage of the test's own."""
    if request.param == "folder":
        (tmp_path / "drive").mkdir()
        return params(tmp_path, folder=tmp_path / "drive")
    request.getfixturevalue("with_keys")
    endpoint, bucket = request.getfixturevalue("endpoint"), f"mtb-{uuid4().hex}"
    client_of(endpoint).create_bucket(Bucket=bucket)
    return params(tmp_path, bucket=bucket, endpoint=endpoint, prefix="house/of/anna")


@pytest.fixture
def storage(opened: Mapping[str, Any]) -> Storage:
    return open_storage(opened)


def made(tmp_path: Path, content: bytes) -> Path:
    """A file with that content."""
    path = tmp_path / f"made-{uuid4().hex}.bin"
    path.write_bytes(content)
    return path


def put(storage: Storage, tmp_path: Path, content: bytes, key: str = KEY) -> None:
    storage.put(key, made(tmp_path, content), sha256(content).hexdigest())


# --- all of them -----------------------------------------------------------------------------------


def test_what_was_put_is_there_byte_for_byte(storage: Storage, tmp_path: Path) -> None:
    content = os.urandom(BIG)
    source = made(tmp_path, content)
    storage.put(KEY, source, sha256(content).hexdigest())
    assert source.read_bytes() == content
    assert storage.stat(KEY) == Stored(BIG, sha256(content).hexdigest())
    found = storage.fetch(KEY, tmp_path / "cache")
    assert found.read_bytes() == content
    assert found.suffix == ".mp4"


def test_it_outlasts_what_it_was_made_from_and_whoever_put_it(
    storage: Storage, opened: Mapping[str, Any], tmp_path: Path
) -> None:
    source, noted = made(tmp_path, b"film"), sha256(b"film").hexdigest()
    storage.put(KEY, source, noted)
    other = made(tmp_path, b"something else")
    other.replace(source)
    source.unlink()
    assert open_storage(opened).fetch(KEY, tmp_path / "cache").read_bytes() == b"film"
    assert open_storage(opened).stat(KEY) == Stored(4, noted)


def test_how_much_of_a_large_file_is_kept_is_told(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_another_disk(path: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "no link to there")

    monkeypatch.setattr(Path, "hardlink_to", on_another_disk)
    content, told = os.urandom(BIG), list[int]()
    storage.put(KEY, made(tmp_path, content), sha256(content).hexdigest(), told.append)
    assert told == sorted(told)
    assert told[-1] == BIG
    assert len(told) > 2
    assert storage.fetch(KEY, tmp_path / "cache").read_bytes() == content


def test_an_empty_file_is_a_file(storage: Storage, tmp_path: Path) -> None:
    put(storage, tmp_path, b"")
    assert storage.stat(KEY) == Stored(0, sha256(b"").hexdigest())
    assert storage.fetch(KEY, tmp_path / "cache").read_bytes() == b""


def test_of_two_under_one_key_the_later_stays(storage: Storage, tmp_path: Path) -> None:
    for content in (b"first, and longer", b"second"):
        put(storage, tmp_path, content)
        assert storage.stat(KEY) == Stored(len(content), sha256(content).hexdigest())
        assert storage.fetch(KEY, tmp_path / "cache").read_bytes() == content


def test_the_same_file_can_be_put_twice(storage: Storage, tmp_path: Path) -> None:
    source, noted = made(tmp_path, b"film"), sha256(b"film").hexdigest()
    storage.put(KEY, source, noted)
    storage.put(KEY, source, noted)
    assert storage.stat(KEY) == Stored(4, noted)
    assert storage.fetch(KEY, tmp_path / "cache").read_bytes() == b"film"


def test_nobody_sees_half_of_one_however_many_put_at_once(storage: Storage, tmp_path: Path) -> None:
    contents = [bytes([k]) * 2**20 for k in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda content: put(storage, tmp_path, content), contents))
    assert storage.fetch(KEY, tmp_path / "cache").read_bytes() in contents
    found = storage.stat(KEY)
    assert found is not None
    assert found.n_bytes == 2**20
    put(storage, tmp_path, contents[0])
    assert storage.stat(KEY) == Stored(2**20, sha256(contents[0]).hexdigest())


def test_each_key_is_another_thing(storage: Storage, tmp_path: Path) -> None:
    keys = [key_of(PREFIX, kind, angle, take) for kind in Derivative for angle in (1, 2) for take in (1, 2)]
    assert len(set(keys)) == len(keys)
    for key in keys:
        put(storage, tmp_path, key.encode(), key)
    assert [storage.fetch(key, tmp_path / "cache").read_bytes().decode() for key in keys] == keys


def test_what_is_not_there_is_told(storage: Storage, tmp_path: Path) -> None:
    assert storage.stat(KEY) is None
    with pytest.raises(StorageError, match=r"any more; have it made again\.$"):
        storage.fetch(KEY, tmp_path / "cache")
    storage.remove(KEY)


def test_what_is_removed_is_gone_and_nothing_else(storage: Storage, tmp_path: Path) -> None:
    other = key_of(PREFIX, "proxy", 2, 1)
    put(storage, tmp_path, b"film")
    put(storage, tmp_path, b"other", other)
    storage.remove(KEY)
    assert storage.stat(KEY) is None
    with pytest.raises(StorageError):
        storage.fetch(KEY, tmp_path / "cache")
    assert storage.fetch(other, tmp_path / "cache").read_bytes() == b"other"
    put(storage, tmp_path, b"again")
    assert storage.fetch(KEY, tmp_path / "cache").read_bytes() == b"again"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "..",
        "../x.wav",
        "a/../../x.wav",
        "a/./x.wav",
        "a//x.wav",
        "a/",
        "a\\..\\x.wav",
        "C:x.wav",
        "a/x.wav:stream",
        "a/.x.wav.sha256",
        ".hidden/x.wav",
        "a/x.",
        "a/x.wav\n",
        "a/\0",
        "a/" + "x" * 600,
        "Süß/x.wav",
    ],
)
def test_p7_no_key_leads_out_of_it(
    storage: Storage, opened: Mapping[str, Any], tmp_path: Path, key: str
) -> None:
    source, cache = made(tmp_path, b"film"), tmp_path / "cache"
    before = sorted(tmp_path.rglob("*"))
    for do in (
        lambda: storage.put(key, source, "aa"),
        lambda: storage.stat(key),
        lambda: storage.fetch(key, cache),
        lambda: storage.remove(key),
    ):
        with pytest.raises(StorageError, match="is no key of the storage"):
            do()
    assert sorted(tmp_path.rglob("*")) == before


def test_what_cannot_be_read_is_not_kept(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        storage.put(KEY, tmp_path / "missing.wav", "aa")
    assert storage.stat(KEY) is None


# --- folders ---------------------------------------------------------------------------------------


def test_a_folder_s_keys_are_its_paths_and_fetching_copies_nothing(tmp_path: Path) -> None:
    storage = open_storage(params(tmp_path))
    put(storage, tmp_path, b"film")
    cache = tmp_path / "cache"
    assert storage.fetch(KEY, cache) == tmp_path / "media" / KEY
    assert not cache.exists()
    assert storage.url(KEY, 60) is None


def test_a_folder_forgets_a_sha256_that_is_of_another_file(tmp_path: Path) -> None:
    storage = open_storage(params(tmp_path))
    put(storage, tmp_path, b"film")
    path = storage.fetch(KEY, tmp_path)
    path.unlink()
    path.write_bytes(b"other film")
    assert storage.stat(KEY) == Stored(10, "")


def test_p4_what_a_killed_writer_left_in_a_folder_is_no_thing_and_can_be_told(tmp_path: Path) -> None:
    source, key = made(tmp_path, b"film"), KEY
    put(open_storage(params(tmp_path)), tmp_path, b"before")
    # It is killed when all is ready but for the last step.
    killed = (
        "import os, sys; from pathlib import Path; from mtbsync_daemon.storage.local import FolderStorage; "
        "Path.replace = lambda path, to: os._exit(9) if to.suffix == '.mp4' else os.replace(path, to); "
        "FolderStorage(Path(sys.argv[1])).put(sys.argv[2], Path(sys.argv[3]), 'aa')"
    )
    ended = subprocess.run([sys.executable, "-c", killed, tmp_path / "media", key, source], check=False)
    assert ended.returncode == 9
    storage = open_storage(params(tmp_path))
    assert storage.fetch(key, tmp_path).read_bytes() == b"before"
    # What was noted is of the file that did not come.
    assert storage.stat(key) == Stored(6, "")
    open_folder(tmp_path / "media", notes=tmp_path / "notes").clear(before=now() + 60)
    left = [path.name for path in (tmp_path / "media" / KEY).parent.iterdir()]
    assert sorted(left) == [".angle-001_v001.mp4.sha256", "angle-001_v001.mp4"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need leave on Windows")
def test_p7_a_link_in_a_folder_leads_nowhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "projects").symlink_to(elsewhere)
    storage = open_storage(params(tmp_path))
    with pytest.raises(StorageError, match="is a link to elsewhere"):
        put(storage, tmp_path, b"film")
    assert not list(elsewhere.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot make a disk full for one program")
def test_p4_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    # Another disk, where nothing can be linked, and where files end after a megabyte.
    full = (
        "import resource, signal, sys; from pathlib import Path; from mtbsync_daemon.storage.local import "
        "FolderStorage; from mtbsync_engine.errors import OutputError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n"
        "def refuse(path, source): raise OSError(18, 'Invalid cross-device link')\n"
        "Path.hardlink_to = refuse\n"
        "try: FolderStorage(Path(sys.argv[1])).put(sys.argv[2], Path(sys.argv[3]), 'aa')\n"
        "except OutputError as error: print(error)\n"
    )
    source = made(tmp_path, b"x" * (2**20 + 1))
    told = subprocess.run(
        [sys.executable, "-c", full, tmp_path / "media", KEY, source],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == f"{tmp_path / 'media' / KEY} could not be written: File too large.\n"
    assert [path.name for path in (tmp_path / "media").rglob("*") if path.is_file()] == [MARK]


def test_a_folder_of_a_missing_drive_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StorageAwayError, match=r"is not there; plug its drive in, or make it\.$"):
        open_storage(params(tmp_path, folder=tmp_path / "drive"))
    assert not (tmp_path / "drive").exists()


def test_p4_the_empty_folder_that_a_drive_leaves_behind_is_not_taken_for_it(tmp_path: Path) -> None:
    drive, given = tmp_path / "drive", params(tmp_path, folder=tmp_path / "drive")
    drive.mkdir()
    opened_before = open_storage(given)
    put(opened_before, tmp_path, b"film")
    drive.rename(tmp_path / "unplugged")
    drive.mkdir()
    for storage in (opened_before, open_storage(given)):
        for ask in (
            lambda storage=storage: storage.stat(KEY),
            lambda storage=storage: storage.fetch(KEY, tmp_path / "cache"),
            lambda storage=storage: storage.remove(KEY),
            lambda storage=storage: put(storage, tmp_path, b"another"),
        ):
            with pytest.raises(
                StorageAwayError, match="holds nothing of what was put there; plug its drive in"
            ):
                ask()
    assert list(drive.iterdir()) == []
    drive.rmdir()
    (tmp_path / "unplugged").rename(drive)
    assert open_storage(given).fetch(KEY, tmp_path / "cache").read_bytes() == b"film"


def test_a_folder_whose_things_are_gone_for_good_is_taken_up_again_by_its_mark(tmp_path: Path) -> None:
    drive, given = tmp_path / "drive", params(tmp_path, folder=tmp_path / "drive")
    drive.mkdir()
    put(open_storage(given), tmp_path, b"film")
    for path in (drive / MARK, drive / KEY):
        path.unlink()
    (drive / MARK).touch()
    assert open_storage(given).stat(KEY) is None
    put(open_storage(given), tmp_path, b"again")
    assert open_storage(given).fetch(KEY, tmp_path / "cache").read_bytes() == b"again"


def test_p4_a_drive_that_was_seen_once_is_known_though_nothing_was_put_there_since(tmp_path: Path) -> None:
    drive, given = tmp_path / "drive", params(tmp_path, folder=tmp_path / "drive")
    drive.mkdir()
    put(open_storage(given), tmp_path, b"film")
    # As it was before any use was noted.
    shutil.rmtree(tmp_path / "media")
    assert open_storage(given).stat(KEY) is not None
    drive.rename(tmp_path / "unplugged")
    drive.mkdir()
    with pytest.raises(StorageAwayError, match="plug its drive in"):
        open_storage(given).stat(KEY)


@pytest.mark.parametrize(
    "said", ["ESTALE", "EIO", "ETIMEDOUT", "EHOSTUNREACH", "ENODEV", "ENOTCONN", "EACCES"]
)
def test_a_share_that_does_not_answer_is_waited_for_and_one_that_refuses_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    share, given = tmp_path / "share", params(tmp_path, folder=tmp_path / "share")
    share.mkdir()
    opened_before = open_storage(given)
    put(opened_before, tmp_path, b"film")
    number, stat = getattr(errno, said), os.stat

    def dead(path: Any, **more: Any) -> os.stat_result:
        if str(path).startswith(str(share)):
            raise OSError(number, os.strerror(number), str(path))
        return stat(path, **more)

    monkeypatch.setattr(os, "stat", dead)
    for ask in (lambda: open_storage(given), lambda: opened_before.stat(KEY)):
        with pytest.raises(StorageError, match="cannot be reached") as told:
            ask()
        assert isinstance(told.value, StorageAwayError) == (said != "EACCES")


def test_p1_of_a_storage_folder_only_what_its_own_killed_writers_left_is_cleared_and_only_once_it_is_old(
    tmp_path: Path,
) -> None:
    (tmp_path / "drive").mkdir()
    folder = open_folder(tmp_path / "drive", notes=tmp_path / "media")
    put(folder, tmp_path, b"film")
    kept = (tmp_path / "drive" / KEY).parent
    lefts = [f".{Path(KEY).name}.{uuid4().hex}.tmp", f"..{Path(KEY).name}.x8_3kd0a.tmp.sha256"]
    others = [".syncthing.angle-001_v001.mp4.tmp", ".IMG_1.tmp.mp4", ".mtbsync-1", f".ride.{uuid4().hex}.tmp"]
    for name in (*lefts, *others):
        (kept / name).touch()
        (tmp_path / "drive" / name).touch()
    before = {path for path in (tmp_path / "drive").rglob("*") if path.is_file()}
    folder.clear(before=now() - 60)
    assert {path for path in before if not path.exists()} == set()
    (tmp_path / "drive" / MARK).rename(tmp_path / "mark")
    open_folder(tmp_path / "drive", notes=tmp_path / "none").clear(before=now() + 60)
    (tmp_path / "mark").rename(tmp_path / "drive" / MARK)
    assert {path for path in before if not path.exists()} == set()
    folder.clear(before=now() + 60)
    assert {path for path in before if not path.exists()} == {kept / name for name in lefts}


def test_another_folder_is_taken_at_once(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        put(open_storage(params(tmp_path, folder=tmp_path / name)), tmp_path, name.encode())
        assert (tmp_path / name / KEY).read_bytes() == name.encode()


# --- buckets ---------------------------------------------------------------------------------------


@pytest.fixture
def bucket(endpoint: str, with_keys: None, tmp_path: Path) -> dict[str, Any]:
    """The settings of a bucket of the test's own."""
    name = f"mtb-{uuid4().hex}"
    client_of(endpoint).create_bucket(Bucket=name)
    return params(tmp_path, bucket=name, endpoint=endpoint)


def test_a_bucket_has_it_under_its_prefix_with_its_type(bucket: dict[str, Any], tmp_path: Path) -> None:
    put(open_storage(bucket | {"prefix": "/house/"}), tmp_path, b"x" * BIG)
    head = client_of(bucket["endpoint"]).head_object(Bucket=bucket["bucket"], Key=f"house/{KEY}")
    assert head["ContentType"] == "video/mp4"
    # An ETag with a hyphen is of something that came in pieces.
    assert "-2" in head["ETag"]


def test_a_copy_is_fetched_once_and_again_when_it_is_another(bucket: dict[str, Any], tmp_path: Path) -> None:
    storage, cache = open_storage(bucket), tmp_path / "cache"
    put(storage, tmp_path, b"film")
    first = storage.fetch(KEY, cache)
    os.utime(first, (0, 0))
    # What is there is not asked for again; that it was of use is noted.
    first.write_bytes(b"mark")
    assert storage.fetch(KEY, cache).read_bytes() == b"mark"
    put(storage, tmp_path, b"FILM")
    assert storage.fetch(KEY, cache).read_bytes() == b"FILM"
    assert len(list(cache.iterdir())) == 2


def test_what_was_damaged_in_a_bucket_is_not_taken_for_it(bucket: dict[str, Any], tmp_path: Path) -> None:
    storage, cache = open_storage(bucket), tmp_path / "cache"
    client_of(bucket["endpoint"]).put_object(
        Bucket=bucket["bucket"], Key=KEY, Body=b"fi!m", Metadata={"sha256": sha256(b"film").hexdigest()}
    )
    with pytest.raises(StorageError, match="is not what was put there"):
        storage.fetch(KEY, cache)
    assert not list(cache.iterdir())


def test_a_bucket_s_address_is_read_without_keys(bucket: dict[str, Any], tmp_path: Path) -> None:
    storage = open_storage(bucket)
    put(storage, tmp_path, b"film")
    url = storage.url(KEY, 60)
    assert url is not None
    assert "X-Amz-Expires=60" in url
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.read() == b"film"


def test_a_bucket_that_is_not_there_is_told_and_not_taken_for_an_empty_one(
    bucket: dict[str, Any], tmp_path: Path
) -> None:
    storage = open_storage(bucket | {"bucket": "mtb-nowhere"})
    for do in (lambda: storage.stat(KEY), lambda: storage.fetch(KEY, tmp_path), lambda: storage.remove(KEY)):
        with pytest.raises(StorageError, match=r"^There is not the bucket mtb-nowhere at http.*\.$"):
            do()
    with pytest.raises(OutputError, match="There is not the bucket mtb-nowhere"):
        put(storage, tmp_path, b"film")


def test_a_computer_without_keys_is_told_so_until_it_has_some(
    bucket: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = bucket | {"region": "eu-central-1"}
    for name in KEYS:
        monkeypatch.delenv(name)
    with pytest.raises(StorageError, match="This computer has no keys for the bucket"):
        open_storage(other)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    put(open_storage(other), tmp_path, b"film")


def test_a_store_that_cannot_be_reached_is_told(with_keys: None, tmp_path: Path) -> None:
    pytest.importorskip("boto3", reason="buckets need mtbsync[s3]")
    storage = open_storage(params(tmp_path, bucket="mtb", endpoint="http://127.0.0.1:9"))
    for do in (lambda: storage.stat(KEY), lambda: put(storage, tmp_path, b"film")):
        with pytest.raises(
            StorageAwayError, match=r"^The bucket mtb at http://127.0.0.1:9 cannot be reached"
        ):
            do()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"endpoint": "nonsense"}, "nonsense is no address of a store"),
        ({"profile": "nobody"}, r"profile \(nobody\) could not be found; `aws configure` makes one"),
    ],
)
def test_settings_that_name_no_store_are_told(
    with_keys: None, tmp_path: Path, settings: dict[str, str], sentence: str
) -> None:
    pytest.importorskip("boto3", reason="buckets need mtbsync[s3]")
    with pytest.raises(StorageError, match=sentence):
        open_storage(params(tmp_path, bucket="mtb", **settings))


def test_without_the_library_its_name_is_told(tmp_path: Path) -> None:
    without = (
        "import sys; sys.modules['boto3'] = None; from mtbsync_daemon.storage import open_storage\n"
        "try: open_storage({'bucket': 'mtb'})\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    told = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("StorageError ")
    assert 'pip install "mtbsync[s3]".' in told.stdout
