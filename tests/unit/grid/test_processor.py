"""The name of the processor, on Linux and elsewhere."""

import platform
from pathlib import Path

from grid.processor import processor


def test_the_processor_is_the_first_one_that_linux_describes(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n\nprocessor\t: 1\nmodel name\t: Other\n")
    assert processor(tmp_path / "cpuinfo") == "Some CPU @ 2 GHz"
    assert processor(tmp_path / "absent") == platform.machine()
