"""CALFW: cross-age verification on LFW's subjects.

Zheng, Deng, Hu: Cross-age LFW: a database for studying cross-age face recognition in unconstrained environments. 2017
(arXiv:1708.08197). 3,000 genuine and 3,000 impostor pairs, two lines each: image and label. The label of a genuine pair is its
fold, 1 to 10; that of an impostor pair is 0, and impostor pair i of 3,000 is in fold floor(i / 300).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from datamodules.evaluation_sets.aligned import AlignedListConfig


class CALFWProtocolConfig(AlignedListConfig):
    name: Literal["calfw"] = "calfw"
    published: ClassVar[str] = "pairs_CALFW.txt"
    needs: ClassVar[str] = "root: the folder with pairs_CALFW.txt and the folder of images"
