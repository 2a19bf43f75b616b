"""Constructors with plain keyword arguments for components, generated from their Config, so that nothing is duplicated."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import ValidationError

from configs.component import Component
from configs.explainers import ExplainerConfig
from configs.lookup import lookup

NOT_ARGUMENTS = frozenset(("name", "label", *ExplainerConfig.model_fields))  # used only in grid files

WIDE = 100  # characters of a call on one line

LIMITS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "min_length": "length >=", "max_length": "length <="}

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
        parts = (self._call(), inspect.getdoc(inspect.getmodule(self.config)), self._about(), self._arguments())
        self.__doc__ = "\n\n".join(text for text in parts if text)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Builds the component; a config, such as ``protocol.dataset()``, may stand in place of its fields.

        Raises:
            TypeError: an argument required by ``build`` is missing, or there are too many.
            ValueError: an unknown field, or a value rejected by its Config; one line that lists the valid choices.
        """
        if len(arguments) == 1 and isinstance(arguments[0], self.config):
            fields = {field: getattr(arguments[0], field) for field in self.fields}
            return self(**{**fields, **keywords})
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
        return f"<{self.__name__} of {self.__module__}>"  # short: help() cuts it at 70 characters

    def _call(self) -> str:
        """The call with all arguments and defaults, one per line if it is long."""
        texts = []
        for one in self.__signature__.parameters.values():
            if one.kind is one.KEYWORD_ONLY and "*" not in texts:
                texts.append("*")
            texts.append(one.name if one.default is one.empty else f"{one.name}={_shown(one.default)}")
        line = f"{self.__name__}({', '.join(texts)})"
        return line if len(line) <= WIDE else f"{self.__name__}(\n    {f',{chr(10)}    '.join(texts)},\n)"

    def _arguments(self) -> str:
        """One line per argument: its type, its limits, and the comment beside it in the source."""
        lines = [f"    {one.name}: {_type(one.annotation)}" for one in self.takes]
        comments = _comments(self.config)
        for field in (name for name in self.__signature__.parameters if name in self.fields):
            about = self.config.model_fields[field]
            limits = [f"{sign} {value}" for mark in about.metadata for sign, value in _limits(mark)]
            text = f"    {field}: {', '.join([_type(about.annotation), *limits])}"
            default = "" if about.is_required() else f" [default: {_shown(about.get_default(call_default_factory=True))}]"
            lines.append(f"{text}{default}{f': {comments[field]}' if field in comments else ''}")
        return "Arguments:\n" + "\n".join(lines) if lines else ""

    def _parameter(self, field: str) -> inspect.Parameter:
        about = self.config.model_fields[field]
        if about.is_required():  # such as the folder of a dataset
            return inspect.Parameter(field, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=about.annotation)
        default = about.get_default(call_default_factory=True)
        return inspect.Parameter(field, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=about.annotation)

    def _about(self) -> str | None:
        about = self.config.__dict__.get("__doc__")
        return about and inspect.cleandoc(about)


def _shown(value: Any) -> str:
    """A default: components by name."""
    return value.name if isinstance(value, Component) else repr(value)


def _type(annotation: Any) -> str:
    """A type as in the source: ``float``, ``'a' | 'b'``, ``loss`` for a component."""
    if isinstance(annotation, str) or annotation is inspect.Parameter.empty:
        return str(annotation) if isinstance(annotation, str) else "any"
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is Component:
        return "component"
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Literal:
        return " | ".join(map(repr, arguments))
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (Union, UnionType):
        return " | ".join(map(_type, arguments))
    if arguments:
        inner = ", ".join("..." if one is ... else _type(one) for one in arguments)
        return f"{getattr(origin, '__name__', origin)}[{inner}]"
    return getattr(annotation, "__name__", str(annotation))


def _limits(mark: Any) -> list[tuple[str, Any]]:
    """The limits that a mark of a pydantic field sets, as sign and value."""
    return [(sign, getattr(mark, key)) for key, sign in LIMITS.items() if getattr(mark, key, None) is not None]


def _comments(config: type[Component]) -> dict[str, str]:
    """Field -> the comment on its line, or on the lines above it, in the sources of the class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(config.__mro__):
        if not (issubclass(base, Component) and base is not Component):
            continue
        above = ""
        try:
            source = inspect.getsource(base)
        except (OSError, TypeError):  # defined interactively
            continue
        for line in source.splitlines():
            code, _, comment = line.strip().partition("  # ")
            field = code.partition(":")[0]
            if line.strip().startswith("# "):
                above = f"{above} {line.strip()[2:]}".strip()
                continue
            if field in base.model_fields and (comment or above):
                text = comment.split("type: ignore")[0].strip(" #") or above
                found |= {field: text} if text else {}
            above = ""
    return found


def built_from(config: type[Component]) -> tuple[inspect.Parameter, ...]:
    """The parameters of ``build``, except the config itself."""
    build = getattr(config, "build", None)
    return () if build is None else tuple(inspect.signature(build).parameters.values())[1:]
