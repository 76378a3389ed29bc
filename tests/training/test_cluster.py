"""TF_CONFIG and waiting for other machines."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from stylegan_tf.errors import UserError
from stylegan_tf.training import cluster
from stylegan_tf.training.cluster import Cluster, read_cluster, wait_for_others

ROOT = Path(__file__).parents[2]
TWO = ["a:1", "b:2"]
SAME = [("a:1", "a:1"), ("a:1", "A:01"), ("[::1]:1", "[0:0:0:0:0:0:0:1]:1")]


def config(addresses=TWO, kind="worker", index=0, **roles):
    return json.dumps({"cluster": {"worker": addresses, **roles}, "task": {"type": kind, "index": index}})


def test_valid_clusters():
    assert read_cluster(None) is read_cluster("") is read_cluster(config(["a:1"])) is None
    assert read_cluster(config()) == Cluster(("a:1", "b:2"), 0)
    assert read_cluster(config(index=1)) == Cluster(("a:1", "b:2"), 1)
    assert read_cluster(config(chief=["c:3"])) == Cluster(("c:3", "a:1", "b:2"), 1)
    assert read_cluster(config(chief=["c:3"], kind="chief")).is_chief
    assert read_cluster(config(["[::1]:12345", "node-3.local:80"])).addresses == ("[::1]:12345", "node-3.local:80")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "expected an object with cluster and task"),
        ("5", "expected an object with cluster and task"),
        ('{"cluster": {}}', "expected an object with cluster and task"),
        ('{"cluster": [], "task": {}}', "expected an object with cluster and task"),
        (config(ps=["c:3"]), "roles are chief and worker, found worker, ps"),
        (config("a:1"), "cluster.worker must be a list"),
        (config(chief=["c:3", "d:4"]), "one chief at most"),
        (config(["a", "b:2"]), r"cluster.worker\[0\] must be host:port"),
        (config(["a:1", "b:0"]), r"cluster.worker\[1\] must be host:port .* found 'b:0'"),
        (config(["a:1", "b:65536"]), "a port from 1 to 65535"),
        (config(["a:1", "b:-2"]), "must be host:port"),
        (config(["a:1", "http://b:2"]), "must be host:port"),
        (config(["a:1", 5]), "must be host:port"),
        (config(["a:1", None]), "must be host:port"),
        *((config([a, b]), "two tasks have the same address") for a, b in SAME),
        (config(["a:1", "[::::]:2"]), "must be host:port"),
        (config(["a:1", "[1.2.3.4]:2"]), "must be host:port"),
        (config(chief=["c:3"], kind="chief", index=1), "found 'chief' and 1"),
        (json.dumps(config()), "expected an object with cluster and task"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"index": 0}}', "found None and 0"),
        (config(index=2), "must name an entry of cluster"),
        (config(index=-1), "must name an entry of cluster"),
        (config(index="0"), "must name an entry of cluster, found 'worker' and '0'"),
        (config(index=True), "must name an entry of cluster"),
        (config(kind="chief"), "must name an entry of cluster"),
        (config(kind=["worker"]), "must name an entry of cluster"),
        ('{"cluster": {}, "task": {}}', "must name an entry of cluster"),
    ],
)
def test_what_is_not_valid_is_one_line(text, message):
    with pytest.raises(UserError, match=f"TF_CONFIG is not valid: .*{message}") as refusal:
        read_cluster(text)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 400


def addresses(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = tuple(f"127.0.0.1:{s.getsockname()[1]}" for s in sockets)
    for s in sockets:
        s.close()
    return found


def test_all_go_on_when_the_last_one_has_started(monkeypatch):
    monkeypatch.setattr(cluster, "READY_SEC", 1.0)
    members, ended, lines = addresses(3), {}, []

    def member(index, delay_sec):
        time.sleep(delay_sec)
        wait_for_others(Cluster(members, index), 30, lines.append, every_sec=0.5)
        ended[index] = time.monotonic()

    start = time.monotonic()
    threads = [threading.Thread(target=member, args=(index, delay)) for index, delay in enumerate((0.0, 0.5, 2.0))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(ended.values()) - start > 2.9
    assert max(ended.values()) - min(ended.values()) < 1.5
    assert any(line.startswith(f"Waiting for 1 of 3 workers: {members[2]} (") for line in lines)


def test_many_machines_that_do_not_answer_are_asked_at_the_same_time(monkeypatch):  # the time limit was checked after minutes
    monkeypatch.setattr(cluster, "_asked", lambda address: time.sleep(0.5))
    members, start = (*addresses(1), *(f"host{number}:1" for number in range(63))), time.monotonic()
    with pytest.raises(UserError, match=r"63 of 64 workers did not start within .* minutes: host0:1, .*, host7:1 and 55 more\. Start"):
        wait_for_others(Cluster(members, 0), 0.6, print)
    assert time.monotonic() - start < 15  # one after the other took 32 s


def test_the_time_limit_is_checked_between_machines(monkeypatch):  # a pass over thousands of names that do not resolve took hours
    monkeypatch.setattr(cluster, "_asked", lambda address: time.sleep(0.5))
    members, start = (*addresses(1), *(f"host{number}:1" for number in range(6400))), time.monotonic()
    with pytest.raises(UserError, match="6400 of 6401 workers did not start"):
        wait_for_others(Cluster(members, 0), 0.6, print)
    assert time.monotonic() - start < 25  # a whole pass takes 50 s


def test_a_time_limit_a_busy_port_and_another_program():
    members = addresses(2)
    with pytest.raises(UserError, match=rf"1 of 2 workers did not start within 0.01 minutes: {members[1]}. .*run.worker_minutes"):
        wait_for_others(Cluster(members, 0), 0.6, print)
    host, port = members[0].split(":")
    with (
        socket.create_server((host, int(port))),
        pytest.raises(UserError, match=rf"port {port} of this machine .* cannot be used: .*in use"),
    ):
        wait_for_others(Cluster(members, 0), 5, print)
    host, port = members[1].split(":")
    with socket.create_server((host, int(port))) as other:  # accepts, and answers something else
        threading.Thread(target=lambda: other.accept()[0].sendall(b"SSH-2.0"), daemon=True).start()
        with pytest.raises(UserError, match="did not start within"):
            wait_for_others(Cluster(members, 0), 0.6, print)


def test_signals_end_a_worker_that_waits():
    # Inside TensorFlow's own call only kill -9 did.
    code = f"""
from stylegan_tf.training import cluster, stopping
stopping.handle_signals_before_training()
cluster.wait_for_others(cluster.Cluster({addresses(2)!r}, 0), 60, lambda text: print(text, flush=True), every_sec=0.1)
"""
    worker = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert worker.stdout.readline().startswith("Waiting for 1 of 2 workers")
    os.kill(worker.pid, signal.SIGTERM)
    printed, errors = worker.communicate(timeout=10)
    assert (worker.returncode, errors) == (0, "")
    assert "Stopped by SIGTERM before training began" in printed
