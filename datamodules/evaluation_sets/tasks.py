"""Base classes of protocols: on any dataset; with templates, identification or clustering instead of image pairs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NoReturn

from configs.contract import ContractError, see
from configs.data_interfaces import DatasetConfig, Manifest, ProtocolConfig
from configs.lookup import component
from datamodules.evaluation_sets.templates import Clustering, Comparisons, Identification


class OnDatasetConfig(ProtocolConfig, ABC):
    """A protocol on any dataset."""

    data: component("data")  # type: ignore[valid-type]

    def dataset(self) -> DatasetConfig:
        return self.data


class TaskConfig(ProtocolConfig, ABC):
    """A protocol other than image verification; base class for a user's own tasks, with ``asked(manifest)``."""

    task: ClassVar[str]

    def pairs(self, manifest: Manifest) -> NoReturn:
        """Always an error: such a protocol has no image pairs, see ``task``.

        Raises:
            ContractError: the class names no task of its own.
        """
        raise ContractError(
            f"protocol {self.name!r}: it has no pairs of images, so it needs a task other than {self.task}: "
            f'task: ClassVar[str] = "package.module"; {see("evaluation_task")}',
            named=True,
        )


class TemplatesConfig(TaskConfig, ABC):
    """Template verification; a template is a set of images of one subject."""

    task: ClassVar[str] = "templates"

    @abstractmethod
    def comparisons(self, manifest: Manifest) -> Comparisons:
        """The templates and the pairs to compare; rows are those of ``manifest``.

        Raises:
            ValueError: a list is invalid, or names an image that is not in the manifest.
        """


class IdentificationConfig(TaskConfig, ABC):
    """Identification of probes in one or two galleries."""

    task: ClassVar[str] = "identification"

    @abstractmethod
    def identification(self, manifest: Manifest) -> Identification:
        """Probes, galleries and the subject of each template; errors as ``TemplatesConfig.comparisons``."""


class ClusteringConfig(TaskConfig, ABC):
    """Clustering of images by subject."""

    task: ClassVar[str] = "clustering"

    @abstractmethod
    def clustering(self, manifest: Manifest) -> Clustering:
        """The images and their subjects; errors as ``TemplatesConfig.comparisons``."""
