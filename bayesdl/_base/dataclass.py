"""`dataclass` as the standard library has it, made in a tenth of the time.

The standard library writes six functions a class as text, and compiles each while a module loads:
a third of what our modules took. Here the constructor alone is text, written when it is first
needed; the other methods are closures over the names of the fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar("T", bound=type)


def light(
    *, frozen: bool = False, eq: bool = True, repr: bool = True, slots: bool = False
) -> Callable[[T], T]:
    """Make a class a dataclass, to the standard library's functions too.

    Parameters
    ----------
    frozen, eq, repr, slots : bool
        As of `dataclasses.dataclass`. Fields are arguments of the constructor, all of them; classes
        that inherit from each other are all made here.

    Returns
    -------
    callable
        Takes the class, and gives it back; with slots, its successor.

    Raises
    ------
    TypeError
        For a field that is no argument, or is one by name only.
    """

    def make(cls: T) -> T:
        own = {**vars(cls)}
        bare = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)
        # Without a text of its own a class would get its signature, which is not known yet.
        cls.__doc__ = cls.__doc__ or cls.__name__
        made: Any = bare(cls)
        fields = dataclasses.fields(made)
        if any(f.kw_only or not f.init for f in fields):
            raise TypeError(f"{cls.__name__} has a field that is not an argument like others")
        compared = _values([f.name for f in fields if f.compare])
        methods: dict[str, Any] = {"__init__": _Constructor(made, fields, frozen)}
        if repr:
            methods["__repr__"] = _repr([f.name for f in fields if f.repr])
        if eq:
            methods["__eq__"] = _eq(compared)
        if frozen:
            methods |= {"__setattr__": _refuse(made, "assign to"), "__delattr__": _refuse(made)}
        if frozen and slots:
            methods |= {"__getstate__": _state, "__setstate__": _set_state}
        for name, method in methods.items():
            if name not in own:
                setattr(made, name, method)
        if eq and "__hash__" not in own:
            made.__hash__ = _hash(compared) if frozen else None
        return made  # type: ignore[no-any-return]

    return make


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    dataclass = light


class _Constructor:
    """Stands for the constructor of a class until it is asked for, and puts it in its place."""

    def __init__(self, cls: type, fields: tuple[Field[Any], ...], frozen: bool) -> None:
        self.cls, self.fields, self.frozen = cls, fields, frozen

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        function = _written(self.cls, self.fields, self.frozen)
        self.cls.__init__ = function  # type: ignore[misc]
        return function.__get__(instance, owner)


def _written(cls: type, fields: tuple[Field[Any], ...], frozen: bool) -> Any:
    """The constructor, as text that is compiled."""
    names: dict[str, Any] = {"_set": object.__setattr__, "_made": MISSING}
    heads, lines = ["self"], []
    for field in fields:
        name, value = field.name, field.name
        if field.default_factory is not MISSING:
            names[f"_new_{name}"] = field.default_factory
            heads.append(f"{name}=_made")
            value = f"_new_{name}() if {name} is _made else {name}"
        elif field.default is not MISSING:
            names[f"_default_{name}"] = field.default
            heads.append(f"{name}=_default_{name}")
        else:
            heads.append(name)
        lines.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if any("__post_init__" in vars(c) for c in cls.__mro__):
        lines.append("self.__post_init__()")
    text = f"def __init__({', '.join(heads)}):\n  " + "\n  ".join(lines or ["pass"])
    # Our own file, so that messages which look for the user's line pass over it.
    exec(compile(text, __file__, "exec"), names)
    function = names["__init__"]
    function.__qualname__ = f"{cls.__qualname__}.__init__"
    function.__module__ = cls.__module__
    function.__annotations__ = {**{f.name: f.type for f in fields}, "return": None}
    return function


def _values(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the values of so many fields as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda self: tuple(getattr(self, name) for name in names)


def _repr(names: list[str]) -> Callable[[Any], str]:
    @recursive_repr()
    def __repr__(self: Any) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({values})"

    return __repr__


def _eq(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any, Any], Any]:
    def __eq__(self: Any, other: Any) -> Any:
        return values(self) == values(other) if type(other) is type(self) else NotImplemented

    return __eq__


def _hash(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any], int]:
    return lambda self: hash(values(self))


def _refuse(cls: Any, what: str = "delete") -> Callable[..., None]:
    """What a frozen class does with an attribute that is set or deleted."""

    def refuse(self: Any, name: str, *value: Any) -> None:
        # A class that inherits may have attributes of its own.
        if type(self) is cls or name in cls.__dataclass_fields__:
            raise FrozenInstanceError(f"cannot {what} field {name!r}")
        (object.__setattr__ if value else object.__delattr__)(self, name, *value)

    return refuse


def _state(self: Any) -> list[Any]:
    return [getattr(self, f.name) for f in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
