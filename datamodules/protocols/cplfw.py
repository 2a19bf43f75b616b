"""CPLFW: cross-pose verification on LFW's subjects.

Zheng, Deng: Cross-pose LFW: a database for studying cross-pose face recognition in unconstrained environments. Beijing
University of Posts and Telecommunications, Report 18-01, 2018. 3,000 genuine and 3,000 impostor pairs, two lines each:
image and label, 1 or 0; pair i of each kind is in fold floor(i / 300).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from datamodules.evaluation_sets.aligned import AlignedListConfig


class CPLFWProtocolConfig(AlignedListConfig):
    name: Literal["cplfw"] = "cplfw"
    published: ClassVar[str] = "pairs_CPLFW.txt"
    needs: ClassVar[str] = "root: the folder with pairs_CPLFW.txt and the folder of images"
