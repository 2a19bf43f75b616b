"""What networks are judged on: ``lfw=FOLDER``, ``bin=FILE`` and the like, as protocols of a grid."""

from __future__ import annotations

from functools import partial
from typing import Any

from configs.lookup import nearest
from grid.spec.bounded_yaml import load_yaml
from grid.spec.grid_file import BadInput

FACES = {
    "lfw": "similarity",
    "folder": "similarity",
    "bin": "none",
    "ijbb": "listed",
    "ijbc": "listed",
}  # name -> faces
LISTED = ("ijb", "ijb_search")  # protocols whose dataset lists landmarks


def _protocols(name: str, root: str) -> list[dict[str, Any]]:
    """The protocols of a name of ``FACES`` and its path."""
    if name == "lfw":
        return [{"name": "lfw", "label": "lfw view 2", "root": root, "view": 2}]
    if name == "folder":
        return [{"name": "pairs_of", "label": "pairs", "data": {"name": "folder", "root": root}}]
    if name == "bin":  # its images are aligned
        return [{"name": "bin", "root": root}]
    parts = (("ijb", f"{name} 1:1"), ("ijb_search", f"{name} 1:N"))
    return [{"name": protocol, "label": label, "set": name, "root": root} for protocol, label in parts]


def material(texts: list[str], flip_test: bool) -> tuple[list[dict[str, Any]], str]:
    """The protocols, and how faces are found unless it is stated: a key of ``preprocessing.FACES``.

    Args:
        texts: ``name=path`` with a name of ``FACES``, or a protocol in YAML as in a grid file
        flip_test: add the embedding of the mirror image

    Raises:
        BadInput: neither; says what is known.
    """
    found: list[dict[str, Any]] = []
    faces: list[str] = []
    for text in texts:
        name, sign, path = text.partition("=")
        if sign and name in FACES and path:
            found += _protocols(name, path)
            faces.append(FACES[name])
        elif text.lstrip().startswith("{"):
            value = load_yaml(text, partial(_wrong, text))[0]
            if not isinstance(value, dict):
                raise BadInput(f"--on {text!r}: a protocol is a mapping with a name, as in a grid file")
            found.append(value)
            faces.append("listed" if str(value.get("name")) in LISTED else "similarity")
        else:
            raise BadInput(
                f"--on {text!r}: write name=path{nearest(name, FACES)}, or a protocol as in a grid file, such as "
                "'{name: agedb30, root: data/agedb}'"
            )
    if "listed" in faces and "similarity" in faces:  # of a dataset without a list, the faces are detected
        faces = ["listed" if one == "similarity" else one for one in faces]
    if len(set(faces)) > 1:
        raise BadInput("--on: aligned images (bin) and others are judged in two calls, or state --faces for all of them")
    return [{**one, **({"flip_test": True} if flip_test else {})} for one in found], faces[0]


def _wrong(text: str, _: Any, what: str) -> BadInput:
    return BadInput(f"--on {text!r}: {what}")
