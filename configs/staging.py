"""What a grid file says of a stage of a user's own kind."""

from __future__ import annotations

from abc import ABC
from typing import Annotated, ClassVar

from pydantic import Field

from configs.component import NAMING, Component


class StageConfig(Component, ABC):
    """Settings of a stage after the training: ``stages: [{name: my_package.my_stage, ...}]``.

    The module has ``run(config, context)`` beside its config, and may have a ``Kind``: see ``grid.spec.stage_kind.StageKind``.
    """

    kind: ClassVar[str] = "stage"
    label: Annotated[str | None, NAMING, Field(min_length=1)] = None  # how reports call it; tells two of one name apart

    @property
    def title(self) -> str:
        return self.label or self.name
