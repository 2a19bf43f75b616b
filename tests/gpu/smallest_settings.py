"""Every backbone and loss, with the smallest settings that show what they do."""

from __future__ import annotations

from typing import Any

from configs.lookup import known, lookup

# What was computed elsewhere; and a file, see test_external_network.py.
NO_NETWORK = {name for name in known("backbone") if lookup("backbone", name).stored} | {"external"}  # type: ignore[attr-defined]
BACKBONES: dict[str, tuple[dict[str, Any], int]] = {  # title -> config, and the side of the images in pixels
    **{name: ({"name": name}, 64) for name in known("backbone") if name not in NO_NETWORK},
    "abn": ({"name": "abn", "backbone": "resnet34", "maps": 32}, 64),
    "deepface": ({"name": "deepface", "size": 72}, 72),
    "face_vit": ({"name": "face_vit", "variant": "tiny", "size": 64, "masking": 0, "drop_path": 0}, 64),
    "inception_resnet_v1": ({"name": "inception_resnet_v1"}, 80),
    "timm": ({"name": "timm", "model": "resnet18"}, 64),
    "timm transformer": ({"name": "timm", "model": "vit_tiny_patch16_224", "size": 64}, 64),
    "facenet_nn2 with batch_norm": ({"name": "facenet_nn2", "batch_norm": True}, 64),
}
DEEP: dict[str, tuple[dict[str, Any], int]] = {  # whose activations grow most
    "iresnet 100": ({"name": "iresnet", "depth": 100}, 112),
    "iresnet 50 at 112": ({"name": "iresnet", "depth": 50}, 112),
    "abn on iresnet 50": ({"name": "abn", "backbone": {"name": "iresnet", "depth": 50}}, 112),
}
LOSSES: dict[str, Any] = {  # title -> config, all but those for numbers and for two classes
    **{name: name for name in known("loss") if name not in ("binary", "regression", "sum")},
    "weighted softmax": {"name": "softmax", "class_weights": "balanced"},
    "clipped arcface": {"name": "arcface", "variant": "clipped"},
    "sampled arcface": {"name": "arcface", "sample": 0.5},
    "elasticface plus": {"name": "elasticface", "form": "cos", "plus": True},
    "random triplets": {"name": "triplet", "negatives": "random"},
    "hardest triplets": {"name": "triplet", "negatives": "hardest"},
    "hard negatives": {"name": "triplet", "mining": "hard_negative"},
    "batch hard": {"name": "triplet", "mining": "batch_hard"},
    "all triplets": {"name": "triplet", "mining": "all"},
    "offline triplets": {"name": "triplet", "mining": "offline", "every": 2, "subset": 32},
    "softmax + center": "softmax + 0.01 center",
}
CHANCE = {"sampled arcface", "random triplets"}  # a device may draw other numbers than the CPU
FIXED = {  # the same losses without what they draw
    "elasticface": {"name": "elasticface", "deviation": 0},
    "elasticface plus": {"name": "elasticface", "form": "cos", "plus": True, "deviation": 0},
}
