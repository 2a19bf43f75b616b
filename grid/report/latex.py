"""The table as LaTeX, for the packages booktabs and amssymb (the tick)."""

from __future__ import annotations

from grid.report.columns import Column, Value
from grid.report.rows import Table

SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "±": r"$\pm$",
    "@": "@", "|": r"\textbar{}", "✓": r"\checkmark",
}  # fmt: skip


def latex(table: Table, name: str) -> str:
    """A ``table`` environment. A level of the first factor is printed once per run of rows, as the paper does."""
    count, several = len(table.columns), len(table.protocols) > 1
    lines = [
        "% needs \\usepackage{booktabs,amssymb}", "\\begin{table}", "  \\centering", f"  \\caption{{{_caption(table, name)}}}",
        f"  \\begin{{tabular}}{{{'l' * min(1, len(table.factors))}{'c' * (len(table.factors) - 1)}{'r' * count}}}",
        "    \\toprule",
    ]  # fmt: skip
    if several:
        groups = [f"\\multicolumn{{{_span(table, protocol)}}}{{c}}{{{escape(protocol)}}}" for protocol in table.protocols]
        lines.append("    " + " & ".join([""] * len(table.factors) + groups) + " \\\\")
    head = [factor.title for factor in table.factors] + [c.title + (" [%]" if c.percent else "") for c in table.columns]
    lines += ["    " + " & ".join(escape(text) for text in head) + " \\\\", "    \\midrule"]
    before = None
    for number, row in enumerate(table.lines):
        fields = []
        for place, factor in enumerate(table.factors):
            level = row.cell.levels.get(factor.axis, "")
            if factor.tick is not None:
                fields.append("\\checkmark" if level == factor.tick else "")
            else:
                fields.append("" if place == 0 and level == before else escape(level))
        first = row.cell.levels.get(table.factors[0].axis) if table.factors else None
        if before is not None and first != before:
            lines.append("    \\addlinespace")
        before = first
        if count and all(row.value(column) is None for column in table.columns):
            fields.append(f"\\multicolumn{{{count}}}{{l}}{{\\emph{{{escape(row.state)}}}}}")
        else:
            fields += [_value(column, row.value(column), number in table.best[column]) for column in table.columns]
        lines.append("    " + " & ".join(fields) + " \\\\")
    return "\n".join([*lines, "    \\bottomrule", "  \\end{tabular}", "\\end{table}"]) + "\n"


def _span(table: Table, protocol: str) -> int:
    return sum(column.protocol == protocol for column in table.columns)


def _caption(table: Table, name: str) -> str:
    partial = "" if table.whole else f" (partial: {', '.join(f'{count} {state}' for state, count in table.counts.items())})"
    ticks = "".join(f" A tick under {escape(f.title)} is {escape(f.tick)}." for f in table.factors if f.tick)
    only = f" on {escape(table.protocols[0])}" if len(table.protocols) == 1 else ""
    noise = "Brackets are 95\\,\\% intervals, not paired; $\\pm$ is the standard error over folds."
    return f"{escape(name)}{only}{partial}.{ticks} {noise}"


def _value(column: Column, value: Value | None, best: bool) -> str:
    if value is None or value.value is None:
        return "--"
    text, spread = column.value(value), escape(column.spread(value))
    shown = "\\textbf{" + text + "}" if best else text
    return shown + (" {\\scriptsize " + spread + "}" if spread else "")


def escape(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(SPECIAL.get(letter, letter) for letter in " ".join(text.split()))
