"""The commands of an app of Typer, made once: Typer builds all of them for each call, which takes 50 ms of CPU."""

from __future__ import annotations

import functools

from typer.main import get_command

command_of = functools.cache(get_command)
