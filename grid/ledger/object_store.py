"""The store in a bucket: ``s3://bucket/prefix``, ``gs://bucket/prefix`` or ``az://container/prefix``, through obstore.

Exclusive creation is the bucket's conditional write (``If-None-Match: *``), which Amazon S3, Google Cloud Storage, Azure and
most S3-compatible servers have. Credentials, region and endpoint come from the environment (``AWS_ACCESS_KEY_ID``,
``AWS_ENDPOINT_URL``, ``GOOGLE_SERVICE_ACCOUNT``, ...) or the machine's role.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from grid.ledger.store_interface import Stat, Store
from grid.spec.grid_file import BadInput

SCHEMES = ("s3", "gs", "az")
ENDPOINT = "AWS_ENDPOINT_URL"
ROLES = "169.254.169.254"  # where machines of a cloud ask for the credentials of their role
PART = 8 << 20  # bytes of a file that are read at once
INSTALL = "pip install 'facegrid[object-store]'"


class ObjectStore(Store):
    """Objects in a bucket; files are read through the machine's cache, see ``node_cache``."""

    def __init__(self, url: str) -> None:
        """Args:
            url: of the bucket, with a prefix or without.

        Raises:
            BadInput: obstore is not installed, or the bucket does not exist or cannot be listed.
        """
        if not urlsplit(url).netloc:
            raise BadInput(f"launch.store {url}: names no bucket; write {urlsplit(url).scheme}://bucket/prefix")
        self.url = url.rstrip("/")
        self._bucket = _opened(self.url, os.getpid())

    def get(self, key: str) -> bytes | None:
        try:
            with self._errors(key):
                return bytes(self._bucket.get(key).bytes())
        except FileNotFoundError:
            return None

    def put(self, key: str, data: bytes) -> None:
        with self._errors(key):
            self._bucket.put(key, data)

    def create(self, key: str, data: bytes) -> bool:
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            with self._errors(key):
                self._bucket.put(key, data, mode="create", use_multipart=False)
        except (AlreadyExistsError, PreconditionError):
            return self.get(key) == data  # obstore repeats a request whose answer was lost: the object may be this one's
        except OSError:  # the connection broke: was it written?
            found = self.get(key)
            if found is None:
                raise
            return found == data
        return True

    def names(self, prefix: str) -> list[str]:
        with self._errors(prefix):
            found = self._bucket.list_with_delimiter(prefix or None)
        paths = [*found["common_prefixes"], *(one["path"] for one in found["objects"])]
        return sorted({path.rstrip("/").rpartition("/")[2] for path in paths})

    def walk(self, prefix: str) -> Iterator[str]:
        yield from sorted(path.removeprefix(f"{prefix}/") if prefix else path for path in self._below(prefix))

    def stat(self, key: str) -> Stat | None:
        try:
            with self._errors(key):
                found = self._bucket.head(key)
        except FileNotFoundError:
            return None
        written = found["last_modified"]
        stamp = f"{found['e_tag']} {found['version'] or ''} {written.isoformat()}"
        return Stat(found["size"], stamp, written.timestamp())

    def delete(self, prefix: str) -> None:
        for keys in ([prefix], self._below(prefix)):
            with contextlib.suppress(FileNotFoundError), self._errors(prefix):
                self._bucket.delete(keys)  # many in one request, where the server can

    def open_input(self, key: str) -> BinaryIO:
        import obstore

        with self._errors(key):
            found = obstore.open_reader(self._bucket, key, buffer_size=PART)
        return io.BufferedReader(_Reader(self, key, found), PART)

    def upload(self, path: Path, key: str) -> None:
        with self._errors(key):
            self._bucket.put(key, path)  # large files in parts

    def _below(self, prefix: str) -> list[str]:
        with self._errors(prefix):
            return [one["path"] for one in self._bucket.list(prefix or None).collect()]

    @contextlib.contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        """Turns what obstore raises into an OSError of one line that names the object."""
        from obstore.exceptions import (
            AlreadyExistsError,
            BaseError,
            PermissionDeniedError,
            PreconditionError,
            UnauthenticatedError,
        )

        try:
            yield
        except FileNotFoundError as error:
            raise FileNotFoundError(f"there is no {self.place(key)}") from error
        except (AlreadyExistsError, PreconditionError):
            raise
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise PermissionError(f"{self.place(key)}: access denied ({_words(error)}); check the credentials") from error
        except BaseError as error:
            raise OSError(f"{self.place(key)}: {_words(error)}") from error


class _Reader(io.RawIOBase):
    """obstore's file as one of Python's."""

    def __init__(self, store: ObjectStore, key: str, file: Any) -> None:
        self.store, self.key, self.file = store, key, file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with self.store._errors(self.key):
            data = self.file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


@lru_cache
def _opened(url: str, process: int) -> Any:
    """The bucket, once for each process: a connection is not shared with forked ones."""
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError as error:
        raise BadInput(f"launch.store {url}: buckets need the package obstore; {INSTALL}") from error
    endpoint = os.environ.get(ENDPOINT)
    if url.startswith("s3:") and endpoint is not None and not endpoint.startswith(("http://", "https://")):
        raise BadInput(f"{ENDPOINT} {endpoint!r}: expected http://host:port or https://host; unset it for Amazon's own servers")
    plain = (endpoint or "").startswith("http://")
    options: dict[str, Any] = {"client_options": {"allow_http": True}} if plain else {}
    try:
        bucket = from_url(url, **options)
        bucket.list_with_delimiter()
    except (FileNotFoundError, BaseError) as error:
        if "404 Not Found" in str(error):
            raise BadInput(f"launch.store {url}: there is no such bucket; make it, or correct the name") from error
        raise BadInput(f"launch.store {url}: {_advice(error, endpoint)} ({_words(error)})") from error
    return bucket


def _advice(error: Exception, endpoint: str | None) -> str:
    """Why a bucket cannot be listed, and what to do, where the error tells."""
    if ROLES in str(error):
        return "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role"
    if "error sending request" in str(error):
        return f"the server does not answer; {ENDPOINT} is {'not set' if endpoint is None else endpoint}"
    return "the bucket cannot be listed"


def _words(error: Exception) -> str:
    """The first line of the error, without obstore's debugging output."""
    return str(error).strip().partition("\n")[0].strip()
