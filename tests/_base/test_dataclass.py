"""`dataclass` does what the standard library's does."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import field
from typing import Any, ClassVar

import pytest

from bayesdl._base.dataclass import light


@light(frozen=True)
class Point:
    """A place."""

    x: float
    y: float = 2.0
    names: list[str] = field(default_factory=list, compare=False, repr=False)
    count: ClassVar[int] = 0

    @property
    def sum(self) -> float:
        """Of both."""
        return self.x + self.y


@light(frozen=True, slots=True)
class Slotted:
    """One with slots."""

    x: Any


@light(eq=False)
class Open:
    """One that can be changed."""

    x: int = 1

    def __post_init__(self) -> None:
        self.x += 1


@dataclasses.dataclass(frozen=True)
class Twin:
    """The same as `Point` by the standard library."""

    x: float
    y: float = 2.0
    names: list[str] = field(default_factory=list, compare=False, repr=False)
    count: ClassVar[int] = 0


def test_is_a_dataclass_to_the_standard_library() -> None:
    """Fields, `replace`, `asdict`, patterns and the signature are those of its twin."""
    point, twin = Point(1.0), Twin(1.0)
    assert [f.name for f in dataclasses.fields(Point)] == ["x", "y", "names"]
    assert dataclasses.asdict(point) == dataclasses.asdict(twin)
    assert dataclasses.replace(point, y=3.0) == Point(1.0, 3.0)
    assert Point.__match_args__ == Twin.__match_args__
    ours, theirs = inspect.signature(Point), inspect.signature(Twin)
    assert list(ours.parameters) == list(theirs.parameters)
    assert ours.parameters["y"].default == theirs.parameters["y"].default
    assert ours.parameters["x"].annotation == theirs.parameters["x"].annotation


def test_text_equality_and_hash_are_those_of_the_twin() -> None:
    """Fields that are not compared or shown are left out; another class is never equal."""
    assert repr(Point(1.0)) == repr(Twin(1.0)).replace("Twin", "Point")
    assert Point(1.0) == Point(1.0, names=["a"])
    assert hash(Point(1.0)) == hash(Point(1.0, names=["a"])) == hash(Twin(1.0))
    assert hash(Slotted(3)) == hash((3,))
    assert Point(1.0) != Point(1.5)
    assert Point(1.0) != Twin(1.0)
    assert Slotted(1) == Slotted(1) != Slotted(2)
    assert Open() != Open()


def test_a_default_factory_makes_one_for_each() -> None:
    """And is not asked where a value is given."""
    given = ["a"]
    assert Point(1.0).names is not Point(1.0).names
    assert Point(1.0, names=given).names is given


def test_text_of_a_thing_that_holds_itself_ends() -> None:
    """As the standard library has it."""
    inner: list[Any] = []
    loop = Slotted(inner)
    inner.append(loop)
    assert repr(loop) == "Slotted(x=[...])"


@pytest.mark.parametrize("made", [Point(1.0), Slotted(1)])
def test_frozen_means_frozen(made: Any) -> None:
    """Neither fields nor anything else can be set or deleted."""
    with pytest.raises(dataclasses.FrozenInstanceError, match="assign to field 'x'"):
        made.x = 2
    with pytest.raises(dataclasses.FrozenInstanceError, match="delete field 'x'"):
        del made.x
    with pytest.raises(dataclasses.FrozenInstanceError, match="assign to field 'z'"):
        made.z = 2


def test_a_class_that_inherits_has_room_of_its_own() -> None:
    """But not for the fields."""

    class Heir(Point):
        """With an attribute."""

    heir: Any = Heir(1.0)
    heir.z = 1
    del heir.z
    with pytest.raises(dataclasses.FrozenInstanceError):
        heir.x = 2.0


@pytest.mark.parametrize("made", [Point(1.0, 3.0, ["a"]), Slotted((1, 2))])
def test_is_copied_and_pickled(made: Any) -> None:
    """Slots included."""
    for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), copy.copy(made)):
        assert again == made
        assert again is not made
    assert not hasattr(Slotted(1), "__dict__")


def test_what_a_class_writes_itself_is_kept() -> None:
    """Constructor, text, hash; a class without `frozen` that is compared has no hash."""

    @light()
    class Own:
        x: int

        def __init__(self) -> None:
            self.x = 7

        def __repr__(self) -> str:
            return "own"

    assert (Own().x, repr(Own())) == (7, "own")
    with pytest.raises(TypeError, match="unhashable"):
        hash(Own())
    assert Open().x == 2


def test_refuses_what_it_does_not_do() -> None:
    """A field that the constructor would not take as an argument."""
    with pytest.raises(TypeError, match="not an argument like others"):

        @light()
        class Hidden:
            x: int = field(init=False)

    with pytest.raises(TypeError, match="required positional argument"):
        Point()  # type: ignore[call-arg]
