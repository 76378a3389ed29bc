"""The machines of a distributed run: their addresses in TF_CONFIG, and short messages between them about the end of the run."""

import contextlib
import json
import threading
from dataclasses import dataclass

from stylegan_tf.errors import UserError

EXAMPLE = '{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": "worker", "index": 0}}'

_STOP_KEY, _END_KEY = "stylegan_tf/stop-requested", "stylegan_tf/ended"
_WAIT_MS = 600_000  # TensorFlow leaks 35 KB for every request that times out, so they are rare


@dataclass(frozen=True)
class Cluster:
    """The processes that train one run together.

    Attributes:
        addresses: "host:port" of every process; the chief is the first.
        index: of this process.
    """

    addresses: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run folder."""
        return self.index == 0


def read_cluster(text: str | None) -> Cluster | None:
    """The cluster that TF_CONFIG describes, None for a run on one machine.

    Args:
        text: value of the environment variable, None or "" where it is not set.

    Raises:
        UserError: not of the form of `EXAMPLE`; says what is wrong.
    """
    if not text:
        return None
    try:
        config = json.loads(text)
        tasks = [(kind, index, address) for kind in ("chief", "worker") for index, address in enumerate(config["cluster"].get(kind, []))]
        places = [(kind, index) for kind, index, _ in tasks]
        own = places.index((config["task"]["type"], config["task"]["index"])) if len(tasks) > 1 else config["task"]["index"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"TF_CONFIG cannot be read ({error}). Expected for example {EXAMPLE}.") from error
    return Cluster(tuple(address for _, _, address in tasks), own) if len(tasks) > 1 else None


class Messages:
    """Short texts that every worker can read at any time, also while it waits inside a step.

    They are stored by TensorFlow's coordination service, which runs on the chief.

    Args:
        is_chief: whether this process is the chief.
    """

    def __init__(self, is_chief: bool):
        # Not public; tf.distribute's own preemption handler uses it.
        from tensorflow.python.eager import context

        self.is_chief = is_chief
        self._service = context.context()
        self._received: dict[str, str] = {}
        self._start_receiving(_STOP_KEY, if_chief_is_gone=None)  # the next step fails then
        if not is_chief:
            self._start_receiving(_END_KEY, if_chief_is_gone="The connection to the first worker was lost.")

    def request_stop(self, reason: str) -> None:
        """Requests all workers to end the run; the first request counts."""
        self._send(_STOP_KEY, reason)

    def stop_requested(self) -> str | None:
        """The reason of the first request to end the run, None without one."""
        return self._received.get(_STOP_KEY)

    def announce_end(self, message: str) -> None:
        """Called by the chief immediately before its process ends."""
        self._send(_END_KEY, message)

    def announced_end(self) -> str | None:
        """What the chief announced, None while the run continues."""
        return self._received.get(_END_KEY)

    def _send(self, key: str, text: str) -> None:
        import tensorflow as tf

        with contextlib.suppress(tf.errors.OpError):  # sent already, or no other worker is left
            self._service.set_config_key_value(key, text)

    def _start_receiving(self, key: str, if_chief_is_gone: str | None) -> None:
        threading.Thread(target=self._receive, args=(key, if_chief_is_gone), name=f"receives {key}", daemon=True).start()

    def _receive(self, key: str, if_chief_is_gone: str | None) -> None:
        import tensorflow as tf

        while key not in self._received:
            try:
                self._received[key] = self._service.get_config_key_value(key, _WAIT_MS)
            except tf.errors.DeadlineExceededError:
                continue
            except tf.errors.OpError:
                if if_chief_is_gone is not None:
                    self._received[key] = if_chief_is_gone
                return
