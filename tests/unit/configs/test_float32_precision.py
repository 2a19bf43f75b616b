import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from configs.float32_precision import tf32_allowed, without_tf32

BACKENDS = torch.backends


def read() -> list[str]:
    """Every setting, in both interfaces of torch; one that torch cannot tell is its error."""
    found = []
    for setting in (
        lambda: BACKENDS.cudnn.conv.fp32_precision,
        lambda: BACKENDS.cudnn.rnn.fp32_precision,
        lambda: BACKENDS.cuda.matmul.fp32_precision,
        lambda: BACKENDS.mkldnn.matmul.fp32_precision,
        lambda: BACKENDS.cudnn.allow_tf32,
        lambda: BACKENDS.cuda.matmul.allow_tf32,
        torch.get_float32_matmul_precision,
    ):
        try:
            found.append(str(setting()))
        except RuntimeError as error:
            found.append(type(error).__name__)
    return found


OFF = ["ieee", "ieee", "ieee", "ieee", "False", "False", "highest"]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = BACKENDS.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    yield
    for setting in (BACKENDS.cudnn.conv, BACKENDS.cudnn.rnn, BACKENDS.cuda.matmul, BACKENDS.mkldnn.matmul):
        setting.fp32_precision = "none"
    BACKENDS.cudnn.allow_tf32 = before[0]
    torch.set_float32_matmul_precision(before[1])


def allow(name: str) -> None:
    if name == "convolutions":
        BACKENDS.cudnn.allow_tf32 = True
    elif name == "no convolutions":
        BACKENDS.cudnn.allow_tf32 = False
    elif name == "products":
        BACKENDS.cuda.matmul.allow_tf32 = True
    elif name in ("medium", "high", "highest"):
        torch.set_float32_matmul_precision(name)
    elif name == "new convolutions":
        BACKENDS.cudnn.conv.fp32_precision = "ieee"  # and recurrent layers not: the older interface cannot say that
    elif name == "new products":
        BACKENDS.cuda.matmul.fp32_precision = "tf32"


@pytest.mark.parametrize(
    "name",
    ["default", "convolutions", "no convolutions", "products", "medium", "high", "highest", "new convolutions", "new products"],
)
def test_all_is_off_inside_and_as_before_after(name: str) -> None:
    allow(name)
    before = read()
    with without_tf32():
        assert read() == OFF
        with without_tf32():
            assert read() == OFF
        assert read() == OFF
    assert read() == before


@pytest.mark.parametrize("name", ["default", "no convolutions", "highest", "new convolutions", "new products"])
def test_tf32_is_on_inside_only_where_it_is_allowed(name: str) -> None:
    allow(name)
    before = read()
    with tf32_allowed(True):
        assert read() == ["tf32", "tf32", "tf32", "ieee", "True", "True", "high"], "on CPUs, mkldnn does without"
        with without_tf32():
            assert read() == OFF
    with tf32_allowed(False):
        assert read() == OFF
    assert read() == before


def test_an_error_inside_restores_too() -> None:
    allow("high")
    before = read()
    with pytest.raises(ZeroDivisionError), without_tf32():
        _ = 1 / 0
    assert read() == before


def test_it_decorates_a_function() -> None:
    before = read()
    assert without_tf32()(read)() == OFF
    assert read() == before
    assert without_tf32()(read)() == OFF  # any number of times


def test_torch_starts_with_tf32_in_convolutions() -> None:
    """Otherwise there would be nothing to turn off; in a process of its own, where no test has changed a setting."""
    program = "import torch; print(torch.backends.cudnn.allow_tf32)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
