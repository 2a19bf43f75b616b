"""The name of the user who runs this process."""

from __future__ import annotations

import getpass
import os


def user_name() -> str:
    """The login name; where the user has none, as in many containers, the number, such as ``uid 1000``."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
