"""Work on many items by several threads, results in the order of the items and in bounded memory."""

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def parallel_map(function: Callable[[_In], _Out], items: Iterable[_In], workers: int | None = None, at_once: int = 16) -> Iterator[_Out]:
    """Yields `function(item)` for every item, in order; an exception of a worker is raised where its result would be.

    Args:
        function: called in worker threads. Decoding and resizing let other threads run.
        items: taken only a little ahead of the results.
        workers: threads; None for one for each processor.
        at_once: items handed to a thread together: a future costs as much as checking a small image.
    """
    workers = workers or os.cpu_count() or 1
    if workers == 1:
        yield from map(function, items)
        return
    iterator, pending = iter(items), deque()
    pool = ThreadPoolExecutor(workers)
    try:
        while chunk := list(itertools.islice(iterator, at_once)):
            pending.append(pool.submit(lambda chunk: [function(item) for item in chunk], chunk))
            if len(pending) > 2 * workers:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
