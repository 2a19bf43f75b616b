"""The verdicts on a study's claims, and as Markdown."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grid.analysis import claim_words
from grid.analysis.analysis import ProtocolAnalysis
from grid.analysis.claim_verdicts import Judged, judge
from grid.analysis.claims import read_claims
from grid.analysis.study_evidence import study_evidence
from grid.ledger.study import Study
from grid.report.markdown import pipe_table, plain
from grid.results.rows import Table
from grid.spec.grid_file import BadInput

HEAD = ["Claim", "Metric", "Verdict", "Numbers"]
NOTE = (
    "Supported: every difference that the claim needs is significant in its direction. Contradicted: differences against it "
    "are. Not resolved: neither; these data do not tell. Intervals are of single differences (95 %), p values corrected for "
    "the number of claims (Holm)."
)


@dataclass(frozen=True)
class Verdicts:
    """``source``: where the claims come from."""

    source: str = ""
    judged: Sequence[Judged] = ()


def judged_claims(study: Study, table: Table, analyses: Sequence[ProtocolAnalysis], file: Path | None) -> Verdicts:
    """The verdicts on the claims about a study; none without a file of claims.

    Args:
        table, analyses: of the study.
        file: of claims; None: ``launch.claims`` of the grid file, of which mistakes are logged, since they must not end a
        launch.

    Raises:
        BadInput: the file is wrong.
    """
    known = study.record.get("launch", {}).get("claims")
    try:
        if file is None and known is None:
            return Verdicts()
        claims = read_claims(Path(file or known))
        return Verdicts(claims.source, judge(claims, study_evidence(study, table, analyses)))
    except BadInput as error:
        if file is not None:
            raise
        logging.getLogger("facegrid").warning("launch.claims: %s", error)
        return Verdicts()


def claim_rows(found: Sequence[Judged]) -> list[list[str]]:
    """The fields of ``HEAD`` for each claim and protocol."""
    several = len({one.evidence.column.protocol for one in found if one.evidence}) > 1
    rows = []
    for one in found:
        metric = one.evidence.column.title if one.evidence else one.claim.metric or ""
        where = f" on {one.evidence.column.protocol}" if several and one.evidence else ""
        rows.append([one.claim.claim, metric + where, one.verdict, claim_words.reasons(one)])
    return rows


def holds_for(found: Sequence[Judged]) -> str:
    """``Verdicts hold for other test subjects, with these trained networks.``; empty if none has an uncertainty."""
    basis = claim_words.bases(found)
    return f"Verdicts hold for {basis}." if basis else ""


def claims_markdown(found: Sequence[Judged], name: str, source: str = "") -> str:
    """A table of the verdicts; ends with a line break."""
    lines = [f"# {plain(name)}: claims", ""]
    lines += [f"Claims: {plain(source)}", ""] if source else []
    lines += pipe_table(HEAD, ([*map(plain, row)] for row in claim_rows(found)), "l" * len(HEAD))
    return "\n".join([*lines, "", *([holds_for(found)] if holds_for(found) else []), NOTE]) + "\n"


def claims_text(found: Sequence[Judged], name: str, source: str = "") -> str:
    """The same for a terminal: a paragraph per claim."""
    lines = [f"{name}{', claims of ' + source if source else ''}", ""]
    for claim, metric, verdict, numbers in claim_rows(found):
        lines += [f"{verdict.upper()}: {claim} ({metric})", f"  {numbers}", ""]
    return "\n".join([*lines, *([holds_for(found)] if holds_for(found) else []), NOTE])
