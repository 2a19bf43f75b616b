"""The interface of a user's own stage."""

from __future__ import annotations

from abc import ABC
from typing import Annotated, ClassVar

from pydantic import Field

from configs.component import NAMING, Component


class StageConfig(Component, ABC):
    """A user's stage that runs after training: ``stages: [{name: my_package.my_stage, ...}]``.

    The module defines ``run(config, context)`` beside its config, and optionally a ``Kind``: see
    ``grid.spec.stage_kind.StageKind``.
    """

    kind: ClassVar[str] = "stage"
    label: Annotated[str | None, NAMING, Field(min_length=1)] = None  # title in reports; distinguishes stages of the same name

    @property
    def title(self) -> str:
        return self.label or self.name
