"""Identity: what counts, what does not, for every field of every component."""

import functools
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, ValidationError

from configs.component import LOCATION, NAMING, Born, Config, Outside, canonical, digest
from configs.lookup import PACKAGES, known, lookup, resolve
from configs.transforms import SweepPoint
from grid.spec.cell import Cell, Detection
from grid.spec.training import Compute, Input, Reconstruction, Split, Training

EXAMPLES: dict[tuple[str, str], dict[str, Any]] = {  # what a component cannot be made without
    ("augmentation", "pipeline"): {"steps": ["flip"]},
    ("protocol", "all_pairs"): {"data": {"name": "drawn"}},
    ("protocol", "attributes"): {"data": {"name": "drawn"}},
    ("protocol", "clustering"): {"data": {"name": "drawn"}},
    ("protocol", "distractors"): {"data": {"name": "drawn"}},
    ("protocol", "identification"): {"data": {"name": "drawn"}},
    ("protocol", "pairs_of"): {"data": {"name": "drawn"}},
    ("protocol", "patched_pairs"): {"protocol": {"name": "drawn"}},
    ("protocol", "lfw"): {"view": 1},  # view 2 has no parts
    ("protocol", "lookalike"): {"file": "/somewhere/mined.txt"},
    ("protocol", "pairs"): {"data": {"name": "drawn"}, "file": "/somewhere/list.txt", "layout": "lfw"},
    ("backbone", "abn"): {"backbone": {"name": "alexnet"}},
    ("backbone", "timm"): {"model": "resnet18"},
    ("backbone", "stored"): {"path": "/somewhere/embeddings.npz"},
    ("backbone", "scored"): {"path": "/somewhere/scores.csv"},
    ("backbone", "external"): {"path": "/somewhere/model.onnx"},
    ("pretraining", "checkpoint"): {"path": "/somewhere/model.pth", "layout": "adaface"},  # without one there is no order
    ("loss", "sum"): {"terms": [{"loss": "softmax"}]},
    ("pretraining", "source"): {"data": {"name": "drawn"}},
    ("recipe", "multi_step"): {"milestones": [2]},
    ("data", "patched"): {"protocol": {"name": "drawn"}},
    ("data", "transformed"): {"data": {"name": "drawn"}, "transforms": [{"name": "jpeg", "quality": 50}]},
    ("transform", "jpeg"): {"quality": 50},
    ("transform", "resize_pixels"): {"pixels": 6400},
    ("stage", "background"): {"stratum": "gender", "choose": "Male"},  # both or none
}
INSTANCES: dict[type, Any] = {SweepPoint: SweepPoint(of="drawn", key="jpeg.quality", value=50)}  # without defaults
ONE_VALUE = {  # any other is refused
    ("Cell", "search"),  # its head cannot be searched; see "Searched"
    *((title, "target_weighting") for title in ("Training", "Cell", "Searched")),  # without targets
    ("protocol/lfw", "setting"),  # of view 1
    ("protocol/lfw", "verifier"),  # in the unsupervised setting
    *(("data/patched", key) for key in ("on_bad_image", "on_identity_conflict")),  # those of its dataset
    *(("data/transformed", key) for key in ("on_bad_image", "on_identity_conflict")),
    *((f"data/{name}", "min_images") for name in ("fairface", "ijb", "utkface")),  # every image is a subject of its own
}
COMPONENTS = [(kind, name) for kind in PACKAGES for name in known(kind)]
CELL = {
    "data": {"name": "drawn"},
    "backbone": {"name": "alexnet"},
    "protocols": [{"name": "drawn"}],
    "explainers": [{"name": "gradcam"}],
}
PARTS: dict[str, Config] = {
    "Split": Split(),
    "Input": Input(),
    "Compute": Compute(),
    "Reconstruction": Reconstruction(),
    "Cell": Cell.model_validate(CELL),
    "Searched": Cell.model_validate({**CELL, "head": "dense", "search": {}}),
    "Training": Cell.model_validate(CELL).training(),
    "Detection": Detection.model_validate({"data": "drawn", "detector": "mtcnn"}),
}


def example(kind: str, name: str) -> dict[str, Any]:
    root = lookup(kind, name).model_fields.get("root")
    place = {"root": "/somewhere"} if root is not None and root.is_required() else {}
    return {"name": name, **place, **EXAMPLES.get((kind, name), {})}


def others(annotation: Any, value: Any, key: str) -> Iterator[Any]:
    """Values that the field may take besides ``value``; some may be refused by a rule of the component."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        yield from others(args[0], value, key)
    elif origin in (typing.Union, types.UnionType):
        for one in args:
            yield from [None] if one is type(None) else others(one, value, key)
    elif origin is Literal:
        yield from args
    elif origin is tuple and args[-1:] == (Ellipsis,):
        yield ()
        yield tuple((value or ())[::2])  # still rising, where that is asked
        for one in others(args[0], value[0] if value else None, key.removesuffix("s")):
            yield from ((one,) * count for count in (1, 8, 16))  # as many keys as there are images, or two for each pair
    elif origin is dict and args[0] is str:
        yield {**(value or {}), "other": args[1]()}
    elif origin is tuple:
        yield tuple(one * 0.5 for one in value)
    elif annotation is bool:
        yield not value
    elif annotation is int:
        value = value if isinstance(value, int) else 0  # a field may take text too
        yield from (1, 2, (value or 0) + 1, (value or 0) + 2, (value or 0) - 1, (value or 0) - 2, (value or 1) * 2, 64)
    elif annotation is float:
        yield from (0.5, (value or 1.0) * 0.5, (value or 1.0) * 1.5, (value or 0.0) + 0.125)
    elif annotation is str:
        yield f"{value}x"
    elif annotation is Path:
        yield Path("/elsewhere/file")
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        kind = getattr(annotation, "kind", "") or key
        if kind in PACKAGES:
            yield from (example(kind, name) for name in known(kind))
        elif value is None:
            yield INSTANCES.get(annotation) or annotation()
        if value is not None:
            yield from (changed(value, name) for name in type(value).model_fields)
    else:
        raise AssertionError(f"this test cannot perturb {key}: {annotation}; teach it")


def changed(config: Any, key: str) -> Any:
    """The config with another value in one field, or None where there is no other value."""
    fields = type(config).model_fields
    same = {name: getattr(config, name) for name in fields}
    for value in others(fields[key].annotation, getattr(config, key), key):
        try:
            found = type(config).model_validate({**same, key: value})
        except (ValidationError, ValueError):
            continue
        if getattr(found, key) != getattr(config, key):
            return found
    return None


def samples() -> Iterator[tuple[str, Config]]:
    yield from ((f"{kind}/{name}", resolve(kind, example(kind, name))) for kind, name in COMPONENTS)
    yield from PARTS.items()


SAMPLES = dict(samples())


@functools.cache
def another(title: str, key: str) -> Any:
    """The sample with another value in one field; see ``changed``."""
    return changed(SAMPLES[title], key)


@pytest.mark.parametrize("title", SAMPLES)
def test_identity_changes_exactly_with_the_fields_that_count(title: str) -> None:
    config = SAMPLES[title]
    for key, field in type(config).model_fields.items():
        counts = not any(isinstance(mark, Outside) for mark in field.metadata)
        other = another(title, key)
        if other is None:
            single = (title, key) in ONE_VALUE or len(typing.get_args(field.annotation)) == 1
            assert single, f"{title}.{key} may have other values; this test knows none of them"
            assert config.identity().get(key, getattr(config, key)) == getattr(config, key), key
        else:
            assert (other.identity() != config.identity()) == counts, f"{key}: {config!r} and {other!r}"


@pytest.mark.parametrize("title", SAMPLES)
def test_what_is_dumped_comes_back_whole(title: str) -> None:
    config = SAMPLES[title]
    for key in (None, *type(config).model_fields):
        one = config if key is None else another(title, key)
        if one is not None:
            dumped = one.model_dump(mode="json")
            back = type(one).model_validate(dumped)
            assert back == one, key
            assert back.model_dump(mode="json") == dumped, key
            assert canonical(back.identity()) == canonical(one.identity()), key


def test_every_path_is_outside_identity() -> None:
    for kind, name in COMPONENTS:
        for key, field in lookup(kind, name).model_fields.items():
            if "Path" in str(field.annotation):
                assert LOCATION in field.metadata, f"{kind}/{name}.{key}"


def test_a_dump_of_a_training_keeps_the_fields_of_its_components() -> None:
    cell = Cell.model_validate({**CELL, "recipe": {"name": "one_cycle", "rise": 0.4}})
    assert cell.model_dump(mode="json")["recipe"]["rise"] == 0.4
    assert Training.model_validate(cell.training().model_dump(mode="json")).recipe.rise == 0.4


class Plain(Config):
    size: int = 1
    root: Annotated[Path | None, LOCATION] = None
    title: Annotated[str | None, NAMING] = None
    flip: Annotated[bool, Born(False)] = False
    share: float = 0.5


def test_places_titles_and_birth_values_are_left_out() -> None:
    assert Plain(root=Path("/a"), title="b").identity() == {"size": 1, "share": 0.5}


def test_a_field_counts_at_any_value_but_its_birth_value() -> None:
    assert Plain(flip=True).identity() == {"size": 1, "share": 0.5, "flip": True}


def test_the_birth_value_is_left_out_whatever_the_default_becomes() -> None:
    class Later(Plain):
        flip: Annotated[bool, Born(False)] = True

    assert Later().identity()["flip"] is True
    assert Later(flip=False).identity() == Plain().identity()


def test_a_version_above_one_counts() -> None:
    class Second(Plain):
        version: ClassVar[int] = 2

    assert Second().identity() == {**Plain().identity(), "version": 2}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), "nan", "-inf"])
def test_nan_and_infinity_are_refused(number: Any) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Plain(share=number)


def test_nan_has_no_canonical_text() -> None:
    with pytest.raises(ValueError):
        canonical({"a": float("nan")})


def test_paths_are_made_absolute_where_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Plain(root=Path("data/../lfw")).root == tmp_path / "lfw"
    assert Plain(root=Path("~/lfw")).root == Path.home() / "lfw"


def test_unknown_keys_and_changes_are_refused() -> None:
    with pytest.raises(ValidationError):
        Plain(sise=1)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        Plain().size = 2  # type: ignore[misc]


def test_the_canonical_text_is_one_whatever_the_order() -> None:
    assert canonical({"b": 1, "a": [1.5, None, "ü"]}) == '{"a":[1.5,null,"\\u00fc"],"b":1}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
