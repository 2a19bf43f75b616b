"""The ``study`` commands: an experiment with people, who compare pairs of faces alone and then with maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from grid.terminal import AsJson, WhereText, answer, err, out

study = typer.Typer(no_args_is_help=True, help="Study whether maps help people to compare faces.", rich_markup_mode=None)

StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", readable=False, help="a finished study, such as studies/demo")]
Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", readable=False, help="the folder that `facegrid study make` wrote")]
Host = Annotated[str, typer.Option(help="address to listen on; put any address but loopback behind a proxy with HTTPS")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="port to listen on; 0 takes a free one")]


@study.command()
def make(
    target: StudyFolder,
    protocol: Annotated[str, typer.Option(help="title of the protocol whose pairs are shown")],
    groups: Annotated[
        list[str],
        typer.Option(metavar="NAME,...", help="explainers, with one group of participants for each; '{name: rise}' works, too"),
    ],
    where: WhereText = None,
    pairs: Annotated[int, typer.Option(help="number of pairs")] = 200,
    accuracy: Annotated[float, typer.Option(help="share of the pairs that the network decides correctly")] = 0.75,
    balanced: Annotated[
        bool,
        typer.Option(
            "--balanced/--unbalanced", help="select as many accepts as rejects, among correct and among wrong decisions"
        ),
    ] = True,
    threshold: Annotated[
        float | None, typer.Option(help="lowest cosine that is accepted [default: the most accurate one]")
    ] = None,
    seed: Annotated[int, typer.Option(help="seed of the selection of pairs")] = 0,
    include_accuracy: Annotated[
        str,
        typer.Option(metavar="LOW:HIGH", help="for a second analysis: keep participants with this accuracy in the first pass"),
    ] = "0:1",
    include_seconds: Annotated[
        float, typer.Option(min=0, help="for a second analysis: keep participants with at least this median time per answer")
    ] = 0.0,
    to: Annotated[
        Path | None, typer.Option(metavar="BUNDLE", help="folder to write to [default: human_study/ in the study]")
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="serve the bundle afterwards, as `facegrid study serve` does")] = False,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    as_json: AsJson = False,
) -> None:
    """Make the bundle of a human study from a finished study.

    Selects pairs, computes their maps and writes what participants load.
    """
    from grid.human_study.design import Inclusion
    from grid.human_study.make import make as run
    from grid.ledger.study import Study
    from grid.spec.cell_filter import parse_cell_filter

    low, high = _range("--include-accuracy", include_accuracy)
    inclusion = Inclusion(low=low, high=high, seconds=include_seconds)
    found = Study(target)
    folder = to or found.path / "human_study"
    console = err if as_json else out
    rule = {"pairs": pairs, "accuracy": accuracy, "balanced": balanced, "seed": seed}
    facts = run(
        found, parse_cell_filter(where), protocol, groups, folder, console, threshold=threshold, inclusion=inclusion, **rule
    )
    chosen = ", ".join(f"{count} {outcome}s" for outcome, count in facts["selected"].items())
    lines = [
        f"{facts['pairs']} pairs, of which the network decides {100 * facts['network_accuracy']:.1f} % correctly: {chosen}",
        "groups: " + "; ".join(f"{letter} {title}" for letter, title in facts["groups"].items()),
        f"bundle: {folder}; it contains faces, so the license of the data applies to it",
        f"before people take part, complete the consent in {folder / 'texts.json'}",
    ]
    answer(facts, as_json, lines)
    if serve:
        _serve(folder, host, port)


@study.command("serve")
def serve_command(bundle: Bundle, host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Serve a bundle to participants and collect their answers."""
    _serve(bundle, host, port)


@study.command()
def export(
    bundle: Bundle,
    to: Annotated[Path | None, typer.Option(metavar="FILE.csv", help="file to write [default: standard output]")] = None,
) -> None:
    """Write all answers as CSV."""
    from grid.human_study.export import answers_csv

    text = answers_csv(bundle)
    if to is None:
        print(text, end="")
    else:
        to.write_text(text, encoding="utf-8")
        out.print(f"{text.count(chr(10)) - 1} answers: {to}", soft_wrap=True)


@study.command()
def analyze(
    bundle: Bundle,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="folder to write to [default: report/ in the bundle]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Analyze the answers: does the accuracy of a group change with its maps?"""
    from grid.human_study.report import console_table, write_report

    found, page = write_report(bundle, to or bundle / "report")
    facts = json.loads(page.with_name("analysis.json").read_text(encoding="utf-8"))
    answer(facts, as_json, [*console_table(found), f"report: {page}"])


study.command("analyse", hidden=True)(analyze)  # the British spelling works too


@study.command()
def simulate(
    bundle: Annotated[
        Path | None,
        typer.Argument(metavar="[BUNDLE]", readable=False, help="bundle whose pairs the participants answer"),
    ] = None,
    url: Annotated[str, typer.Option(help="address of a running collector of the bundle, such as http://127.0.0.1:8000")] = "",
    participants: Annotated[int, typer.Option(min=1, help="with a bundle: how many take part")] = 30,
    benefit: Annotated[float, typer.Option(help="true gain of the first group, as a share: 0.08 is 8 points")] = 0.08,
    pairs: Annotated[int, typer.Option(min=2, help="without a bundle: pairs of the planned study")] = 200,
    groups: Annotated[int, typer.Option(min=2, help="without a bundle: groups of the planned study")] = 3,
    accuracy: Annotated[float, typer.Option(min=0.51, max=0.995, help="mean accuracy of people without maps")] = 0.76,
    simulations: Annotated[int, typer.Option(min=1, help="without a bundle: simulated studies for each number")] = 500,
    seed: Annotated[int, typer.Option(help="seed of the simulation")] = 0,
    as_json: AsJson = False,
) -> None:
    """Simulate participants with a known benefit.

    Without a bundle: the power of a planned study, for several benefits and sizes of groups. With one: participants who answer
    a running collector, as a rehearsal; use a copy of the bundle.
    """
    from grid.human_study.raters import Raters
    from grid.spec.grid_file import BadInput

    people = Raters(accuracy=accuracy)
    if bundle is None:
        from grid.human_study.power import power_lines, power_table

        table = power_table(people, pairs, groups, simulations, seed)
        answer(table, as_json, power_lines(table))
        return
    if not url:
        raise BadInput("--url: give the address of the running collector of this bundle, such as http://127.0.0.1:8000")
    from grid.human_study.rehearsal import rehearse

    facts = rehearse(bundle, url, participants, benefit, people, seed)
    line = f"{facts['participants']} simulated participants gave {facts['answers']} answers in {facts['seconds']:.1f} s; "
    line += f"the true benefit is {100 * facts['true_benefit']:.1f} points"
    answer(facts, as_json, [line])


def _serve(bundle: Path, host: str, port: int) -> None:
    from grid.human_study.server import serve

    serve(bundle, host, port, lambda text: out.print(text, soft_wrap=True))


def _range(option: str, text: str) -> tuple[float, float]:
    from grid.spec.grid_file import BadInput

    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError as error:
        raise BadInput(f"{option} {text!r}: write two shares, such as 0.65:0.85") from error
    if not 0 <= low < high <= 1:
        raise BadInput(f"{option} {text}: write shares from 0 to 1, the lower one first, such as 0.65:0.85")
    return low, high
