"""The handlers that are active in this thread, and the way of a statement through them."""

from __future__ import annotations

import copy
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Self, TypeVar

from bayesdl._base.errors import SiteError
from bayesdl.ir.builder import active_builders

from ._definition import Model
from ._settle import settle
from ._statement import Statement

F = TypeVar("F", bound=Callable[..., Any])


class Handler:
    """Something that reads or fixes statements while a model runs.

    A handler is a context manager, and wraps a model: ``with seed(0): m()`` and ``seed(0)(m)()``
    are the same. Handlers act when a model runs in Python, hence when it is traced; none is left in
    a Program.
    """

    def start(self) -> None:
        """Forget what an earlier use left behind."""

    def before(self, statement: Statement) -> None:
        """See a statement before it has a value; the innermost handler is first."""

    def after(self, statement: Statement) -> None:
        """See a statement when it has its value; the outermost handler is first."""

    def __enter__(self) -> Any:
        self.start()
        _STACK.entries.append((self, _builder()))
        return self

    def __exit__(self, *exception: object) -> None:
        _STACK.entries.pop()

    def __call__(self, function: F) -> F:
        """Run a model or function under this handler each time it is called."""
        called = function.function if isinstance(function, Model) else function

        @functools.wraps(called)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self.fresh():
                return called(*args, **kwargs)

        if isinstance(function, Model):
            return Model(wrapper, name=function.name, coords=function.coords)  # type: ignore[return-value]
        return wrapper  # type: ignore[return-value]

    def fresh(self) -> Self:
        """A copy that may be entered while this one is active."""
        return copy.copy(self)


class _Stack(threading.local):
    def __init__(self) -> None:
        self.entries: list[tuple[Handler, Any]] = []
        self.inside_run = False


_STACK = _Stack()


def send(statement: Statement) -> Statement:
    """Take a statement through the handlers: out, to its value, and back in."""
    reached: list[Handler] = []
    for handler, builder in reversed(_STACK.entries):
        if builder is not _builder():
            raise _nested(statement)
        reached.append(handler)
        handler.before(statement)
        if statement.hidden:
            break
    settle(statement)
    for handler in reversed(reached):
        handler.after(statement)
    return statement


def surroundings() -> tuple[Handler, ...]:
    """The handlers that the user has entered around this call; none inside a run of a model."""
    return () if _STACK.inside_run else tuple(handler for handler, _ in _STACK.entries)


@contextmanager
def running(own: Sequence[Handler], ambient: Sequence[Handler]) -> Iterator[None]:
    """Run a model under its reader's own handlers (outermost), and the user's, and no others.

    Parameters
    ----------
    own : sequence of Handler
    ambient : sequence of Handler
        Those that surrounded the user's call when the model was handed over. Those that surround
        it now are added.
    """
    now = [h for h in surroundings() if not any(h is known for known in ambient)]
    previous, _STACK.entries = _STACK.entries, []
    was_inside, _STACK.inside_run = _STACK.inside_run, True
    try:
        with ExitStack() as stack:
            for handler in own:
                stack.enter_context(handler)
            for handler in (*ambient, *now):
                stack.enter_context(handler.fresh())
            yield
    finally:
        _STACK.entries, _STACK.inside_run = previous, was_inside


def _builder() -> Any:
    builders = active_builders()
    return builders[-1] if builders else None


def _nested(statement: Statement) -> SiteError:
    return SiteError(
        f'the statement "{statement.name}" stands inside a function that is traced on its own.',
        note="The body of scan, cond, vmap, grad or jit runs in Python once.",
        fix="move it out of that function: sample one array for all steps, and index it there.",
        where=statement.source,
        code="M111",
    )
