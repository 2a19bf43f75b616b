"""A component that takes its process with it, as a bug in a driver or the kernel's out-of-memory killer would."""

from __future__ import annotations

import os
from typing import Any, Literal

from configs.data_interfaces import AugmentationConfig


class Config(AugmentationConfig):
    name: Literal["components.lethal"] = "components.lethal"

    def build(self) -> Any:
        os._exit(9)
