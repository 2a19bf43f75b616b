"""The chart library in the page: its license is with it, and it asks for nothing."""

import re

from grid.report.page import HERE, parts

FOLDER = HERE / "interactive" / "echarts"


def test_the_library_names_its_version_and_license():
    assert re.match(r"echarts \d+\.\d+\.\d+, license Apache-2\.0\n", (FOLDER / "VERSION").read_text())
    licenses = (FOLDER / "LICENSE.txt").read_text()
    assert all(name in licenses for name in ("Apache License", "BSD 3-Clause License", "Microsoft Corporation"))


def test_the_script_fits_the_policy_of_the_page_and_its_element():
    """No code from text, which the page's policy forbids; no address; nothing that ends the element."""
    _, script = parts(True, True)
    assert "eval(" not in script
    assert not re.search(r"new Function\b|\bFunction\(", script)
    assert "</script" not in script.lower()
    assert set(re.findall(r"https?://[^\"'` )]+", script)) <= {"http://www.w3.org/2000/svg"}


def test_a_page_without_charts_does_not_carry_the_library():
    assert len(parts(False, False)[1]) < 5000 < 400_000 < len(parts(True, False)[1])
