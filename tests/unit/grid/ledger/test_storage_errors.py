"""Errors of a full disk and of a store are distinguished from those of a stage, also where a library has wrapped them."""

import errno
from pathlib import Path

import pytest

from grid.ledger.ledger import Ledger
from grid.ledger.storage_errors import out_of_space, store_failed
from grid.ledger.store import LocalStore


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
        ValueError("wrapped"),
    ],
)
def test_a_full_disk_is_told_from_other_errors(error: Exception, tmp_path: Path) -> None:
    if str(error) == "wrapped":
        error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert out_of_space(error, tmp_path)
    assert not out_of_space(RuntimeError("CUDA out of memory"), tmp_path)
    assert not out_of_space(OSError(errno.ENOENT, "No such file or directory"), tmp_path)


class Broken(LocalStore):
    error: Exception

    def create(self, key: str, data: bytes) -> bool:
        raise self.error


def of_store(folder: Path, error: Exception) -> Exception:
    """The error as it comes out of a ledger."""
    store = Broken(folder)
    store.error = error
    with pytest.raises(type(error)) as raised:
        Ledger(store).begin("train", "a" * 32, {})
    return raised.value


@pytest.mark.parametrize("error", [TimeoutError(errno.ETIMEDOUT, "Connection timed out"), OSError("the connection broke")])
def test_an_error_of_the_store_is_none_of_the_stage(tmp_path: Path, error: OSError) -> None:
    assert not store_failed(error), "it may be of an image that the stage reads"
    assert store_failed(of_store(tmp_path, error))
    wrapped = RuntimeError("the checkpoint was not saved")
    wrapped.__cause__ = error
    assert store_failed(wrapped)


@pytest.mark.parametrize("error", [FileNotFoundError("no such output"), ValueError("no ledger of mine")])
def test_other_errors_below_the_ledger_are_those_of_the_stage(tmp_path: Path, error: Exception) -> None:
    assert not store_failed(of_store(tmp_path, error))
