"""Label conflicts: the same file under two identities, one of which is wrong; a network would be trained on both."""

from __future__ import annotations

from configs.data_interfaces import Manifest
from datamodules.split import rows_of


def conflicts(manifest: Manifest) -> list[list[int]]:
    """Rows of byte-identical images with different identities, grouped by file, in the manifest's order."""
    if len(set(manifest.digests)) == len(manifest.digests):
        return []
    return [same for same in rows_of(manifest.digests).values() if len({manifest.identities[row] for row in same}) > 1]


def described(manifest: Manifest, found: list[list[int]]) -> str:
    """The conflicts as text: their number and the first one."""
    one, other = next(
        (one, other) for one in found[0] for other in found[0] if manifest.identities[one] != manifest.identities[other]
    )
    files = f"{len(found)} files are" if len(found) > 1 else "one file is"
    return f"{files} there under two identities, such as {manifest.keys[one]} and {manifest.keys[other]}"


def without(manifest: Manifest, found: list[list[int]]) -> Manifest:
    """The manifest without any image of the conflicts, as their identity is unknown."""
    out = {row for same in found for row in same}
    return manifest.subset(row for row in range(len(manifest.keys)) if row not in out)
