"""Downloads from public servers: atomic, resumable, verified by digest."""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath

from configs.component import file_digest
from configs.data_interfaces import Progress

CHUNK = 1 << 18  # bytes
TRIES = 5  # consecutive attempts without receiving a byte
PATIENCE = 60.0  # timeout in seconds
AGENT = "facegrid"


@dataclass(frozen=True)
class Source:
    """One file on a public server.

    Attributes:
        name: file name in the dataset's folder
        address: relative to the base address
        sha256: of the file, hex
        size: bytes
        unpack: for a tar archive, the folder in it whose content goes to the folder ``images``; None: the file is not unpacked
    """

    name: str
    address: str
    sha256: str
    size: int
    unpack: str | None = None


def fetch(
    source: Source, base: str, folder: Path, progress: Progress | None = None, wait: Callable[[float], None] = time.sleep
) -> bool:
    """Downloads the file, or unpacks the archive, into ``folder``; False if it was already there.

    An interrupted download resumes if the server supports it. An archive is unpacked beside its destination, moved there when
    complete, and then removed.

    Args:
        base: base address for ``source.address``, such as "https://example.org/files"

    Raises:
        ValueError: the server does not answer or sends a different file; gives the address and what to do.
    """
    place = folder / ("images" if source.unpack is not None else source.name)
    if (place.is_dir() and any(place.iterdir())) or (place.is_file() and file_digest(place) == source.sha256):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    address = f"{base.rstrip('/')}/{source.address}"
    part = folder / f"{source.name}.part"
    _download(address, part, source, progress, wait)
    found = file_digest(part)
    if found != source.sha256:
        part.unlink()
        raise ValueError(
            f"{address}: gave a file with SHA-256 {found[:16]}..., expected {source.sha256[:16]}...; it was removed; try "
            "again, or name another server with --base"
        )
    if source.unpack is None:
        os.replace(part, place)
    else:
        unpack(part, source.unpack, place)
        part.unlink()
    return True


def _download(address: str, part: Path, source: Source, progress: Progress | None, wait: Callable[[float], None]) -> None:
    failures = 0
    while (have := part.stat().st_size if part.exists() else 0) < source.size:
        try:
            _append(address, part, have, source, progress)
        except urllib.error.HTTPError as error:
            if error.code == 416:  # our partial file is longer than the server's file
                part.unlink(missing_ok=True)
            elif error.code < 500 and error.code not in (408, 425, 429):
                raise ValueError(
                    f"{address}: the server says {error.code} {error.reason}; another can be named with --base"
                ) from error
            last: Exception = error
        except (OSError, HTTPException) as error:
            last = error
        else:
            last = ValueError("the connection ended early")
        now = part.stat().st_size if part.exists() else 0
        if now >= source.size:
            break
        failures = 0 if now > have else failures + 1
        if failures == TRIES:
            raise ValueError(
                f"{address}: {last}; {now:,} of {source.size:,} bytes are kept, and the same command goes on from there"
            ) from last
        wait(min(2.0**failures, 30.0))


def _append(address: str, part: Path, have: int, source: Source, progress: Progress | None) -> None:
    """Downloads from byte ``have``, or from the start if the server cannot resume."""
    request = urllib.request.Request(address, headers={"User-Agent": AGENT, **({"Range": f"bytes={have}-"} if have else {})})
    with contextlib.closing(urllib.request.urlopen(request, timeout=PATIENCE)) as answer:
        goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        with open(part, "ab" if goes_on else "wb") as file:
            done = have if goes_on else 0
            while chunk := answer.read(CHUNK):
                done += len(chunk)
                if done > source.size:
                    raise ValueError(
                        f"{address}: gives more than the {source.size:,} bytes expected; name another server with --base"
                    )
                file.write(chunk)
                if progress is not None:
                    progress(done, source.size)


def unpack(archive: Path, inside: str, place: Path) -> None:
    """Extracts the files below the folder ``inside`` of a tar archive as the new folder ``place``, atomically.

    Raises:
        ValueError: the archive is damaged, or a member is a link, a device, or outside of the folder; names it.
    """
    made = place.with_name(f".{place.name}.{os.getpid()}")
    root = PurePosixPath(inside)
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts or not (member.isfile() or member.isdir()):
                    raise ValueError(f"{archive}: the member {member.name!r} is no plain file inside the archive's folder")
                if not name.is_relative_to(root) or not member.isfile():
                    continue
                target = made / name.relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                content = tar.extractfile(member)
                assert content is not None
                with open(target, "wb") as file:
                    shutil.copyfileobj(content, file)
        if not made.is_dir():
            raise ValueError(f"{archive}: has no files below {inside!r}")
        os.replace(made, place)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"{archive}: {error}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
