"""One thread computes for all tabs: in turn, and for each tab only its last request."""

import threading
from collections.abc import Callable, Hashable
from typing import Any


class Superseded(Exception):  # noqa: N818  not an error: the page has sent a newer request
    """A newer request of the same key has taken the place of this one."""


class Worker:
    """Runs functions in one thread, because the device and the traces of TensorFlow belong to a thread."""

    def __init__(self):
        self._waiting: dict[Hashable, _Job] = {}
        self._changed = threading.Condition()
        self._is_closed = False

    def submit(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """The result of `compute()`, or its exception; waits for it.

        Args:
            key: of a sequence of requests of which only the newest counts. A waiting one is replaced in its place in the queue.
            compute: is called in the thread of `run`.

        Raises:
            Superseded: a newer request of this key came, or the worker was closed, before this one was begun.
        """
        job = _Job(compute)
        with self._changed:
            if self._is_closed:
                raise Superseded
            older = self._waiting.get(key)
            self._waiting[key] = job  # an existing key keeps its place
            if older is not None:
                older.finish(error=Superseded())
            self._changed.notify()
        job.done.wait()
        if job.error is not None:
            raise job.error
        return job.result

    def run(self) -> None:
        """Computes until `close`."""
        while True:
            with self._changed:
                while not self._waiting and not self._is_closed:
                    self._changed.wait(0.5)  # a wait without an end cannot be interrupted by Ctrl+C everywhere
                if self._is_closed:
                    return
                job = self._waiting.pop(next(iter(self._waiting)))
            try:
                job.finish(result=job.compute())
            except Exception as error:
                job.finish(error=error)

    def close(self) -> None:
        """Ends `run` and all that wait."""
        with self._changed:
            self._is_closed = True
            for job in self._waiting.values():
                job.finish(error=Superseded())
            self._waiting.clear()
            self._changed.notify_all()


class _Job:
    def __init__(self, compute: Callable[[], Any]):
        self.compute, self.done = compute, threading.Event()
        self.result: Any = None
        self.error: Exception | None = None

    def finish(self, *, result: Any = None, error: Exception | None = None) -> None:
        self.result, self.error = result, error
        self.done.set()
