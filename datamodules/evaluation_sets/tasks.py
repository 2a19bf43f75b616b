"""What a protocol asks for: pairs of images, pairs of templates, a search in a gallery, or groups."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NoReturn

from configs.interfaces import Manifest, ProtocolConfig
from datamodules.evaluation_sets.templates import Clustering, Comparisons, Identification


class PairsConfig(ProtocolConfig, ABC):
    """Pairs of images: ``pairs(manifest)``."""

    task: ClassVar[str] = "verification"


class TaskConfig(ProtocolConfig, ABC):
    """Anything but pairs of images; the base of protocols with a task of a user's own, which have ``asked(manifest)``."""

    task: ClassVar[str]

    def pairs(self, manifest: Manifest) -> NoReturn:
        """Protocols of other tasks have no pairs of images: ``task`` says what they have."""
        raise AssertionError(f"protocol {self.name} has no pairs of images; its task is {self.task}")


class TemplatesConfig(TaskConfig, ABC):
    """Pairs of templates; a template is what is known of a subject by several images."""

    task: ClassVar[str] = "templates"

    @abstractmethod
    def comparisons(self, manifest: Manifest) -> Comparisons:
        """The templates and which of them are compared; rows are those of ``manifest``.

        Raises:
            ValueError: a list is wrong, or names an image that the manifest does not have.
        """


class IdentificationConfig(TaskConfig, ABC):
    """Probes looked up in one gallery or two."""

    task: ClassVar[str] = "identification"

    @abstractmethod
    def identification(self, manifest: Manifest) -> Identification:
        """Probes, galleries and the subject of each; errors as ``TemplatesConfig.comparisons``."""


class ClusteringConfig(TaskConfig, ABC):
    """Images to be grouped by subject."""

    task: ClassVar[str] = "clustering"

    @abstractmethod
    def clustering(self, manifest: Manifest) -> Clustering:
        """Images and their subjects; errors as ``TemplatesConfig.comparisons``."""
