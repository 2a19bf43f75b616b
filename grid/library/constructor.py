"""Constructors with plain keyword arguments for components, generated from their Config, so that nothing is duplicated."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from pydantic import ValidationError

from configs.component import Component
from configs.explainers import ExplainerConfig
from configs.lookup import lookup

NOT_ARGUMENTS = frozenset(("name", "label", *ExplainerConfig.model_fields))  # used only in grid files

Finish = Callable[..., Any]  # (config, **arguments of build) -> the object


class Constructor:
    """``ArcFace(classes=1000, dimension=512, margin=0.5)``: takes the arguments of ``build`` and the fields of the Config.

    Args:
        kind: of the component, such as ``loss``
        name: of its file, such as ``arcface``
        title: its name in Python, such as ``ArcFace``
        finish: makes the object; None: ``config.build``, with its own parameters
        takes: parameters that replace those of ``build``
    """

    def __init__(
        self, kind: str, name: str, title: str, finish: Finish | None = None, takes: tuple[inspect.Parameter, ...] | None = None
    ) -> None:
        self.config: type[Component] = lookup(kind, name)
        self.finish = finish
        self.__name__ = self.__qualname__ = title
        self.__module__ = self.config.__module__
        self.takes = built_from(self.config) if takes is None else takes
        self.fields = [field for field in self.config.model_fields if field not in NOT_ARGUMENTS]
        self.names = {one.name: f"input_{one.name}" if one.name in self.fields else one.name for one in self.takes}
        self.takes = tuple(one.replace(name=self.names[one.name]) for one in self.takes)  # a decoder has its own width
        self.__signature__ = inspect.Signature(
            sorted([*self.takes, *map(self._parameter, self.fields)], key=lambda one: one.kind)
        )
        self.__doc__ = "\n\n".join(text for text in (inspect.getdoc(inspect.getmodule(self.config)), self._about()) if text)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Builds the component.

        Raises:
            TypeError: an argument required by ``build`` is missing, or there are too many.
            ValueError: an unknown field, or a value rejected by its Config; one line that lists the valid choices.
        """
        unknown = {key: value for key, value in keywords.items() if key not in self.__signature__.parameters}
        try:
            given = self.__signature__.bind_partial(
                *arguments, **{key: keywords[key] for key in keywords if key not in unknown}
            )
        except TypeError as error:
            raise TypeError(f"{self.__name__}: {error}; it takes {self.__signature__}") from None
        takes = {name: given.arguments.pop(shown) for name, shown in self.names.items() if shown in given.arguments}
        config = self.configured(**given.arguments, **unknown)
        if absent := [
            one.name for one in self.takes if one.default is one.empty and one.name not in map(self.names.get, takes)
        ]:
            raise TypeError(f"{self.__name__}: missing {', '.join(absent)}; it takes {self.__signature__}")
        if self.finish is not None:
            return self.finish(config, **takes)
        build: Any = getattr(config, "build", None)
        return config if build is None else build(**takes)  # a protocol is its own config

    def configured(self, **fields: Any) -> Component:
        """Only the Config."""
        from grid.spec.config_errors import complaint

        try:
            return self.config.model_validate({"name": self.config.model_fields["name"].default, **fields})
        except ValidationError as error:
            raise ValueError(f"{self.__name__}: {complaint(error, self.config)}") from None

    def __instancecheck__(self, found: object) -> bool:
        """``isinstance(loss, fg.losses.ArcFace)`` checks for the class that ``build`` returns."""
        made = get_type_hints(self.config.build).get("return") if hasattr(self.config, "build") else self.config
        return isinstance(made, type) and isinstance(found, made)

    def __repr__(self) -> str:
        return f"<{self.__name__}{self.__signature__}>"

    def _parameter(self, field: str) -> inspect.Parameter:
        about = self.config.model_fields[field]
        if about.is_required():  # such as the folder of a dataset
            return inspect.Parameter(field, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=about.annotation)
        default = about.get_default(call_default_factory=True)
        return inspect.Parameter(field, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=about.annotation)

    def _about(self) -> str | None:
        about = self.config.__dict__.get("__doc__")
        return about and inspect.cleandoc(about)


def built_from(config: type[Component]) -> tuple[inspect.Parameter, ...]:
    """The parameters of ``build``, except the config itself."""
    build = getattr(config, "build", None)
    return () if build is None else tuple(inspect.signature(build).parameters.values())[1:]
