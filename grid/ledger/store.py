"""Opens stores by path or URL, and the store on a disk.

No appends or partial writes are needed, so the ledger's protocol holds on a local disk, a network path and an object store.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from grid.ledger.memory_store import MemoryStore
from grid.ledger.object_store import SCHEMES, ObjectStore
from grid.ledger.store_interface import Stat, Store
from grid.spec.grid_file import BadInput

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)  # file systems without hard links
# what need not survive a power failure: locks and claims, since no holder survives it either (the number of an attempt is known
# from its folder, too); identities, which the next plan writes again; and log lines
PASSING = re.compile(r"(^|/)((lock|lease|log|system|claims)/[^/]+|identity\.json)$")
ABANDONED = 3600.0  # seconds; a temporary file not written for this long was left by a dead process


def open_store(place: Store | Path | str) -> Store:
    """Opens the store at a path or a URL.

    Paths and ``file://`` URLs are folders; ``s3://``, ``gs://`` and ``az://`` are buckets; ``memory://<name>`` is in this
    process; ``package.module://...`` uses the single class derived from ``Store`` in the user's module, constructed with the
    URL.

    Raises:
        BadInput: the scheme is unknown, or the bucket cannot be opened.
    """
    if isinstance(place, Store):
        return place
    found = re.match(r"([A-Za-z][\w.+-]*)://", place) if isinstance(place, str) else None
    if isinstance(place, Path) or found is None:
        return LocalStore(Path(place))
    scheme = found[1]
    if scheme == "file":
        return LocalStore(Path(unquote(urlsplit(str(place)).path)))
    if scheme == "memory":
        return MemoryStore(str(place))
    if scheme in SCHEMES:
        return ObjectStore(str(place))
    if "." not in scheme:
        known = "a path, file://, s3://, gs://, az://, memory://, or package.module:// of a store of your own"
        raise BadInput(f"launch.store {place}: unknown scheme {scheme!r}; known: {known}")
    try:
        module = importlib.import_module(scheme)
    except ImportError as error:
        raise BadInput(f"launch.store {place}: no module {scheme} can be imported here ({error})") from error
    kinds = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Store)]
    own = [one for one in kinds if one.__module__ == scheme]
    if len(own) != 1:
        raise BadInput(f"launch.store {place}: {scheme} must have one class that derives from Store, found {len(own)}")
    made: Store = own[0](place)  # type: ignore[call-arg]
    return made


class LocalStore(Store):
    """Objects as files under one folder, made durable with fsync, except ``PASSING``. Files are read and written in place."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.url = str(root)

    def local(self, key: str) -> Path:
        """The path of the object's file."""
        return self.root / key

    def get(self, key: str) -> bytes | None:
        try:
            return (self.root / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def put(self, key: str, data: bytes) -> None:
        with self._written_beside(key, data) as written:
            os.replace(written, self.root / key)

    def create(self, key: str, data: bytes) -> bool:
        target = self.root / key
        if target.exists():
            return False
        with self._written_beside(key, data) as written:
            try:
                os.link(written, target)  # fails if the name exists, and never exposes a partial file
            except FileExistsError:  # NFS repeats a request whose answer was lost: the link may be this one's
                return target.exists() and os.path.samefile(written, target)
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                return self._move(written, target)
        return True

    def _move(self, written: Path, target: Path) -> bool:
        """``create`` without hard links: creators in this store are serialized by a file lock."""
        with open(self.root / ".lock", "ab") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # the kernel releases it when its holder dies
            if target.exists():
                return False
            os.replace(written, target)
            return True

    @contextlib.contextmanager
    def _written_beside(self, key: str, data: bytes) -> Iterator[Path]:
        """Context manager: a temporary file to put in the place of ``key``; file and folder are synced unless ``PASSING``."""
        target, durable = self.root / key, not PASSING.search(key)
        with _beside(target) as written:
            with open(written, "wb") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            yield written
        if durable:
            _sync(target.parent)

    def sweep(self, prefix: str) -> None:
        """Removes the temporary files left by killed writers directly under ``prefix``."""
        with contextlib.suppress(OSError):
            for path in (self.root / prefix).iterdir():
                temporary = path.name.startswith(".") and len(path.name.rpartition(".")[2]) == 32
                if temporary and time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink(missing_ok=True)

    def names(self, prefix: str) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self.root / prefix) if not name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def stat(self, key: str) -> Stat | None:
        try:
            found = (self.root / key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Stat(found.st_size, str(found.st_mtime_ns), found.st_mtime)

    def delete(self, prefix: str) -> None:
        path = self.root / prefix
        while path.is_dir():
            with contextlib.suppress(FileNotFoundError):  # another process deletes it, too
                shutil.rmtree(path)
        path.unlink(missing_ok=True)

    def open_input(self, key: str) -> BinaryIO:
        return open(self.root / key, "rb")

    def upload(self, path: Path, key: str) -> None:
        self._upload(path, key)
        _sync((self.root / key).parent)

    def upload_all(self, folder: Path, prefix: str, names: Iterable[str]) -> None:
        keys = {name: f"{prefix}/{name}" for name in names}
        for name, key in keys.items():
            self._upload(folder / name, key)
        if keys:
            for parent in sorted({self.root / prefix, *((self.root / key).parent for key in keys.values())}):
                _sync(parent)  # once, not for each file

    def _upload(self, path: Path, key: str) -> None:
        target = self.root / key
        if path != target:
            with _beside(target) as written:
                shutil.copyfile(path, written)
                _sync(written)
                os.replace(written, target)
        _sync(target)

    def materialize(self, key: str) -> Path:
        path = self.root / key
        if not path.is_file():
            raise FileNotFoundError(str(path))
        return path

    def scratch(self, prefix: str) -> Path:
        path = self.root / prefix
        path.mkdir(parents=True, exist_ok=True)
        return path

    def discard(self, scratch: Path) -> None:
        """Does nothing: the files are the objects."""

    def cache_folder(self, name: str) -> Path:
        return self.root / name

    def pull(self, name: str) -> Path:
        return self.root / name

    def push(self, name: str) -> None:
        """Does nothing: the folder is in the store."""

    def place(self, key: str) -> str:
        return str(self.root / key)

    def walk(self, prefix: str) -> Iterator[str]:
        base = self.root / prefix
        for path in sorted(base.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(base).as_posix()


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Context manager: where to write a temporary file in the folder of ``target``; it is always removed afterwards."""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = target.parent / f".{target.name}.{uuid.uuid4().hex}"
    try:
        yield written
    finally:
        written.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
