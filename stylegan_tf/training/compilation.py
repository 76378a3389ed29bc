"""Compiles steps with XLA: when they are first called, or in a thread while training goes on without them.

TensorFlow compiles a function when it is first called, and has no way to compile without a call. So the functions inside a traced
step that XLA compiles, which compute gradients and assign nothing, are called with zeros; the step then finds them compiled. For one
such call the memory of a step is needed twice.
"""

import functools
import logging
import threading
import time
from collections.abc import Callable, Hashable

import tensorflow as tf
from tensorflow.python.eager.polymorphic_function.atomic_function import AtomicFunction
from tensorflow.python.framework.func_graph import FuncGraph

from stylegan_tf.cpu import paths

_MUST_COMPILE = "_XlaMustCompile"  # TensorFlow's attribute of functions with jit_compile=True


def with_xla(function: Callable, is_compiled: bool = True) -> Callable:
    """The function compiled with XLA; itself where it is not to be compiled."""
    if not is_compiled:
        return function

    def traced(*arguments):
        with paths.traced_for_xla():
            return function(*arguments)

    return tf.function(traced, jit_compile=True, autograph=False)


class BackgroundCompiler:
    """One thread that prepares functions, one after the other.

    Attributes:
        log: called from the thread with a line of text for the user.
    """

    def __init__(self):
        self.log: Callable[[str], None] = logging.getLogger(__name__).info
        self._ready: dict[Hashable, Callable] = {}
        self._asked: set[Hashable] = set()
        self._thread: threading.Thread | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being compiled."""
        return self._thread is None or not self._thread.is_alive()

    def ready(self, key: Hashable) -> Callable | None:
        """The function that was prepared for a key; None until it is compiled."""
        return self._ready.get(key)

    def can_request(self, key: Hashable) -> bool:
        """Whether a function can be prepared now, and this was not tried before."""
        return key not in self._asked and self.is_idle

    def request(self, key: Hashable, name: str, trace: Callable[[], tuple[Callable, FuncGraph]]) -> None:
        """Starts to prepare a function for which `can_request` is true.

        Args:
            name: what it is, for the log.
            trace: traces it in the thread; returns it and its graph.
        """
        self._asked.add(key)
        self._thread = threading.Thread(target=self._prepare, args=(key, name, trace), name=f"XLA: {name}", daemon=True)
        self._thread.start()

    def forget(self, keep: Callable[[Hashable], bool]) -> None:
        """Frees the functions of all keys but those to keep."""
        for key in [key for key in self._ready if not keep(key)]:
            del self._ready[key]
        self._asked = {key for key in self._asked if keep(key)}

    def wait(self) -> None:
        """Returns when nothing is being compiled."""
        if self._thread is not None:
            self._thread.join()

    def _prepare(self, key, name, trace):
        start = time.monotonic()
        try:
            function, graph = trace()
            compile_inner_functions(graph)
        except tf.errors.OpError as error:  # XLA has no kernel for an operation, or there is too little memory
            self.log(
                f"{name} is not compiled with XLA and continues without it: {type(error).__name__}: {error.message.splitlines()[0][:200]}"
            )
            return
        if key in self._asked:
            self._ready[key] = function
            self.log(f"{name} is compiled with XLA (in {time.monotonic() - start:.0f} s, while training went on)")


def compile_inner_functions(graph: FuncGraph) -> int:
    """Calls each function in the graph that XLA compiles once, with zeros and the variables of the graph; returns how many there are.

    All are compiled at the same time, D's and G's. A function that assigns variables is left out: it is compiled when it is needed.
    """
    outside = {id(inner): outer for outer, inner in graph.captures}
    calls, errors = {}, []  # by name: the parts of a minibatch are computed by one function
    for operation in graph.get_operations():
        if operation.type not in ("PartitionedCall", "StatefulPartitionedCall"):
            continue
        function = graph._get_function(operation.get_attr("f").name)
        assigns = any("Assign" in inner.type for inner in function.graph.get_operations())
        if assigns or not is_for_xla(function):
            continue
        arguments = [
            outside[id(_source(value))] if value.dtype == tf.resource else tf.zeros(value.shape, value.dtype) for value in operation.inputs
        ]
        # From inside another function: what a direct call compiles is not found by the step.
        calls[function.name] = functools.partial(tf.function(function.call_flat, autograph=False), *arguments)

    def compile_one(call):
        try:
            call()
        except Exception as error:  # raised below, in the thread that waits
            errors.append(error)

    # Daemons: the program can be ended while they compile.
    threads = [threading.Thread(target=compile_one, args=(call,), daemon=True) for call in calls.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return len(calls)


def is_for_xla(function: AtomicFunction) -> bool:
    """Whether XLA compiles a function of a graph."""
    attributes = function.cached_definition.attr
    # Looked up first: reading an attribute that is missing would add an empty one, which TensorFlow refuses later.
    return _MUST_COMPILE in attributes and attributes[_MUST_COMPILE].b


def _source(tensor):
    """The tensor that an operation hands on unchanged, or many of them."""
    return _source(tensor.op.inputs[0]) if tensor.op.type == "Identity" else tensor
