"""The numbers of a ``Curve``, each from scores and labels."""

from modules.metrics.roc import Curve


def roc(scores, same):
    curve = Curve.of(scores, same)
    return curve.far, curve.tar, curve.thresholds


def auc(scores, same):
    return Curve.of(scores, same).auc()


def eer(scores, same):
    return Curve.of(scores, same).eer()[0]


def best_threshold_accuracy(scores, same):
    correct, threshold = Curve.of(scores, same).best()
    return correct / len(scores), threshold


def val_at_far(scores, same, far):
    return Curve.of(scores, same).val(far)
