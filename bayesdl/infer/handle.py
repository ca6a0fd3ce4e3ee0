"""A run in the background, and the gate through which one is paused, stopped and looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from bayesdl._base.errors import RunError

T = TypeVar("T")
S = TypeVar("S")


class Gate:
    """What a run passes between blocks. Whoever holds `turn` finds its draws at rest."""

    def __init__(self) -> None:
        self.turn = threading.Condition()
        self.collect: Callable[[], Any] | None = None
        self._closed = self._stopped = False

    def pass_through(self) -> None:
        """Wait while the gate is closed.

        Raises
        ------
        KeyboardInterrupt
            If the run is to stop.
        """
        with self.turn:
            while self._closed and not self._stopped:
                self.turn.wait()
            if self._stopped:
                raise KeyboardInterrupt

    def set(self, *, closed: bool | None = None, stopped: bool = False) -> None:
        """Close or open the gate, or stop who passes next."""
        with self.turn:
            self._closed = self._closed if closed is None else closed
            self._stopped = self._stopped or stopped
            self.turn.notify_all()


class Handle(Generic[T]):
    """A run that goes on in the background.

    Parameters
    ----------
    go : callable, (gate) -> run
        Walks to the end; what a thread of its own does.
    finish : callable, (run) -> result
        Called by `wait`.
    look : callable, (run) -> result
        Called by `inspect`.
    """

    def __init__(
        self, go: Callable[[Gate], Any], finish: Callable[[Any], T], look: Callable[[Any], T]
    ) -> None:
        self._finish, self._look = finish, look
        self._gate = Gate()
        self._outcome: list[Any] = []
        self._error: BaseException | None = None

        def work() -> None:
            try:
                self._outcome.append(go(self._gate))
            except BaseException as error:
                self._error = error

        # A daemon: a script that ends without waiting is not held up.
        self._thread = threading.Thread(target=work, name="bayesdl run", daemon=True)
        self._thread.start()

    def inspect(self) -> T | None:
        """The posterior of the draws so far; None before every chain has one. The run goes on."""
        with self._gate.turn:
            found = self._gate.collect() if self._gate.collect is not None else None
        return None if found is None or not found.shape[1] else self._look(found)

    def pause(self) -> None:
        """Stand still after the blocks under way."""
        self._gate.set(closed=True)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._gate.set(closed=False)

    def abort(self) -> None:
        """Stop after the blocks under way; `wait` then gives what was drawn."""
        self._gate.set(stopped=True)

    @property
    def running(self) -> bool:
        """Whether the run goes on, paused or not."""
        return self._thread.is_alive()

    def wait(self, timeout: float | None = None) -> T:
        """The posterior, when the run has ended.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most.

        Raises
        ------
        TimeoutError
            If it has not ended by then; it goes on.
        BayesdlError
            What the run failed with.
        """
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise TimeoutError(f"the run has not ended after {timeout} s; it goes on.")
        if self._error is not None:
            raise self._error
        return self._finish(self._outcome[0])

    def then(
        self, function: Callable[[T], S], on_error: Callable[[RunError], RunError]
    ) -> Handle[S]:
        """The same run, with a function applied to what it gives, and one to its error."""
        found: Any = self
        finish, look = self._finish, self._look

        def finished(run: Any) -> S:
            try:
                return function(finish(run))
            except RunError as error:
                raise on_error(error) from error.__cause__

        found._finish, found._look = finished, lambda run: function(look(run))
        same: Handle[S] = found
        return same
