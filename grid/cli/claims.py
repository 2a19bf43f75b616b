"""``facegrid claims``: what the numbers of a study or of a typed-in table say of a file of claims."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grid.terminal import AsJson, answer


def claims(
    file: Annotated[Path, typer.Argument(metavar="CLAIMS", help="YAML file of claims; docs/claims.md describes it")],
    data: Annotated[Path, typer.Argument(metavar="STUDY|TABLE", help="a study's folder, or a CSV file of results")],
    as_json: AsJson = False,
) -> None:
    """Test claims against a study or a table of results.

    Each is supported, contradicted or not resolved.
    """
    from grid.analysis.claim_verdicts import judge
    from grid.analysis.claim_words import claim_records
    from grid.analysis.claims import read_claims
    from grid.report.claims_files import claims_text

    wanted = read_claims(file)
    if data.is_dir():
        from grid.analysis.analysis import analyze
        from grid.analysis.study_evidence import study_evidence
        from grid.ledger.study import Study
        from grid.results.rows import table

        study = Study(data)
        rows = table(study)
        name, evidence = study.name, study_evidence(study, rows, analyze(study, rows))
    else:
        from grid.analysis.typed_table import read_table

        name, evidence = data.stem, read_table(data)
    found = judge(wanted, evidence)
    facts = {"source": wanted.source, "claims": claim_records(found)}
    answer(facts, as_json, [claims_text(found, name, wanted.source)])
