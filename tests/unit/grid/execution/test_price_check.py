"""A limit of money is refused before anything runs if a GPU that would be used has no price."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grid.execution.launch import launch
from grid.execution.price_check import check_cluster_prices, check_prices, visible_gpus
from grid.spec.grid_file import BadInput, Grid
from grid.spec.launch_settings import Launch
from grid.spec.spending_limits import Limits

MONEY = Limits(cost=5.0)
H200 = "NVIDIA H200"


def check(kinds: set[str], gpus: list[str], limits: Limits = MONEY, **settings: Any) -> str:
    """The refusal on a machine with these GPUs; empty if there is none."""
    try:
        check_prices(limits, Launch.model_validate(settings), kinds, lambda: gpus)
    except BadInput as error:
        return str(error)
    return ""


def prices(**gpu_hour: float) -> dict[str, Any]:
    return {"gpu_hour": gpu_hour, "cpu_hour": 0.1}


def test_a_gpu_of_this_machine_without_a_price_is_named() -> None:
    assert check({"train"}, [H200], prices=prices(A100=1.5, L4=0.5)) == (
        "--max-cost: launch.prices.gpu_hour has no price for NVIDIA H200, which this machine has (known: A100, L4); add its "
        "type, or any"
    )
    assert "(known: none)" in check({"train"}, [H200], prices={"cpu_hour": 0.1})
    several = check({"train"}, ["NVIDIA L4", H200, H200, "NVIDIA B200"], prices=prices(L4=0.5))
    assert "no price for NVIDIA H200 and NVIDIA B200, which" in several
    assert check({"train"}, [H200], prices=prices(h200=4)) == ""
    assert check({"train"}, [H200], prices=prices(any=4)) == ""


def test_without_work_on_a_gpu_none_needs_a_price() -> None:
    known = prices(A100=1.5)
    assert check({"train"}, [], prices=known) == ""
    assert check(set(), [H200], prices=known) == ""
    assert check({"train"}, [H200], Limits(gpu_hours=1.0), prices=known) == ""
    assert check({"train"}, [H200], prices=known, resources={"gpus": 0}) == ""
    mixed: dict[str, Any] = {"prices": known, "resources": {"gpus": 0}, "stage_resources": {"explain": {"gpus": 1}}}
    assert check({"train", "evaluate"}, [H200], **mixed) == ""
    assert "NVIDIA H200" in check({"train", "explain"}, [H200], **mixed)


def test_stages_that_never_take_a_gpu_need_no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    from grid.execution import price_check

    kinds = {"background": False, "train": True}
    monkeypatch.setattr(price_check, "stage_kind", lambda kind: type("Kind", (), {"device": kinds[kind]}))
    assert check({"background"}, [H200], prices=prices(A100=1)) == ""
    assert check(set(kinds), [H200], prices=prices(A100=1)) != ""


@pytest.mark.parametrize(
    ("type", "priced", "refused"),
    [
        ("H100", "A100", True),
        ("H100", "h100", False),
        ("H100", "any", False),
        ("A100-80G", "A100", False),
        ("A100", "A100-SXM4-80GB", False),
        ("A100", "A100 SXM4", False),
        ("H100", "NVIDIA", False),
        ("H100", "80GB", False),
        ("H100", "L40S", True),
    ],
)
def test_of_a_type_that_is_asked_for_only_what_is_certain_is_refused(type: str, priced: str, refused: bool) -> None:
    custom = {f"accelerator_type:{type}": 0.01}
    settings = {"address": "head:6379", "prices": prices(**{priced: 2.0})}
    said = check({"train"}, [], **settings, resources={"custom": custom})
    assert (f"no price for {type}, which the grid file asks for (known: {priced})" in said) is refused
    assert (check({"train"}, [], **settings, stage_resources={"train": {"custom": custom}}) != "") is refused
    assert check({"train"}, [], **settings, stage_resources={"explain": {"custom": custom}}) == ""
    assert check({"train"}, [], **settings, resources={"custom": {f"accelerator_type:{type}": 0}}) == ""


def test_where_an_executor_of_the_user_computes_is_unknown() -> None:
    assert check({"train"}, [H200], prices=prices(A100=1.5), executor="mine.Cloud") == ""


def test_gpus_of_nodes_are_checked_once_the_cluster_is_reached() -> None:
    nodes = [{"CPU": 4.0, "accelerator_type:V100": 1.0}, {"GPU": 2.0, "accelerator_type:H100": 1.0}, {"GPU": 1.0}]
    asked = Launch.model_validate({"address": "head:6379", "prices": prices(A100=1.5)})
    with pytest.raises(BadInput, match=r"no price for H100, which nodes have \(known: A100\)"):
        check_cluster_prices(MONEY, asked, {"train"}, nodes)
    check_cluster_prices(MONEY, asked, {"train"}, [nodes[0], nodes[2]])
    check_cluster_prices(Limits(gpu_hours=1.0), asked, {"train"}, nodes)
    check_cluster_prices(MONEY, asked, set(), nodes)
    placed = asked.resources.model_copy(update={"custom": {"accelerator_type:A100": 0.01}})
    check_cluster_prices(MONEY, asked.model_copy(update={"resources": placed}), {"train"}, nodes)


def test_a_launch_is_refused_before_its_study_is_changed(
    make: Callable[..., Grid], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    import torch
    from rich.console import Console

    assert visible_gpus() == [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: H200)
    study, quiet = tmp_path / "study", Console(file=io.StringIO())
    settings = {"study": str(study), "executor": "local", "prices": prices(A100=1.5)}
    with pytest.raises(BadInput, match="no price for NVIDIA H200, which this machine has"):
        launch(make(axes={}, launch=settings), None, [], quiet, limits=MONEY)
    assert not (study / "plan.json").exists()
