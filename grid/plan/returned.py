"""Checks what datasets and protocols return to a plan, so that a mistake of their author is one line that names them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from configs.contract import ContractError, broken, naming, see
from configs.data_interfaces import Column, DatasetConfig, Manifest, Pairs, ProtocolConfig
from grid.evaluation.task import evaluation_task
from grid.tracebacks import error_line

TASK = "evaluation_task"  # pages of docs/extending
PROTOCOL = "protocol"
TARGET = "target"


@contextmanager
def calling(kind: str, name: str) -> Iterator[None]:
    """Names a component in the errors that its methods raise while a grid is planned.

    Raises:
        ContractError: they raised an exception that is no message to the user, such as a KeyError: one line with the place.
        ValueError: of a component of the user's own, with its name.
    """
    try:
        yield
    except ContractError:
        raise
    except (ValueError, OSError) as error:
        if "." not in name:
            raise
        raise ValueError(f"{kind} {name!r}: {error_line(error)}") from error
    except Exception as error:
        raise ContractError(f"{kind} {name!r}: {error_line(error)}; {see(kind)}", named=True) from error


def checked_input(protocol: ProtocolConfig, manifest: Manifest) -> Any:
    """The evaluation data of a protocol that does not compare pairs of images, as its task needs them.

    Raises:
        ContractError: the protocol lacks the method that returns them, or they have no ``digest``.
    """
    question = evaluation_task(protocol.task).question
    with naming("protocol", protocol.name):
        method = getattr(protocol, question, None)
        if not callable(method):
            raise ContractError(
                f"its config has no method {question}(manifest), which its task {protocol.task!r} needs; {see(TASK)}"
            )
        with calling("protocol", protocol.name):
            found = method(manifest)
        if not isinstance(getattr(found, "digest", None), str):
            raise broken(f"{question} returned", found, "an object with a digest (text) of its content", TASK)
        return found


def checked_pairs(found: Any, protocol: ProtocolConfig, manifest: Manifest) -> Pairs:
    """What ``pairs`` of a protocol returned.

    Raises:
        ContractError: it is not four arrays of one length, left and right being rows of the manifest.
    """
    with naming("protocol", protocol.name):
        kinds = {"left": np.integer, "right": np.integer, "same": np.bool_, "fold": np.integer}
        arrays: dict[str, Any] = {name: getattr(found, name, None) for name in kinds}
        for name, kind in kinds.items():
            array = arrays[name]
            if not isinstance(array, np.ndarray) or array.ndim != 1 or not np.issubdtype(array.dtype, kind):
                what = "pairs returned" if array is None else f"pairs returned {name} as"
                expected = "Pairs(left, right, same, fold): numpy arrays (P,) of integers, integers, bool and integers"
                raise broken(what, found if array is None else array, expected, PROTOCOL)
        if len({len(array) for array in arrays.values()}) > 1:
            raise broken("pairs returned", found, "four arrays of one length", PROTOCOL)
        rows, count = np.concatenate([arrays["left"], arrays["right"]]), len(manifest.keys)
        if len(rows) and (rows.min() < 0 or rows.max() >= count):
            wrong = int(rows.min()) if rows.min() < 0 else int(rows.max())
            raise broken("pairs returned row", wrong, f"rows of the manifest, 0 to {count - 1}", PROTOCOL)
        return found  # type: ignore[no-any-return]


def checked_columns(data: DatasetConfig, manifest: Manifest) -> Mapping[str, Column]:
    """What ``columns`` of a dataset returned.

    Raises:
        ContractError: it is no mapping from names to columns with one value per image.
    """
    with naming("dataset", data.name):
        with calling("dataset", data.name):
            found = data.columns(manifest)
        count = len(manifest.keys)
        if not isinstance(found, Mapping):
            raise broken("columns returned", found, "a dict from names to datamodules.columns.Column", TARGET)
        for name, column in found.items():
            if absent := [part for part in ("values", "classes", "known", "digest") if not hasattr(column, part)]:
                expected = f"a datamodules.columns.Column, with {' and '.join(absent)}"
                raise broken(f"columns returned {name!r} as", column, expected, TARGET)
            if len(column.values) != count:
                raise broken(f"columns returned {name!r} with", column.values, f"{count} values, one per image", TARGET)
        return found
