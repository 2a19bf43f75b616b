import pickle

import pytest
import torch

from modules.attribution.explainer import Explainer, PairExplainer, Refused


def test_a_refusal_survives_the_way_between_processes():
    refusal = pickle.loads(pickle.dumps(Refused("layer_too_coarse", "no stage is large enough")))
    assert (refusal.code, refusal.reason, str(refusal)) == ("layer_too_coarse",) + ("no stage is large enough",) * 2


def precisions():
    backends = torch.backends
    return [one.fp32_precision for one in (backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul)]


class Single(Explainer):
    def explain(self, network, images, target, size):
        """Documented."""
        if target is None:
            raise Refused("no_target", "nothing to explain")
        return precisions()


class Pair(PairExplainer):
    def explain(self, network, left, right, size, reference=None):
        return precisions()

    def tuned(self, network, images, size, reference=None):
        return precisions()


class Derived(Single):
    def explain(self, network, images, target, size):
        return [*super().explain(network, images, target, size), *precisions()]


def test_an_explainer_runs_without_tf32_whoever_calls_it():
    before = precisions()
    assert "tf32" in before  # torch's default for convolutions
    assert Single().explain(None, None, "one", 8) == ["ieee"] * 3
    assert Pair().explain(None, None, None, 8) == Pair().tuned(None, None, 8) == ["ieee"] * 3
    assert Derived().explain(None, None, "one", 8) == ["ieee"] * 6
    with pytest.raises(Refused):
        Single().explain(None, None, None, 8)
    assert precisions() == before
    assert Single.explain.__doc__ == "Documented."
