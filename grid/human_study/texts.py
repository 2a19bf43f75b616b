"""What participants read: ``texts.json`` in a bundle, which the team edits before it starts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from grid.human_study.choices import CHOICES
from grid.human_study.design import TEXTS, Group, key_and_reason
from grid.spec.grid_file import BadInput

INCOMPLETE = "TO BE COMPLETED"  # begins a paragraph of the consent that only the team can write


class Texts(BaseModel):
    """Every text of the pages, shown as plain text. ``maps`` has the explanation of the maps of each group, by its letter."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: str
    consent: tuple[str, ...] = Field(min_length=1)
    agree: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    maps: dict[str, str]
    low: str
    high: str
    question: str
    choices: tuple[str, str, str, str, str]
    done: tuple[str, ...]


def incomplete(texts: Texts) -> bool:
    """Whether the consent still has a paragraph that the team must write."""
    return any(paragraph.startswith(INCOMPLETE) for paragraph in texts.consent)


def default_texts(name: str, pairs: int, groups: Sequence[Group]) -> Texts:
    """The texts that a bundle starts with. They do not say what the study hopes to find."""
    return Texts(
        title="Do these two photographs show the same person?",
        consent=(
            f"In this study ({name}) you compare {pairs} pairs of faces twice, {2 * pairs} decisions in all.",
            "We store your choices and how long each of them took, under a random number. We store no name, no address and "
            "nothing else about you or your device.",
            "Taking part is voluntary. You can stop at any time by closing this page, and go on later in the same browser.",
            f"{INCOMPLETE} by the team: who runs the study, its purpose, the ethics board's approval, and whom to write to.",
        ),
        agree="I have read this, I am an adult, and I agree to take part.",
        first=(
            "You see two photographs at a time. Decide whether they show the same person.",
            "Take as much time as you like. You will not be told whether you were right.",
            "Choose by clicking or tapping, or with the keys 1 to 5.",
        ),
        second=(
            "You see the same pairs once more, in another order. Below each pair are the same photographs with maps of a "
            "computer program that also compared them.",
            "The program can be wrong. Decide for yourself.",
        ),
        maps={group.letter: _about(group) for group in groups},
        low="low",
        high="high",
        question="Do they show the same person?",
        choices=CHOICES,
        done=("Thank you. All your answers are stored.", "You can close this page."),
    )


def _about(group: Group) -> str:
    if "sign" in group.config:  # pairwise occlusion
        kind = "different" if group.config["sign"] == "difference" else "similar"
        return f"Bright regions made the two faces look {kind} to the program. Where all is dark, it found no such region."
    if group.signed:
        return "Red regions spoke for the program's result on this face, blue regions against it."
    return "Bright regions are those that the program used most when it looked at this face."


def read_texts(bundle: Path, letters: Sequence[str]) -> Texts:
    """The texts of a bundle.

    Raises:
        BadInput: the file is missing, a key is missing or unknown, or a group has no explanation of its maps.
    """
    file = bundle / TEXTS
    try:
        texts = Texts.model_validate_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}; `facegrid study make` writes it") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: {key_and_reason(error)} (known keys: {', '.join(Texts.model_fields)})") from error
    if missing := [letter for letter in letters if letter not in texts.maps]:
        raise BadInput(f"{file}: maps: no text for group {missing[0]} (groups: {', '.join(letters)}); add one")
    return texts


def write_texts(bundle: Path, texts: Texts) -> None:
    (bundle / TEXTS).write_text(as_json(texts), encoding="utf-8")


def as_json(texts: Texts) -> str:
    return json.dumps(texts.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
