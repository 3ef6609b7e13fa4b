"""`DecoupledWeightDecay` under `tf.distribute`: the weights of one device.

The oracle is the same training on one device, in the same process.
"""

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import keras
import pytest

HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.distribute"),
]


def start(script, *arguments, **environment):
    """A script of this folder in a new process."""
    return subprocess.Popen(
        [sys.executable, str(HERE / script), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def finish(*processes):
    """What the scripts report; one that fails or hangs ends the others too."""
    with ExitStack() as stack:
        for process in processes:
            stack.callback(process.wait)
            stack.callback(process.kill)
        printed = [process.communicate(timeout=600) for process in processes]
    for process, (_, errors) in zip(processes, printed, strict=True):
        assert process.returncode == 0, errors[-4000:]
    return [json.loads(output.splitlines()[-1]) for output, _ in printed]


def check(differences, effect):
    too_far = {name: d for name, d in differences.items() if not d <= 1e-6}
    assert not too_far
    assert effect > 0.01  # of λ, set in the middle of training


def test_mirrored_strategy(tmp_path):
    (found,) = finish(start("mirrored.py", tmp_path))
    check(found["differences"], found["effect"])
    assert len(found["differences"]) == 9
    assert "rates" in found["differences"]
    assert found["replicas_agree"]
    # Keras' own optimizers cannot accumulate gradients there; we, as soon as they can.
    by_keras, by_us = found["accumulates"]
    assert by_keras == by_us
    for message in found["refusals"]:
        assert "TouchedRowsDecay is not possible" in message
        assert "Give the table a number" in message


def free_addresses(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{opened.getsockname()[1]}" for opened in sockets]


def test_multi_worker_mirrored_strategy(tmp_path):
    path = tmp_path / "run.jsonl"
    cluster = {"worker": free_addresses(2)}
    workers = [
        {"cluster": cluster, "task": {"type": "worker", "index": index}}
        for index in range(2)
    ]
    processes = [
        start("multi_worker.py", path, TF_CONFIG=json.dumps(w)) for w in workers
    ]
    for found in finish(*processes):
        check(found["differences"], found["effect"])
        assert found["replicas"] == 2
        assert found["rows"] == 2
    # The chief has written, and nobody else.
    assert len(path.read_text().splitlines()) == 2
