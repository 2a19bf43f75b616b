"""Reading and comparing weights."""

import hashlib
import os
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from modules.weights.files import fit, holder, read, read_first, sha256, under

ZERO = torch.zeros(2)
FILE = Path("given.pth")


def test_a_digest_follows_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for text in (b"one", b"two"):
        path.write_bytes(text)
        os.utime(path, ns=(len(text), int.from_bytes(text, "big")))
        assert sha256(path) == hashlib.sha256(text).hexdigest()


def test_torch_and_safetensors_files_give_the_same(tmp_path: Path) -> None:
    state = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3)}
    torch.save({"epoch": 3, "net": {"state": state}}, tmp_path / "x.ckpt")
    save_file(state, tmp_path / "x.safetensors")
    for found in (read(tmp_path / "x.ckpt", "net.state"), read(tmp_path / "x.safetensors")):
        assert {name: value.tolist() for name, value in found.items()} == {
            name: value.tolist() for name, value in state.items()
        }
    for meta in (read(tmp_path / "x.ckpt", "net.state", "meta"), read(tmp_path / "x.safetensors", device="meta")):
        assert {name: (value.device.type, value.shape) for name, value in meta.items()} == {
            name: ("meta", value.shape) for name, value in state.items()
        }


def test_a_file_that_would_run_code_is_not_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"a": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(ValueError, match=r"bomb\.pth: holds more than tensors"):
        read(tmp_path / "bomb.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors"])
@pytest.mark.parametrize("keep", [0, 100, 700])
def test_a_truncated_file_is_named(tmp_path: Path, name: str, keep: int) -> None:
    path = tmp_path / name
    if name.endswith("pth"):
        torch.save({"a": torch.zeros(200)}, path)
    else:
        save_file({"a": torch.zeros(200)}, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=name):
        read(path)


def test_noise_is_no_torch_file_whatever_it_makes_the_unpickler_raise(tmp_path: Path) -> None:
    draw, path = random.Random(0), tmp_path / "noise.pt"
    kinds = set()
    for length in range(1, 400):
        path.write_bytes(draw.randbytes(length))
        with pytest.raises(ValueError, match=r"noise\.pt: (no readable torch file|holds more than tensors)") as error:
            read(path)
        kinds.add(type(error.value.__cause__))
    assert IndexError in kinds


def test_a_missing_entry_is_named_with_those_there(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "net": {"a": ZERO}}, tmp_path / "x.pth")
    with pytest.raises(ValueError, match=r"no entry 'state_dict'; found epoch, net"):
        read(tmp_path / "x.pth", "state_dict")
    with pytest.raises(ValueError, match=r"no state dict at its top; found epoch, net"):
        read(tmp_path / "x.pth")
    save_file({"a": ZERO}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="leave key out"):
        read(tmp_path / "x.safetensors", "net")


def test_a_perfect_fit_keeps_names_and_leaves_a_classifier_out() -> None:
    found = {"a.weight": ZERO + 1, "fc.weight": ZERO}
    assert list(fit(found, {"a.weight": ZERO}, FILE)) == ["a.weight"]


def test_names_of_a_wrapped_network_need_no_prefix() -> None:
    assert list(fit({"a.weight": ZERO}, {"body.a.weight": ZERO}, FILE)) == ["body.a.weight"]
    assert list(fit({"body.a.weight": ZERO}, {"body.a.weight": ZERO}, FILE)) == ["body.a.weight"]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"a.1": ZERO}, r"given\.pth: a\.0 is missing"),
        ({"a.0": torch.zeros(3), "a.1": ZERO}, r"a\.0 has shape \(3,\), this backbone has \(2,\)"),
        ({"a.0": ZERO, "a.1": ZERO, "a.2": ZERO}, r"a\.2 has no place in this backbone"),
    ],
)
def test_another_architecture_is_refused(found: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(found, {"a.0": ZERO, "a.1": ZERO}, FILE)


def test_messages_say_which_part_is_filled() -> None:
    with pytest.raises(ValueError, match=r"a has shape \(3,\), this head has \(2,\)"):
        fit({"a": torch.zeros(3)}, {"a": ZERO}, FILE, part="head")


def test_a_file_of_the_inner_network_fills_that_one() -> None:
    plain, outer = torch.nn.Linear(1, 1), torch.nn.Module()
    outer.inner = plain
    assert holder(plain, ["weight"]) is plain
    assert holder(outer, ["weight"]) is plain
    assert holder(outer, ["inner.weight", "branch.weight"]) is outer


def test_of_pinned_weights_only_the_named_parts_may_be_left_over() -> None:
    found = {"a.0": ZERO, "fc.weight": ZERO}
    assert list(fit(found, {"a.0": ZERO}, FILE, dropped=("fc",))) == ["a.0"]
    with pytest.raises(ValueError, match=r"fc\.weight has no place"):
        fit(found, {"a.0": ZERO}, FILE, dropped=("classifier",))


def test_a_counter_of_batches_may_be_absent() -> None:
    wanted = {"n.weight": ZERO, "n.num_batches_tracked": torch.tensor(7)}
    assert fit({"n.weight": ZERO}, wanted, FILE)["n.num_batches_tracked"].item() == 0


def test_a_prefix_that_no_name_has_is_refused() -> None:
    assert list(under({"backbone.a": ZERO, "loss.b": ZERO}, "backbone.", FILE)) == ["a"]
    with pytest.raises(ValueError, match=r"no weights under 'module\.'; its first name is 'a'"):
        under({"a": ZERO}, "module.", FILE)


def test_the_first_key_that_leads_to_weights_is_read(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": ZERO}, "epoch": 1}, tmp_path / "nested.pt")
    torch.save({"a": ZERO + 1}, tmp_path / "plain.pt")
    save_file({"a": ZERO + 2}, tmp_path / "x.safetensors")
    found = [
        read_first(tmp_path / name, ["state_dict", None])["a"].tolist() for name in ("nested.pt", "plain.pt", "x.safetensors")
    ]
    assert found == [[0, 0], [1, 1], [2, 2]]
    with pytest.raises(ValueError, match="no entry 'net'"):
        read_first(tmp_path / "nested.pt", ["net", "ema"])
