"""The publications that a grid reproduces or builds on. They are shown with its results and change no cell."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from configs.component import Config

ADDRESS = re.compile(r"https?://[^\s\"'<>()\[\]|]+")  # safe inside a link in HTML and in Markdown


class Source(Config):
    """A publication."""

    title: str = Field(min_length=1)
    authors: str | None = None
    url: str | None = None

    @field_validator("url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not ADDRESS.fullmatch(value):
            raise ValueError(
                f"{value!r} is no address of a page: it starts with https:// and has no spaces, quotes or brackets"
            )
        return value
