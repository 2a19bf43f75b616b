"""The table as LaTeX, for the packages booktabs and amssymb (the tick) and the font encoding T1."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from grid.report.text import visible
from grid.results.columns import Column
from grid.results.result import Result
from grid.results.rows import Table

SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "±": r"$\pm$",
    "|": r"\textbar{}", "✓": r"\checkmark{}", "[": "{[}", "]": "{]}", "*": "{*}",
    "`": r"\textasciigrave{}", "'": r"\textquotesingle{}",
    '"': r"\textquotedbl{}",
    "–": r"\textendash{}", "—": r"\textemdash{}", "…": r"\ldots{}", 
    "×": r"$\times$", "÷": r"$\div$", "°": r"$^\circ$", "·": r"$\cdot$",
    "−": "$-$", "≤": r"$\leq$", "≥": r"$\geq$", "≠": r"$\neq$", "≈": r"$\approx$", 
    "∞": r"$\infty$", "†": r"\textdagger{}", "→": r"$\to$", "←": r"$\gets$",
    "²": "$^2$", "³": "$^3$", "¹": "$^1$", "µ": r"$\mu$",
}  # fmt: skip
LATIN = ({chr(code) for code in range(0xA1, 0x180)} | set("ȘșȚț€")) - set("ĦħĸĿŀŉŦŧſ")  # printable by pdfLaTeX with T1
# other characters: unchanged under LuaLaTeX and XeLaTeX, whose font must have them; the code point under pdfLaTeX
CHARACTER = "\\providecommand{\\unicodechar}[2]{\\ifdefined\\Umathchar#1\\else\\texttt{U+#2}\\fi}"

NEEDS = "% needs \\usepackage[T1]{fontenc} and \\usepackage{booktabs,amssymb}"


def latex(table: Table, name: str) -> str:
    """A ``table`` environment. A level of the first factor is printed once per group of rows, as in the paper."""
    count, several = len(table.columns), len(table.protocols) > 1
    lines = []
    if several:
        spans = Counter(column.protocol for column in table.columns)
        groups = [f"\\multicolumn{{{span}}}{{c}}{{{escape(protocol)}}}" for protocol, span in spans.items()]
        lines.append(_line([""] * len(table.factors) + groups))
    head = [factor.title for factor in table.factors] + [column.heading for column in table.columns]
    lines += [_line(map(escape, head)), "\\midrule"]
    before = None
    for row in table.lines:
        fields = []
        for place, factor in enumerate(table.factors):
            level = row.cell.levels.get(factor.axis, "")
            if factor.tick is not None:
                fields.append("\\checkmark" if level == factor.tick else "")
            else:
                fields.append("" if place == 0 and level == before else escape(level))
        first = row.cell.levels.get(table.factors[0].axis) if table.factors else None
        if before is not None and first != before:
            lines.append("\\addlinespace")
        before = first
        if count and all(row.value(column) is None for column in table.columns):
            fields.append(f"\\multicolumn{{{count}}}{{l}}{{\\emph{{{escape(row.state)}}}}}")
        else:
            fields += [_value(column, row.value(column)) for column in table.columns]
        lines.append(_line(fields))
    aligned = "l" * min(1, len(table.factors)) + "c" * (len(table.factors) - 1) + "r" * count
    return latex_file([_environment(_caption(table, name), aligned, lines)])


def latex_lines(caption: str, head: Sequence[str], lines: Sequence[Sequence[str]], numbers: int) -> list[str]:
    """A ``table`` environment from plain texts, which are escaped; the last ``numbers`` columns are aligned to the right."""
    first, *rows = [_line(map(escape, line)) for line in (head, *lines)]
    return _environment(escape(caption), "l" * (len(head) - numbers) + "r" * numbers, [first, "\\midrule", *rows])


def _environment(caption: str, aligned: str, lines: Iterable[str]) -> list[str]:
    return [
        "\\begin{table}", "  \\centering", f"  \\caption{{{caption}}}", f"  \\begin{{tabular}}{{{aligned}}}",
        *(f"    {line}" for line in ("\\toprule", *lines, "\\bottomrule")), "  \\end{tabular}", "\\end{table}",
    ]  # fmt: skip


def _line(fields: Iterable[str]) -> str:
    return " & ".join(fields) + " \\\\"


def latex_file(tables: Iterable[Sequence[str]]) -> str:
    """Tables one after another, with what all of them need."""
    return "\n".join([NEEDS, CHARACTER, *(line for table in tables for line in table)]) + "\n"


def _caption(table: Table, name: str) -> str:
    partial = "" if table.whole else f" (partial: {table.states})"
    ticks = "".join(f" A tick under {escape(f.title)} is {escape(f.tick)}." for f in table.factors if f.tick)
    only = f" on {escape(table.protocols[0])}" if len(table.protocols) == 1 else ""
    noise = "Brackets are 95\\,\\% intervals, not paired."
    if table.replicated:
        noise = "Means over replicates with 95\\,\\% intervals: over test items and, after \\emph{seeds}, over replicates."
    noise += f" Intervals: {escape('; '.join(table.methods))}." if table.methods else ""
    noise += f" Not shown: {escape('; '.join(table.left_out))}." if table.left_out else ""
    return f"{escape(name)}{only}{partial}.{ticks} {noise}"


def _value(column: Column, value: Result | None) -> str:
    if value is None or value.value is None:
        return "--"
    spreads = [escape(spread) for spread in (column.spread(value), column.seeds(value)) if spread]
    return " ".join([column.value(value), *("{\\scriptsize " + spread + "}" for spread in spreads)])


def escape(text: str) -> str:
    """Escaped text that LaTeX prints literally, also at the start of a row, where ``[`` and ``*`` are arguments of ``\\\\``."""
    escaped = "".join(SPECIAL.get(letter) or _letter(letter) for letter in visible(text))
    return re.sub(r"([-,])(?=\1)", r"\1{}", escaped)  # -- and ,, are ligatures


def _letter(letter: str) -> str:
    if letter.isascii() or letter in LATIN:
        return letter
    return f"\\unicodechar{{{letter}}}{{{ord(letter):04X}}}"
