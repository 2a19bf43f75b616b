"""The interface of a stage that a grid file lists under ``stages``."""

from __future__ import annotations

from abc import ABC
from typing import Annotated, ClassVar

from pydantic import Field

from configs.component import NAMING, Labeled


class StageConfig(Labeled, ABC):
    """A stage that runs after training: ``stages: [{name: latent, ...}]``, or a dotted name for a stage of your own.

    The module defines ``run(config, context)`` beside its config, and optionally a ``Kind``: see
    ``grid.spec.stage_kind.StageKind``.
    """

    kind: ClassVar[str] = "stage"
    label: Annotated[str | None, NAMING, Field(min_length=1)] = None  # title in reports; distinguishes stages of the same name
