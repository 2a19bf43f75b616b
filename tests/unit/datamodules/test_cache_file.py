"""Files of a cache: whole, verified, and never trusted blindly."""

import errno
import fcntl
import os
import subprocess
import sys
import time

import pytest

from datamodules import cache_file

CONTENT = bytes(range(256)) * 20


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "cache/a.bin"
    cache_file.save(found, lambda file: file.write(CONTENT))
    return found


def test_what_is_saved_is_read(path):
    assert bytes(cache_file.read(path)) == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["a.bin"]


def test_what_is_absent_is_none(tmp_path):
    assert cache_file.read(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:10],
        lambda data: data[:-1],
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: data[:-1] + bytes([data[-1] ^ 128]),
        lambda data: data + b"x",
        lambda data: bytes(len(data)),
    ],
)
def test_a_damaged_file_is_removed_with_one_line(path, damage, caplog):
    path.write_bytes(damage(path.read_bytes()))
    assert cache_file.read(path) is None
    assert not path.exists()
    assert [record.getMessage() for record in caplog.records] == [f"{path} is damaged; it is computed again"]
    cache_file.save(path, lambda file: file.write(CONTENT))
    assert bytes(cache_file.read(path)) == CONTENT


def test_a_file_that_was_read_and_then_damaged_is_found_out(path):
    assert cache_file.whole(path)
    data = bytearray(path.read_bytes())
    data[100] ^= 4
    path.write_bytes(data)
    assert not cache_file.whole(path)


def test_a_full_disk_leaves_nothing(tmp_path):
    def write(file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        cache_file.save(tmp_path / "a", write)
    assert list(tmp_path.iterdir()) == []


WRITER = """
import sys, time
from pathlib import Path
from datamodules import cache_file
def write(file):
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
cache_file.save(Path(sys.argv[1]), write)
"""


def test_the_temporary_file_of_a_killed_writer_is_removed_and_of_a_live_one_kept(tmp_path):
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "a")], stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"writing\n"
        (temporary,) = tmp_path.iterdir()
        os.utime(temporary, (time.time() - 3600,) * 2)
        assert cache_file.sweep(tmp_path) == 4, "a live writer's bytes count"
        assert temporary.exists()
        writer.kill()
    assert cache_file.sweep(tmp_path) == 0
    assert not temporary.exists()


def test_a_temporary_file_of_this_moment_is_left_alone(tmp_path):
    (tmp_path / "a.0.tmp").write_bytes(b"12")  # its writer has it open, but not locked yet
    assert cache_file.sweep(tmp_path) == 2
    assert (tmp_path / "a.0.tmp").exists()


def test_without_locks_age_decides(tmp_path, monkeypatch):
    def unsupported(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    for name, age in (("old.tmp", 25), ("new.tmp", 1)):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - age * 3600,) * 2)
    cache_file.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["new.tmp"]
    cache_file.save(tmp_path / "a", lambda file: file.write(CONTENT))
    assert bytes(cache_file.read(tmp_path / "a")) == CONTENT
