"""Why public evaluators give different numbers for equal embeddings: one sentence for each definition."""

from __future__ import annotations

from collections.abc import Mapping

ACCURACY: Mapping[str, str] = {
    "ten_fold": "the threshold of a fold is the exact optimum on the other folds; s.e. over folds with n - 1 (LFW's protocol)",
    "insightface": "the threshold is the first best of 400 squared distances, step 0.01, on the other folds; s.d. with n",
    "youden": "the threshold has the largest TAR - FAR on the other folds, of 1,000 between the lowest and the highest score; "
    "a pair whose score equals it is wrong",
    "best_threshold": "one threshold for all pairs, chosen on the pairs that it is reported on",
    "facenet": "as insightface, from FaceNet's public code",
    "facenet_mean": "as facenet, by angle, after the mean embedding of the other folds is subtracted",
}
VAL: Mapping[str, str] = {
    "facenet": "the threshold of a fold is interpolated for the FAR on the other folds, over squared distances, step 0.001; "
    "where embeddings lie close together it is too wide and the FAR is missed; s.e. over folds with n - 1 (FaceNet has five)",
    "facenet_mean": "as facenet, by angle, after the mean embedding of the other folds is subtracted",
}
TAR: Mapping[str, str] = {
    "exact": "the last point of the curve whose FAR does not exceed the target",
    "nearest": "the corner of the curve whose FAR is nearest to the target, which it may exceed (InsightFace's 1:1 evaluator)",
}
DIR: Mapping[str, str] = {
    "exact": "each gallery has its own threshold, at most the target share of its non-mated probes is accepted, and the mate "
    "has rank 1; the mean over galleries (NIST)",
    "pfe": "as exact, with the number of accepted non-mated probes rounded, so that the FAR may exceed the target "
    "(Probabilistic Face Embeddings)",
    "insightface": "joined galleries; the threshold is the score of a non-mate at place (target x probes) among those of all "
    "probes and entries, so FAR counts candidates and not probes; the mate may have any rank",
}
RANK: Mapping[str, str] = {
    "exact": "each gallery for itself, over its mated probes; the mean over galleries",
    "joined": "in the joined galleries, where every probe is mated: more subjects to confuse, as in InsightFace and PFE",
}
