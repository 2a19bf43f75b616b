"""Explainers and explanation metrics that return something else than documented: one line, in stages and in the library."""

# ruff: noqa: E501 - calls and whole messages stand side by side

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from configs.contract import ContractError
from modules.attribution import returned
from modules.attribution.explainer import Attribution, PairAttribution, Refused
from modules.attribution.targets import ClassLogit

IMAGES = torch.zeros(3, 3, 8, 8)
TARGET = ClassLogit(torch.zeros(3, dtype=torch.long))
MAPS = np.zeros((3, 4, 4), np.float32)


def config(result: Any, method: str = "explain", **attributes: Any) -> Any:
    """A config whose object returns ``result``, or what it returns if it is a function."""

    def call(*_: Any, **__: Any) -> Any:
        return result() if callable(result) else result

    return SimpleNamespace(name="mylab.mine", build=lambda: SimpleNamespace(**{method: call}, **attributes))


def attribution(maps: Any, **more: Any) -> Attribution:
    return Attribution(maps, "", (3, 8, 8), "logit of the given class", **more)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (None, "explain returned None; expected an Attribution"),
        (MAPS, r"explain returned ndarray float32 \(3, 4, 4\); expected an Attribution"),
        (lambda: attribution(MAPS[:, None]), r"Attribution.maps is ndarray float32 \(3, 1, 4, 4\); expected .*\(N, h, w\)"),
        (lambda: attribution(MAPS.astype(float)), r"Attribution.maps is ndarray float64 \(3, 4, 4\); expected a numpy array float32"),
        (lambda: attribution(torch.zeros(3, 4, 4)), r"Attribution.maps is Tensor float32 \(3, 4, 4\); expected a numpy array"),
        (lambda: attribution(MAPS[:, :0]), r"Attribution.maps is ndarray float32 \(3, 0, 4\)"),
        (lambda: attribution(MAPS[:2]), r"Attribution.maps is ndarray float32 \(2, 4, 4\); expected .* \(3, h, w\), one map per image"),
        (lambda: attribution(MAPS, generated=MAPS), r"Attribution.generated is ndarray float32 \(3, 4, 4\); expected .* \(3, 3, H, W\)"),
    ],
)  # fmt: skip
def test_a_wrong_map_names_the_explainer_and_the_shapes(result: Any, said: str) -> None:
    with pytest.raises(ContractError, match=f"^explainer 'mylab.mine': {said}.*docs/extending/explainer.md$") as refused:
        returned.explain(config(result), None, IMAGES, TARGET, 8)
    assert "\n" not in str(refused.value)


def test_a_right_map_is_returned_and_a_refusal_passes() -> None:
    right = attribution(MAPS)
    assert returned.explain(config(right), None, IMAGES, TARGET, 8) is right

    def refuse() -> None:
        raise Refused("no_map", "none")

    with pytest.raises(Refused):
        returned.explain(config(refuse), None, IMAGES, TARGET, 8)


def test_an_explainer_without_its_method_is_named() -> None:
    with pytest.raises(
        ContractError, match=r"^explainer 'mylab.mine': build returned a SimpleNamespace; .* the method explain;"
    ):
        returned.explain(config(None, "explian"), None, IMAGES, TARGET, 8)


PAIR = np.zeros((3, 2, 4, 4), np.float32)
COSINES = np.zeros(3, np.float32)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (lambda: attribution(MAPS), "explain returned an Attribution; expected a PairAttribution"),
        (lambda: PairAttribution({}, COSINES, "cosine"), "PairAttribution.maps is an empty dict; expected a mapping"),
        (lambda: PairAttribution(PAIR, COSINES, "cosine"), r"PairAttribution.maps is ndarray .*; expected a mapping"),  # type: ignore[arg-type]
        (lambda: PairAttribution({"S": PAIR[:, 0]}, COSINES, ""), r"PairAttribution.maps\['S'\] is .* \(3, 4, 4\); .*\(3, 2, h, w\)"),
        (lambda: PairAttribution({"S": PAIR[:2]}, COSINES, ""), r"PairAttribution.maps\['S'\] is .* \(2, 2, 4, 4\)"),
        (lambda: PairAttribution({"S": PAIR}, [0.0] * 3, ""), "PairAttribution.cosines is a list of length 3"),  # type: ignore[arg-type]
        (lambda: PairAttribution({"S": PAIR[:2]}, COSINES[:2], ""), r"PairAttribution.cosines is .* \(2,\); expected .* \(3,\)"),
    ],
)  # fmt: skip
def test_a_wrong_pair_map_names_the_explainer_and_the_shapes(result: Any, said: str) -> None:
    with pytest.raises(ContractError, match=f"^explainer 'mylab.mine': {said}"):
        returned.explain_pairs(config(result), None, IMAGES, IMAGES, 8, None)


def test_only_a_method_that_asks_gets_the_ground_truth() -> None:
    seen: list[dict[str, Any]] = []

    class Method:
        asks = True

        def explain(self, *_: Any, **more: Any) -> PairAttribution:
            seen.append(more)
            return PairAttribution({"S": PAIR}, COSINES, "cosine")

    asking: Any = SimpleNamespace(name="a", build=Method)
    returned.explain_pairs(asking, None, IMAGES, IMAGES, 8, None, COSINES > 0)
    Method.asks = False
    returned.explain_pairs(asking, None, IMAGES, IMAGES, 8, None, COSINES > 0)
    assert [list(more) for more in seen] == [["same"], []]


GOOD = {"of": "images", "count": 3, "maps": {"": {"auc": {"value": 0.5}}}, "headlines": ["auc"]}


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (None, "score returned None; expected a dict with of, count and maps"),
        (0.5, "score returned 0.5"),
        ({"auc": 0.5}, "score returned a dict with the keys auc; expected also the key of and the key count and the key maps"),
        ({**GOOD, "of": "faces"}, "'of' is 'faces'; expected 'images' or 'pairs'"),
        ({**GOOD, "count": "3"}, "'count' is '3'"),
        ({**GOOD, "maps": {"auc": {"value": 1.0}}}, r"'maps' is a dict with the keys auc; expected .*names of the maps \(''\)"),
        ({**GOOD, "maps": [0.5]}, "'maps' is a list of length 1"),
        ({**GOOD, "maps": {"": 0.5}}, r"maps\[''\] is 0.5; expected a dict such as"),
        ({**GOOD, "maps": {"": {"auc": 0.5}}}, r"maps\[''\]\['auc'\] is 0.5; expected a dict with a finite number"),
        ({**GOOD, "maps": {"": {"auc": {"low": 0.5}}}}, r"maps\[''\]\['auc'\] is a dict with the keys low"),
        ({**GOOD, "maps": {"": {"auc": {"value": float("nan")}}}}, r"maps\[''\]\['auc'\] is nan; .*leave out"),
        ({**GOOD, "maps": {"": {"auc": {"value": np.float32(1)}}}}, r"maps\[''\]\['auc'\] is float32 float32 \(\)"),
        ({**GOOD, "headlines": "auc"}, "'headlines' is 'auc'; expected a list"),
        ({**GOOD, "each": {"of": "pairs", "rows": [0]}}, "'each' is a dict with the keys of, rows; expected a dict with of"),
        (
            {**GOOD, "each": {"of": "images", "rows": [0, 2], "maps": {"": {"auc": [0.5]}}}},
            r"each\['maps'\]\[''\]\['auc'\] is a list of length 1; expected 2 values",
        ),
        ({**GOOD, "ranges": [0, 1]}, r"'ranges' is a list of length 2; expected a dict such as \{'auc': \[0, 1\]\}"),
        ({**GOOD, "ranges": {"auc": [1, 0]}}, "'ranges' is"),
        ({**GOOD, "ranges": {"auc": [0]}}, "'ranges' is"),
        ({**GOOD, "ranges": {"auc": 1}}, "'ranges' is"),
        ({**GOOD, "flags": ["odd"]}, "'flags' is a list of length 1"),
        ({**GOOD, "curve": np.zeros(3)}, "score returned a dict with the keys .*; expected JSON values only"),
    ],
)  # fmt: skip
def test_a_wrong_score_names_the_metric_and_the_key(result: Any, said: str) -> None:
    explained: Any = SimpleNamespace(maps={"": MAPS})
    with pytest.raises(ContractError, match=f"^explanation metric 'mylab.mine': {said}") as refused:
        returned.score(config(lambda: result, "score"), explained)
    assert "\n" not in str(refused.value)


def test_a_right_score_is_returned_and_one_without_its_method_is_named() -> None:
    explained: Any = SimpleNamespace(maps={"": MAPS})
    assert returned.score(config(lambda: GOOD, "score"), explained) == GOOD
    with pytest.raises(ContractError, match=r"^explanation metric 'mylab.mine': build returned .* the method score;"):
        returned.score(config(lambda: GOOD, "scores"), explained)
