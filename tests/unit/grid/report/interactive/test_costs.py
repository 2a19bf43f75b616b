import torch

from configs.lookup import resolve
from grid.report.interactive.costs import costs
from grid.results import rows
from modules.model_complexity import count


def test_costs_are_those_of_the_network_and_of_its_training(make_study):
    table = rows.table(make_study(axes={"backbone": ["alexnet", "resnet34"]}, unfinished=[{"backbone": "alexnet"}], pairs=60))
    found = costs(table)
    assert list(found) == ["Parameters [million]", "Operations per image [MFLOPs]", "Training [s]"]
    parameters, operations, training = found.values()
    config = table.rows[1].cell.config
    network = resolve("backbone", config["backbone"]).build()
    head = resolve("head", config["head"])
    with torch.no_grad():
        channels = network(torch.zeros(1, 3, 96, 96)).shape[1:]
    built = [sum(one.numel() for one in part.parameters()) for part in (network, head.build(*channels))]
    assert parameters[1] == sum(built) / 1e6
    assert operations[1] == count(*(resolve(kind, config[kind]) for kind in ("backbone", "head", "loss")), 2, 96).flops / 1e6
    marker = table.rows[1].markers["train"]
    assert training == [None, marker.finished - marker.started]


def test_a_quantity_that_no_cell_has_is_left_out(make_study):
    table = rows.table(make_study(axes={}, unfinished=[{}], pairs=60))
    assert list(costs(table)) == ["Parameters [million]", "Operations per image [MFLOPs]"]
