"""Pages that are made when the site is built: components from their docstrings, the tutorial from its notebook."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s#]+)(#[^)]*)?\)")
CODE = re.compile(r"(<pre\b.*?</pre>|<code\b.*?</code>)", re.DOTALL)
NAMESPACES = ("losses", "heads", "backbones", "decoders", "recipes", "datasets", "detectors", "alignments", "augmentations",
              "protocols", "explainers")  # fmt: skip


def on_files(files: Any, config: Any) -> Any:
    """Adds the README as the first page, a page for each namespace of components, and the tutorial."""
    from mkdocs.structure.files import File

    for name in NAMESPACES:
        files.append(File.generated(config, f"api/{name}.md", content=components(name)))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "index.md", content=re.sub(r"\]\(docs/", "](", readme)))
    notebook = ROOT / "docs/tutorial.ipynb"
    files.append(File.generated(config, "tutorial.md", content=as_markdown(json.loads(notebook.read_text(encoding="utf-8")))))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links to files of the project that are no pages become their text: the site holds no sources."""
    docs, inside = ROOT / "docs", {file.src_uri for file in files}

    def text(link: re.Match[str]) -> str:
        if "://" in link[2]:
            return link[0]
        place = (docs / Path(page.file.src_uri).parent / link[2]).resolve()
        return link[0] if place.is_relative_to(docs) and place.relative_to(docs).as_posix() in inside else link[1]

    return LINK.sub(text, markdown)


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """No line breaks within an interval, such as [0.91, 0.95], or before a percent sign; code stays as it is."""

    def joined(text: str) -> str:
        text = re.sub(r"\[([-+−]?[\d.]+),\s([-+−]?[\d.]+)\]", "[\\1,\N{NO-BREAK SPACE}\\2]", text)
        return re.sub(r"(?<=\d)\s%", "\N{NO-BREAK SPACE}%", text)

    return "".join(part if number % 2 else joined(part) for number, part in enumerate(CODE.split(html)))


def components(namespace: str) -> str:
    """The page of ``fg.<namespace>``: signature and docstring of every component."""
    import facegrid

    found = getattr(facegrid, namespace)
    parts = [f"# facegrid.{namespace}"]
    for name in dir(found):
        constructor = getattr(found, name)
        about = constructor.__doc__ or ""
        if about.startswith(f"{name}("):  # the call, which is shown as code
            about = about.partition("\n\n")[2]
        parts.append(f"## {name}\n\n```python\n{signature(namespace, name, constructor)}\n```\n\n{prose(about)}")
    return "\n\n".join(parts) + "\n"


def signature(namespace: str, name: str, constructor: Any) -> str:
    lines = []
    starred = False
    for parameter in constructor.__signature__.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            lines.append("    *,")
            starred = True
        default = "" if parameter.default is parameter.empty else f" = {short(parameter.default)}"
        lines.append(f"    {parameter.name}{default},")
    return f"fg.{namespace}.{name}(" + ("\n" + "\n".join(lines) + "\n" if lines else "") + ")"


def short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def prose(docstring: str) -> str:
    """A docstring as Markdown: double backticks become single ones, arguments and fields become lists."""
    lines, fields = [], False
    for line in docstring.replace("``", "`").replace("<", "&lt;").replace("] [", "] \\[").splitlines():
        if line.strip() in ("Arguments:", "Fields:"):
            fields = True
            lines += ["", line.strip(), ""]
        elif fields and (field := re.match(r" {0,4}(\w+(?:, \w+)*): (.*)", line)):
            lines.append(f"* `{field[1]}`: {field[2]}")
        else:
            fields = fields and bool(line.strip())
            lines.append(line.strip() if fields else line)
    return "\n".join(lines)


def as_markdown(notebook: Any) -> str:
    """A notebook's cells, without outputs."""
    parts = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return "\n\n".join(parts) + "\n"
