"""A search in processes that are killed with SIGKILL, until one comes to its end.

Keras is imported once. Every search runs in a fork made before the backend has done
anything, and sorts, remembers and trains as a new process would.
"""

import contextlib
import json
import os
import pickle
import random
import signal
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from searches import assert_equal, job, strengths

from keras_decay.search._run import run

with contextlib.suppress(ImportError):
    import tensorflow  # noqa: F401 (`fit` imports it on every backend)

FOLDER, KILLS, SEED = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
# Each candidate has two tasks. The last one is trained by `fit`; not on JAX, where it
# takes seconds to run a model eagerly for the first time.
LAST = {"l2": 0.5, "eager": keras.backend.backend() != "jax"}
CANDIDATES = [*strengths(4), LAST]
JOB, TASKS = job(CANDIDATES, epochs=3, keep_weights=True)
# Of the time from one tell to the next.
PAUSE = 0.3


def search(memory, tell, path):
    """Search, tell of all that is done, and keep the outcomes in a file."""
    warnings.simplefilter("ignore")
    outcomes, _ = run(
        JOB,
        TASKS,
        max_parallel=2,
        memory=memory,
        progress=lambda done, total: os.write(tell, bytes([done])),
    )
    path.write_bytes(pickle.dumps(outcomes))


def in_a_fork(memory, path, kill_after=None):
    """How far the search was, as it has told; killed after so many tells, or not."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(ours)
            search(memory, theirs, path)
            code = 0
        finally:
            os._exit(code)
    os.close(theirs)
    told = []
    for _ in range(kill_after or 0):
        told += os.read(ours, 1)
    if kill_after is not None:
        time.sleep(random.expovariate(1 / PAUSE))
        os.kill(child, signal.SIGKILL)
    while now := os.read(ours, 99):
        told += now
    os.close(ours)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in ((0,) if kill_after is None else (0, -signal.SIGKILL)), status
    return told, status == 0


random.seed(SEED)
UNDISTURBED, END = FOLDER / "undisturbed", FOLDER / "end"
in_a_fork(None, UNDISTURBED)
found = {"kills": 0, "searches": 0, "lost": 0, "repeated": 0, "engines": []}
while found["kills"] < KILLS:
    memory = FOLDER / f"memory {found['searches']}"
    before, trained, ended, kills = 0, 0, False, 0
    while not ended:
        # Undisturbed after some kills, of which few tasks were left to do.
        kill = found["kills"] < KILLS and kills < 6
        told, ended = in_a_fork(memory, END, random.randrange(3) if kill else None)
        if told:
            # The first tell is of what was remembered, unless there was nothing.
            remembered = told[0] if before else 0
            found["lost"] += max(0, before - remembered)
            trained += told[-1] - remembered
            before = told[-1]
        found["kills"] += not ended
        kills += not ended
    found["repeated"] += max(0, trained - len(TASKS))
    found["searches"] += 1
    ours, theirs = (pickle.loads(path.read_bytes()) for path in (END, UNDISTURBED))
    assert_equal(ours, theirs)
    found["engines"] = [outcome.engine for outcome in ours]
print(json.dumps(found))
