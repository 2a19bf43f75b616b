"""Every text file is read and written as UTF-8, whatever the locale says."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [*ROOT.glob("*.py"), *(file for room in ROOT.glob("*/__init__.py") for file in room.parent.rglob("*.py"))]
TEXT_MODES = set("rwax+t")


def without_encoding(tree: ast.AST) -> Iterator[int]:
    """Lines that open a file as text and name no encoding."""
    renamed = {argument.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for argument in node.args}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or any(word.arg in ("encoding", None) for word in node.keywords):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if name in ("read_text", "write_text"):
            if len(node.args) < (1 if name == "read_text" else 2):
                yield node.lineno
        elif name in ("open", "NamedTemporaryFile", "TemporaryFile", "fdopen") and owner not in (
            "os",
            "Image",
            "tarfile",
            "gzip",
        ):
            words = [word.value for word in node.keywords if word.arg == "mode"]
            modes = [arg for arg in [*node.args[:2], *words] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            mode = next((arg.value for arg in modes if arg.value and set(arg.value) <= TEXT_MODES | {"b"}), None)
            builtin = isinstance(node.func, ast.Name) and bool(node.args) and name not in renamed
            if (mode and "b" not in mode) or (builtin and mode is None and len(node.args) + len(words) < 2):
                yield node.lineno


def test_no_source_leaves_the_encoding_to_the_locale() -> None:
    assert len(SOURCES) > 300
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in sorted(SOURCES)
        for line in without_encoding(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_the_check_sees_what_it_is_for() -> None:
    bad = [
        "open(path)",
        "open(path, 'w')",
        "path.open('a')",
        "path.read_text()",
        "path.write_text(text)",
        "open(path, mode='r')",
    ]
    good = [
        "open(path, 'rb')", "path.open('wb')", "path.read_text('utf-8')", "path.write_text(text, encoding='utf-8')",
        "Image.open(path)", "open(path, encoding='utf-8')", "browser.open(url)", "os.open(path, flags)", "path.read_bytes()",
    ]  # fmt: skip
    assert [text for text in bad if not list(without_encoding(ast.parse(text)))] == []
    assert [text for text in good if list(without_encoding(ast.parse(text)))] == []
