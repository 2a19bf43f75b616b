"""Masks secrets in addresses: nothing printed, stored or copied contains a password, token or signed query."""

from __future__ import annotations

import re
from urllib.parse import unquote

SECRET = "***"
# query parameters that are shown; any other one may be a password
HARMLESS = frozenset(("application_name", "cache", "charset", "connect_timeout", "driver", "mode", "sslmode", "timeout", "uri"))
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^\s'\"<>]+")


def masked(uri: str) -> str:
    """The URI with ``***`` for its user info, its fragment, and query parameters that are not known to be harmless.

    User info is everything up to the last ``@``: passwords are often written without the encoding that URIs require. It is
    masked entirely, since a token may be used as a user name. Masking is idempotent.
    """
    scheme, sign, rest = uri.partition("://")
    if not sign:
        return uri
    if not rest.startswith("/"):  # a file URI, whose path may contain any character
        _, at, host = rest.rpartition("@")
        rest = f"{SECRET}@{host}" if at else rest
    rest, hash, _ = rest.partition("#")
    path, mark, query = rest.partition("?")
    shown = "".join(_parameter(part) for part in re.split(r"([&;])", query))
    return f"{scheme}://{path}{mark}{shown}{f'#{SECRET}' if hash else ''}"


def masked_text(text: str, *uris: str) -> str:
    """A text, such as an error message, with every URI in it masked.

    Args:
        uris: known addresses, whose secrets are also masked where they occur alone
    """
    for uri in uris:
        text = text.replace(uri, masked(uri))
        for secret in sorted(_secrets(uri), key=len, reverse=True):
            text = text.replace(secret, SECRET)
    return URI.sub(lambda match: masked(match[0]), text)


def _parameter(part: str) -> str:
    key, sign, value = part.partition("=")
    return f"{key}={SECRET}" if sign and value and key.lower() not in HARMLESS else part


def _secrets(uri: str) -> set[str]:
    """User info, passwords and masked query values of a URI, raw and decoded; values of one or two characters are omitted."""
    rest = uri.partition("://")[2]
    info = "" if rest.startswith("/") else rest.rpartition("@")[0]
    password = info.partition(":")[2]
    query = rest.rpartition("@")[2].partition("#")[0].partition("?")[2]
    values = [
        value for key, _, value in (part.partition("=") for part in re.split("[&;]", query)) if key.lower() not in HARMLESS
    ]
    found = {info, password, *values}
    return {secret for secret in found | {unquote(secret) for secret in found} if len(secret) > 2 and secret != SECRET}
