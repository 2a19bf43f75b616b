"""Links in descriptions on MLflow's pages: to the report of the study, and to the publications that its grid file names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grid.ledger.study import Study

TRAINING = "workflowType=machine_learning"  # in an address: MLflow 3 opens in its mode for generative AI without it


def charts_page(experiment_id: str, view: str) -> str:
    """The address of the charts of a saved view on MLflow's pages, relative to the server's."""
    return f"#/experiments/{experiment_id}/runs?viewStateShareKey={view}&compareRunsMode=CHART&{TRAINING}"


def report_page(experiment_id: str, run_id: str) -> str:
    """The address of the report on MLflow's pages, relative to the server's."""
    return f"#/experiments/{experiment_id}/runs/{run_id}/artifacts/report/index.html?{TRAINING}"


def links(study: Study, report: str | None) -> list[str]:
    """Lines of Markdown: the report, and the publications that the grid file names.

    Args:
        report: address of the report's page; None if there is none
    """
    found = [f"[Tables and figures]({report}) of the study."] if report else []
    if sources := study.sources:
        named = [
            f"{_text(source['authors'])}: {_link(source)}" if source.get("authors") else _link(source) for source in sources
        ]
        found.append(f"{'Source' if len(named) == 1 else 'Sources'}: {'; '.join(named)}.")
    return ["", " ".join(found)] if found else []


def _link(source: Mapping[str, Any]) -> str:
    title = _text(source["title"])
    return f"[{title}]({source['url']})" if source.get("url") else title


def _text(text: str) -> str:
    """Text without Markdown's marks for links."""
    return " ".join(text.replace("[", "(").replace("]", ")").split())
