import pickle

from modules.attribution.explainer import Refused


def test_a_refusal_survives_the_way_between_processes():
    refusal = pickle.loads(pickle.dumps(Refused("layer_too_coarse", "no stage is large enough")))
    assert (refusal.code, refusal.reason, str(refusal)) == ("layer_too_coarse",) + ("no stage is large enough",) * 2
