"""The machines of a distributed run: addresses in TF_CONFIG, waiting until all have started, and messages about the end of the run."""

import contextlib
import ipaddress
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from stylegan_tf.errors import UserError
from stylegan_tf.parallel import parallel_map

EXAMPLE = '{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": "worker", "index": 0}}'

ROLES = ("chief", "worker")
ADDRESS = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})", re.ASCII)
WAITING, READY = b"stylegan_tf waiting\n", b"stylegan_tf ready\n"
_ASKED_AT_ONCE = 64  # a machine that is switched off costs CONNECT_SEC
_MAX_LISTED = 8  # addresses in a message
POLL_SEC, CONNECT_SEC = 0.25, 2.0
READY_SEC = 2.0  # how long a process that is ready answers, so that all others learn of it

_STOP_KEY, _END_KEY = "stylegan_tf/stop-requested", "stylegan_tf/ended"
_WAIT_MS = 600_000  # TensorFlow leaks 35 KB for every request that times out, so they are rare


@dataclass(frozen=True)
class Cluster:
    """The processes that train one run together."""

    addresses: tuple[str, ...]  # "host:port" of every process; the chief is the first
    index: int  # of this process

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
    except (ValueError, RecursionError) as error:
        raise _invalid(f"not JSON ({str(error)[:80]})") from error
    cluster, task = (config.get(name) if isinstance(config, dict) else None for name in ("cluster", "task"))
    _require(isinstance(cluster, dict) and isinstance(task, dict), "expected an object with cluster and task")
    _require(set(cluster) <= set(ROLES), f"roles are {' and '.join(ROLES)}, found {', '.join(str(role)[:40] for role in cluster)}")
    tasks = []
    for role in ROLES:
        addresses = cluster.get(role, [])
        _require(isinstance(addresses, list), f"cluster.{role} must be a list of addresses")
        _require(role != "chief" or len(addresses) <= 1, "there must be one chief at most")
        tasks += [(role, index, address) for index, address in enumerate(addresses)]
    places = [_place(address) for _, _, address in tasks]
    for (role, index, address), place in zip(tasks, places, strict=True):
        _require(place is not None, f"cluster.{role}[{index}] must be host:port with a port from 1 to 65535, found {str(address)[:80]!r}")
    _require(len(set(places)) == len(places), "two tasks have the same address")
    role, index = task.get("type"), task.get("index")
    is_known = isinstance(role, str) and type(index) is int and (role, index) in [(r, i) for r, i, _ in tasks]
    _require(is_known, f"task.type and task.index must name an entry of cluster, found {repr(role)[:40]} and {repr(index)[:40]}")
    own = [(r, i) for r, i, _ in tasks].index((role, index))
    return Cluster(tuple(address for _, _, address in tasks), own) if len(tasks) > 1 else None


def _place(address: object) -> tuple[str, int] | None:
    """Host and port in one spelling; None for what is not an address."""
    found = ADDRESS.fullmatch(address) if isinstance(address, str) else None
    if found is None or not 1 <= int(found[2]) <= 65535:
        return None
    host = found[1].lower()
    try:
        return str(ipaddress.IPv6Address(host[1:-1])) if host.startswith("[") else host, int(found[2])
    except ValueError:
        return None


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise _invalid(problem)


def _invalid(problem: str) -> UserError:
    return UserError(f"TF_CONFIG is not valid: {problem}. Example: {EXAMPLE}")


def wait_for_others(cluster: Cluster, timeout_sec: float, log: Callable[[str], None], every_sec: float = 30.0) -> None:
    """Waits until all processes of the cluster have started, before TensorFlow, which would wait without a message and block signals.

    Every process listens at its own address. It answers with "waiting", and with "ready" as soon as it has reached all others. When
    all are ready, the port is released for TensorFlow.

    Args:
        log: receives a line about the missing processes every `every_sec`.
        every_sec: seconds between two lines.

    Raises:
        UserError: the port is in use, or a process did not start in time.
    """
    port = int(cluster.addresses[cluster.index].rpartition(":")[2])
    others = [address for index, address in enumerate(cluster.addresses) if index != cluster.index]
    state = {"word": WAITING}
    try:
        both = {"family": socket.AF_INET6, "dualstack_ipv6": True} if socket.has_dualstack_ipv6() else {}
        server = socket.create_server(("", port), **both)
    except OSError as error:
        address = cluster.addresses[cluster.index]
        raise UserError(f"TF_CONFIG: port {port} of this machine ({address}) cannot be used: {error.strerror or error}.") from error

    def ask(address: str) -> bytes | None:
        return _asked(address) if time.monotonic() - start < timeout_sec else None  # names that do not resolve take seconds each

    thread = threading.Thread(target=_answer, args=(server, state), name="answers other workers", daemon=True)
    thread.start()
    try:
        start = last_line = time.monotonic()
        ready_since = None
        ready: set[str] = set()
        while ready_since is None or time.monotonic() - ready_since < READY_SEC:
            unready = [address for address in others if address not in ready]
            answers = dict(zip(unready, parallel_map(ask, unready, _ASKED_AT_ONCE, at_once=1), strict=True))
            ready |= {address for address, answer in answers.items() if answer == READY}
            missing = [address for address, answer in answers.items() if answer is None]
            if not missing:
                state["word"] = READY
            if ready == set(others):
                ready_since = ready_since or time.monotonic()
            now = time.monotonic()
            if ready_since is None and now - start > timeout_sec:
                raise UserError(
                    f"{len(missing) or len(others)} of {len(cluster.addresses)} workers did not start within {timeout_sec / 60:g} minutes: "
                    f"{_listed(missing or others)}. Start them, check the addresses in TF_CONFIG, or raise run.worker_minutes."
                )
            if missing and now - last_line > every_sec:
                log(f"Waiting for {len(missing)} of {len(cluster.addresses)} workers: {_listed(missing)} ({now - start:.0f} s)")
                last_line = now
            time.sleep(POLL_SEC)
    finally:
        server.shutdown(socket.SHUT_RDWR)  # closing alone would not end `accept`, and the port would remain in use
        thread.join()
        server.close()


def _listed(addresses: list[str]) -> str:
    more = len(addresses) - _MAX_LISTED
    return ", ".join(addresses[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def _answer(server: socket.socket, state: dict[str, bytes]) -> None:
    """The thread that answers other processes, until the server is closed."""
    with contextlib.suppress(OSError):
        while True:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(state["word"])


def _asked(address: str) -> bytes | None:
    """The answer of another process; None if there is none, or another program answers."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SEC) as connection:
            answer = connection.recv(64)
    except (OSError, UnicodeError):
        return None
    return answer if answer in (WAITING, READY) else None


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
