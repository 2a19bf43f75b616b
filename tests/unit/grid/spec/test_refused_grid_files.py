"""Grid files that are refused, each with one line: bad keys and values, and files beyond the limits."""

# ruff: noqa: E501 - whole files and whole messages stand side by side

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from grid.spec.grid_file import BadInput, read

BAD = [
    ("name: a\nbase: {}\naxis: {}\n", "grid.yaml:3: unknown key 'axis'; did you mean 'axes'? (known: axes, base, births, "),
    ("name: a\n1: x\nbase: {}\n", "grid.yaml:2: unknown key 1 (known: "),
    (
        "name: a\nbase:\n  data: drawn\n  backbone: alexnet\n  recipe: none\n",
        "grid.yaml:5: recipe none trains nothing, so the network must come from somewhere",
    ),
    (
        "name: a\nbase:\n  data: drawn\n  backbone: alexnet\n  recipe: one_cycle\n  targets:\n    age: {}\n    gender: {weight: 0.5}\naxes:\n  w:\n    b: {target_weighting: uncertainty}\n",
        "grid.yaml:8: cell w=b: targets.gender.weight is 0.5, and target_weighting: uncertainty learns the weights",
    ),
    ("", "grid.yaml: a grid file is a mapping with name, base and axes; found nothing"),
    ("- a\n", "grid.yaml: a grid file is a mapping with name, base and axes; found a list"),
    ("base: {}\n", "grid.yaml: key 'name' is needed"),
    ("name: a/b\nbase: {}\n", "grid.yaml:1: name: 'a/b' is no folder name"),
    ("name: a\nbase: 3\n", "grid.yaml:2: base: input should be a mapping; found 3"),
    ("name: a\nbase: {}\nlaunch: {resources: [1]}\n", "grid.yaml:3: launch.resources: input should be a mapping; found [1]"),
    (
        "name: a\nbase: {}\nlaunch: {store: 's3:/bucket/store'}\n",
        "grid.yaml:3: launch.store: 's3:/bucket/store' lacks a slash; write s3://bucket/store, or ./s3:/bucket/store for a folder",
    ),
    ("name: a\nbase: {}\nprotocols: 3\n", "grid.yaml:3: protocols: input should be a list; found 3"),
    ("name: a\nbase: {}\nlaunch: {resources: {gpus: 1.5}}\n", "launch.resources.gpus: 1.5 is neither a part of one GPU nor a whole number"),
    ("name: a\nbase: {}\nlaunch: {resources: {gpus: .inf}}\n", "launch.resources.gpus: inf is neither a part of one GPU nor a whole"),
    (
        "name: a\nbase: {}\nlaunch: {stage_resources: {train: {gpus: 2.5}}}\n",
        "launch.stage_resources.train.gpus: 2.5 is neither a part of one GPU nor a whole number of them",
    ),
    (
        "name: a\nbase: {}\nlaunch: {resources: {custom: {a: -1}}}\n",
        "launch.resources.custom.a: input should be greater than or equal to 0; found -1",
    ),
    ("name: a\nbase: {}\naxes: [1]\n", "grid.yaml:3: axes map a name to levels; found [1]"),
    ("name: a\nbase: {}\naxes:\n  b: {}\n", "grid.yaml:4: axis 'b' has no levels; give it levels or remove it"),
    ("name: a\nbase: {}\naxes:\n  b:\n", "grid.yaml:4: axis 'b' has no levels"),
    ("name: a\nbase: {}\naxes:\n  b: {1: {}}\n", "grid.yaml:4: YAML reads level 1 as a value; quote it"),
    ("name: a\nbase: {}\naxes:\n  b: {no: {}}\n", "grid.yaml:4: YAML reads level False as a value; quote it"),
    ("name: a\nbase: {}\naxes:\n  on: {x: {}}\n", "grid.yaml:3: YAML reads axis True as a value; quote it"),
    ("name: a\nbase: {}\naxes:\n  b:\n    x: 3\n", "grid.yaml:5: a level maps dotted keys to values (or is {}); found 3"),
    ("name: a\nbase: {}\naxes:\n  b:\n    x: {2: 3}\n", "grid.yaml:5: a level maps dotted keys to values; found the key 2"),
    ("name: a\nbase: {}\naxes:\n  replicate:\n    x: {}\n", "grid.yaml:4: 'replicate' is what `replicates` adds"),
    ("name: a\nbase: {}\naxes:\n  b:\n    x: {launch.retries: 1}\n", "grid.yaml:5: 'launch.retries' is the same for all cells"),
    (
        "name: a\nbase: {}\naxes:\n  b:\n    x: {seed: 1}\n  c:\n    y:\n      seed: 2\n",
        "grid.yaml:8: axes 'b' and 'c' both set 'seed'; which would win depends on their order",
    ),
    (
        "name: a\nbase: {}\naxes:\n  b:\n    x: {detector: mtcnn}\n  c:\n    y: {detector.name: none}\n",
        "grid.yaml:7: axes 'b' and 'c' set 'detector' and 'detector.name', of which one overwrites the other; let one axis set both",
    ),
    (
        "name: a\nbase: {}\naxes:\n  c:\n    y: {detector.margin: 4}\n  b:\n    x: {detector: {name: mtcnn, margin: 3}}\n",
        "grid.yaml:7: axes 'c' and 'b' set 'detector.margin' and 'detector', of which one overwrites the other",
    ),
    (
        "name: a\nbase: {}\naxes:\n  b:\n    x: {detector: mtcnn, detector.name: none}\n",
        "grid.yaml:5: a level sets 'detector' and 'detector.name', of which one overwrites the other; leave one out",
    ),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data: drawn\n  pretraining: {name: source, data: {name: drawn, 3: 4}}\n",
        "grid.yaml:5: pretraining: keys of pretraining source are text, also in its parts; quote numbers",
    ),
    (
        "name: a\nbase: {data: drawn, backbone: alexnet}\nexplainers: [{}]\n",
        "grid.yaml:3: explainers.0: an explainer is a mapping with a name, such as {name: ",
    ),
    (
        "name: a\nbase: {recipe: [1]}\naxes:\n  b:\n    x: {recipe.lr: 1}\n",
        "grid.yaml:5: axes.b.x.recipe.lr: 'lr' is no item of a list of 1",
    ),
    (
        "name: a\nbase: {}\nprotocols:\n  - {name: lfw, transforms: 3, sweep: {jpeg.quality: [10]}}\n",
        "grid.yaml:4: protocols.0.transforms: input should be a list; found 3",
    ),
    ("name: a\nbase: {}\nskip:\n  - {when: {b: x}, because: y}\n", "grid.yaml:4: skip rule: unknown axis 'b'"),
    (
        "name: a\nbase: {}\naxes: {b: {x: {}}}\nskip:\n  - {when: {b: [y]}, because: z}\n",
        "grid.yaml:5: skip rule: axis 'b' has no level 'y' (known: x)",
    ),
    ("name: a\nbase: {}\naxes: {b: {x: {}}}\nskip:\n  - {when: {b: x}}\n", "grid.yaml:5: key 'skip.0.because' is needed"),
    ("name: a\nbase: {}\nskip:\n  - {when: {}, because: z}\n", "grid.yaml:4: skip.0.when: maps axes to a level"),
    (
        "name: a\nbase: {}\naxes: {b: {x: {}}}\nskip:\n  - {when: {b: x}, because: z, why: w}\n",
        "grid.yaml:5: unknown key 'skip.0.why' (known: because, when)",
    ),
    ("name: a\nbase: {}\naxes: {b: {x: {}}}\nbirths:\n  b: y\n", "grid.yaml:5: birth level: axis 'b' has no level 'y' (known: x)"),
    ("name: a\nbase: {}\nreplicates: 0\n", "grid.yaml:3: replicates: input should be greater than or equal to 1; found 0"),
    ("name: a\nbase: {}\nreplicate_scope: [test]\n", "grid.yaml:3: replicate_scope.0: input should be 'pretrain' or 'train'; found"),
    ("name: a\nbase: {}\nlaunch:\n  resources: {cpu: 2}\n", "grid.yaml:4: unknown key 'launch.resources.cpu'; did you mean 'launch.resources.cpus'?"),
    ("name: a\nbase: {}\nlaunch: {workers: x}\n", "grid.yaml:3: launch.workers: input should be a valid integer or 'auto'; found 'x'"),
    ("name: a\nbase: {}\nlaunch:\n  resources: {gpus: x}\n", "launch.resources.gpus: input should be a valid number or 'auto' or 'measured'; found 'x'"),
    ("name: a\nbase: {}\nlaunch:\n  resources: {gpus: x, cpus: x}\n", "launch.resources.cpus: input should be a valid number, unable"),
    ("name: a\nbase:\n  data: drawn\n", "grid.yaml: key 'backbone' is needed"),
    ("name: a\nbase:\n  data: drawn\n  backbone: alexnte\n", "grid.yaml:4: backbone: unknown backbone 'alexnte'; did you mean 'alexnet'?"),
    ("name: a\nbase:\n  data: drawn\n  backbone: {nam: x}\n", "grid.yaml:4: backbone: a backbone is a mapping with a name, such as"),
    ("name: a\nbase:\n  data: drawn\n  backbone: alexnet\n  color: red\n", "grid.yaml:5: unknown key 'color' (known: augmentation, "),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data:\n    name: drawn\n    subject: 3\n",
        "grid.yaml:6: unknown key 'data.subject'; did you mean 'data.subjects'? (known: first, look_alikes, name, occluder, on_bad_image, ",
    ),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data:\n    name: drawn\n    subjects: [3]\n",
        "grid.yaml:6: data.subjects: input should be a valid integer; found [3]",
    ),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data: drawn\n  recipe: {name: plateau, lr: .nan}\n",
        "grid.yaml:5: recipe.lr: input should be ",
    ),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data: drawn\n  head: {name: gap_bn, dropout: .inf}\n",
        "grid.yaml:5: head.dropout: input should be ",
    ),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data: drawn\n  pretraining:\n    name: source\n    data:\n      name: drawn\n      size: big\n",
        "grid.yaml:9: pretraining.data.size: input should be a valid integer, unable to parse string as an integer; found 'big'",
    ),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data: drawn\n  pretraining:\n    name: source\n    data:\n      name: drawn\n      siz: 4\n",
        "grid.yaml:9: unknown key 'pretraining.data.siz'; did you mean 'pretraining.data.size'? (known: first, ",
    ),
    (
        "name: a\nbase: {backbone: alexnet, data: drawn}\nprotocols:\n  - name: drawn\n  - name: lfw\n    rot: x\n",
        "grid.yaml:6: unknown key 'protocols.1.rot'; did you mean 'protocols.1.root'?",  # and not: root is needed
    ),
    (
        "name: a\nbase: {backbone: alexnet, data: drawn}\nprotocols:\n  - name: drawn\n  - name: lfw\n",
        "grid.yaml:5: key 'protocols.1.root' is needed",
    ),
    (
        "name: a\nbase:\n  data: drawn\naxes:\n  b:\n    x: {backbon.name: alexnet}\n",
        "grid.yaml:6: unknown key 'backbon'; did you mean 'backbone'?",
    ),
    (
        "name: a\nbase:\n  data: drawn\naxes:\n  b: [alexnet, resnet34]\n",
        "grid.yaml:5: axis 'b' maps level names to settings, such as {small: {backbone.name: alexnet}}; found ['alexnet', 'resnet34']",
    ),
    (
        "name: a\nbase: {backbone: alexnet, data: drawn}\nprotocols:\n  - name: drawn\n  - name: lfw\n    root: x\n    vew: 2\n",
        "grid.yaml:7: unknown key 'protocols.1.vew'; did you mean 'protocols.1.view'? (known: flip_test, label, multi_crop, name, near, overlap, part, precision, root, setting, sweep, transforms, verifier, view)",
    ),
    (
        "name: a\nbase: {backbone: alexnet, data: drawn}\nprotocols:\n  - drwn\n",
        "grid.yaml:4: protocols.0: unknown protocol 'drwn'; did you mean 'drawn'? (known: agedb30, all_pairs, attributes, bin, calfw",
    ),
    (
        "name: a\nbase: {backbone: alexnet, data: drawn}\naxes:\n  b:\n    x:\n      head.dropout: 0.1\n",
        "grid.yaml:6: head: a head is a mapping with a name, such as {name: deepface_f7}; found {'dropout': 0.1}",
    ),
    (
        "name: a\nbase: {backbone: alexnet, data: drawn}\naxes:\n  b:\n    x:\n      recipe: {name: plateau}\n    y:\n      recipe: {name: plateau, lr: -1}\n",
        "grid.yaml:8: recipe.lr: input should be greater than 0; found -1",
    ),
    (
        "name: a\nbase: {backbone: alexnet, data: drawn}\naxes:\n  b:\n    x:\n      color.red: 1\n",
        "grid.yaml:6: unknown key 'color' (known: ",
    ),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data:\n    name: lfw\n    root: ${place}\n",
        "grid.yaml:6: data.root: ${place} refers to a key that no base, level or override sets",
    ),
    (
        "name: a\nbase:\n  backbone: alexnet\n  data: drawn\n  recipe: {name: plateau, optimizer: nag, momentum: 0}\n",
        "grid.yaml:5: recipe: recipe.momentum is 0, and optimizer nag needs momentum; use optimizer: sgd",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "complaint"), BAD, ids=[f"{number:02d}" for number in range(len(BAD))])
def test_a_bad_file_is_met_with_one_clear_line(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "grid.yaml"
    file.write_text(text)
    with pytest.raises(BadInput) as error:
        list(read(file, ()).combinations())
    said = str(error.value)
    assert "\n" not in said
    assert said.startswith(str(file))
    assert complaint in said


TOO_LARGE = {
    "replicates": ({"replicates": 100_000_000}, [], r"grid.yaml:\d+: 200,000,000 combinations \(replicates 100,000,000 x "),
    "an override": ({}, ["replicates=1.0e+8"], r"override 'replicates=1.0e\+8': 200,000,000 combinations"),
    "many axes": (
        {"axes": {f"a{n}": {f"l{m}": {f"data.x{n}": m} for m in range(10)} for n in range(12)}},
        [],
        r"grid.yaml:\d+: 1,000,000,000,000 combinations \(a0 10 x a1 10 x ",
    ),
    "a long name": ({"base": {"data": "drawn", "backbone": "x" * 9_000}}, [], "unknown backbone 'xxx.* \\(9,002 characters\\)"),
    "a deep key": ({"axes": {"x": {"y": {"a." * 4_000 + "b": 1}}}}, [], r"grid.yaml:\d+: key 'a.a.* has more than 50 parts"),
    "a deep override": ({}, ["a." * 5_000 + "b=1"], "override 'a.a.*: the key has more than 50 parts"),
    "many levels": (
        {"axes": {"x": {f"l{n}": {"seed": n} for n in range(2_000)}}, "births": {"x": "m"}},
        [],
        r"has no level 'm' \(known: l0, l1, .*, and 1900 more\)",
    ),
    "long references": (
        {"base": {"data": "drawn", "backbone": "x" * 5_000, "head": "${backbone}" * 900}},
        [],
        r"head: 4,500,000 characters after \${...}; at most 10,000",
    ),
    "wide references": (
        {"base": {"data": {"name": "drawn", "seed": [0] * 4_000}, "recipe": ["${data.seed}"] * 50}},
        [],
        r"recipe.\d+: \${...} references make more than 100,000 values",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("parts", "overrides", "complaint"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_grid_beyond_the_limits_is_refused_at_once(
    tmp_path: Path, parts: dict[str, Any], overrides: list[str], complaint: str
) -> None:
    file = tmp_path / "grid.yaml"
    tree = {"name": "large", "base": {"data": "drawn"}, "axes": {"seed": {"a": {"seed": 1}, "b": {"seed": 2}}}}
    file.write_text(yaml.safe_dump({**tree, **parts}, sort_keys=False), encoding="utf-8")
    seconds = []
    for _ in range(3):  # the first may import, and any may meet the garbage of earlier tests
        start = time.process_time()
        with pytest.raises(BadInput, match=complaint) as refused:
            list(read(file, overrides).combinations())
        seconds.append(time.process_time() - start)
    assert min(seconds) < 1
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 1_000
