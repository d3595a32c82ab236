"""A bucket of any store that speaks S3 as the storage, by AWS's own library for Python.

Each thing has its SHA-256 with it as metadata. What is fetched is kept in the cache under a name that tells
the bucket, the key and the version (its ETag), so that a copy which is there is always the right one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from mimetypes import guess_type
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any

from mtbsync_daemon.storage import StorageAwayError, StorageError, Stored
from mtbsync_daemon.storage.keys import check_key
from mtbsync_daemon.storage.whole import beside, to_disk
from mtbsync_engine.errors import OutputError

try:
    import boto3
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        CredentialRetrievalError,
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
    )
    from botocore.exceptions import (
        ConnectionError as NotConnectedError,
    )
    from s3transfer.exceptions import RetriesExceededError
except ImportError as error:
    raise StorageError(
        'A bucket as the storage needs a library that is not installed: pip install "mtbsync[s3]".'
    ) from error

_MISSING = {"404", "NoSuchKey", "NotFound"}
_REFUSED = {"401", "403", "AccessDenied", "ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
_PIECE = 16 * 2**20
_N_AT_ONCE = 4
# What the signatures of addresses allow.
_LONGEST_S = 7 * 86400


def open_bucket(params: Mapping[str, Any]) -> BucketStorage:
    """The bucket that the settings' `[storage]` names.

    Raises:
        StorageError: this computer has no keys for it, or not the profile; `endpoint` is no address.
    """
    endpoint, bucket = params["endpoint"], params["bucket"]
    where = f"the bucket {bucket}" + (f" at {endpoint}" if endpoint else "")
    try:
        with _in_words(where):
            client = _client(endpoint, params["region"], params["profile"])
    except ValueError as error:
        raise StorageError(f"{endpoint} is no address of a store: {error}.") from error
    return BucketStorage(client, bucket, params["prefix"], where)


@lru_cache(maxsize=4)
def _client(endpoint: str | None, region: str | None, profile: str | None) -> Any:
    """Whoever sends the requests; making one takes long, and one serves any number of threads."""
    session = boto3.session.Session(profile_name=profile, region_name=region)
    if session.get_credentials() is None:
        # Nothing that fails is remembered, so that keys count once there are some.
        raise NoCredentialsError
    config = Config(
        signature_version="s3v4",
        connect_timeout=10,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 3},
        # Stores other than Amazon's may not know of its newer ones.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return session.client("s3", endpoint_url=endpoint, config=config)


class BucketStorage:
    """Keeps things in a bucket, under keys that begin with `prefix`; `where` names it to people."""

    def __init__(self, client: Any, bucket: str, prefix: str, where: str) -> None:
        self._client, self._bucket, self._where = client, bucket, where
        self._prefix = prefix.strip("/")

    def put(
        self, key: str, source: Path, sha256: str, on_bytes: Callable[[int], None] = lambda n_bytes: None
    ) -> None:
        """See `Storage`; large files go in several pieces at once."""
        more = {
            "Metadata": {"sha256": sha256},
            "ContentType": guess_type(key)[0] or "application/octet-stream",
        }
        config = TransferConfig(_PIECE, _N_AT_ONCE, _PIECE)
        name, n_sent, counting = self._name(key), 0, Lock()

        def tell(n_more: int) -> None:
            nonlocal n_sent
            with counting:
                n_sent += n_more
                on_bytes(n_sent)

        try:
            with source.open("rb") as file, _in_words(self._where):
                self._client.upload_fileobj(
                    file, self._bucket, name, ExtraArgs=more, Callback=tell, Config=config
                )
        except StorageAwayError:
            raise
        except StorageError as error:
            raise OutputError(f"{key} could not be kept: {error}") from error
        except OSError as error:
            raise OutputError(f"{source} could not be read: {error.strerror or error}.") from error

    def stat(self, key: str) -> Stored | None:
        """See `Storage`."""
        head = self._head(key)
        if head is None:
            return None
        return Stored(head["ContentLength"], head["Metadata"].get("sha256", ""))

    def fetch(self, key: str, cache: Path) -> Path:
        """See `Storage`; it is the copy that is there, if that is of what is kept now."""
        head = self._head(key)
        if head is None:
            raise StorageError(f"{key} is not in {self._where} any more; have it made again.")
        version = hashlib.sha256(f"{self._where} {self._name(key)} {head['ETag']}".encode()).hexdigest()
        path = cache / f"{version[:32]}{PurePosixPath(key).suffix}"
        try:
            if path.is_file():
                # The prune goes by when it was of use last.
                os.utime(path)
                return path
            cache.mkdir(parents=True, exist_ok=True)
            with beside(path) as temporary:
                self._download(key, temporary, head["Metadata"].get("sha256", ""))
                temporary.replace(path)
        except OSError as error:
            raise OutputError(f"{path} could not be written: {error.strerror or error}.") from error
        return path

    def _download(self, key: str, path: Path, sha256: str) -> None:
        with path.open("xb") as file, _in_words(self._where):
            self._client.download_fileobj(self._bucket, self._name(key), file)
        to_disk(path)
        with path.open("rb") as file:
            if sha256 and hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise StorageError(f"{key} in {self._where} is not what was put there; have it made again.")

    def remove(self, key: str) -> None:
        """See `Storage`."""
        with _in_words(self._where):
            self._client.delete_object(Bucket=self._bucket, Key=self._name(key))

    def url(self, key: str, lasts_s: float) -> str | None:
        """See `Storage`; none lasts longer than a week."""
        asked = {"Bucket": self._bucket, "Key": self._name(key)}
        with _in_words(self._where):
            return str(
                self._client.generate_presigned_url(
                    "get_object", asked, ExpiresIn=max(1, min(int(lasts_s), _LONGEST_S))
                )
            )

    def _name(self, key: str) -> str:
        return f"{self._prefix}/{check_key(key)}".lstrip("/")

    def _head(self, key: str) -> Mapping[str, Any] | None:
        """What the bucket knows of a thing; None where it has no such."""
        name = self._name(key)
        with _in_words(self._where):
            try:
                found: Mapping[str, Any] = self._client.head_object(Bucket=self._bucket, Key=name)
            except ClientError as error:
                if _code(error) not in _MISSING:
                    raise
                # That it is not there is also the answer where there is no such bucket.
                self._client.head_bucket(Bucket=self._bucket)
                return None
            return found


@contextmanager
def _in_words(where: str) -> Iterator[None]:
    """Tell what goes wrong with a request in a sentence."""
    try:
        yield
    except (BotoCoreError, ClientError, RetriesExceededError) as error:
        # Whoever was refused may bring other keys.
        _client.cache_clear()
        is_away = isinstance(error, HTTPClientError | NotConnectedError)
        raise (StorageAwayError if is_away else StorageError)(_sentence(where, error)) from error


def _sentence(where: str, error: Exception) -> str:
    if isinstance(error, ProfileNotFound):
        return f"{error}; `aws configure` makes one, or correct profile in [storage]."
    if isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
        return f"This computer has no keys for {where}; `aws configure` keeps them, as do AWS's variables."
    if isinstance(error, HTTPClientError | NotConnectedError):
        return f"{_begun(where)} cannot be reached: {error}"
    code = _code(error) if isinstance(error, ClientError) else ""
    if code == "NoSuchBucket" or code in _MISSING:
        return f"There is not {where}; make it, or correct bucket in [storage]."
    if code in _REFUSED:
        return f"{_begun(where)} refuses this computer's keys, or does not let them do that ({code})."
    return f"{_begun(where)} refuses: {error}"


def _begun(where: str) -> str:
    return where[0].upper() + where[1:]


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
