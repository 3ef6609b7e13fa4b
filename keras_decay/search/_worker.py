"""What runs in a worker's process: chunks, by engines that it keeps.

What all chunks have in common is sent as one array of bytes, which joblib and Dask send
to a worker once. It unpacks it once, and compiles a group once.
"""

import os
import pickle
import threading
import time
import uuid
from typing import NamedTuple

import numpy as np

from keras_decay.search._conditions import Conditions, conditions, under
from keras_decay.search._engine import Engine, Part, State
from keras_decay.search._groups import Group, groups_of
from keras_decay.search._work import Job, Task

# Of one process, and of those that are forked from it.
_FAMILY = uuid.uuid4().hex
# Engines that are kept: groups come one after the other.
KEPT = 2


class Plan(NamedTuple):
    """A group as it is sent: the worker builds its models itself."""

    candidates: list[int]
    reason: str | None
    tasks: list[Task]
    width: int


class Package(NamedTuple):
    """What all chunks of a search have in common."""

    job: Job
    plans: dict[int, Plan]
    seed: int
    strict: bool
    conditions: Conditions


class Caller(NamedTuple):
    """Where a chunk was sent from."""

    family: str
    process: int
    thread: int


class Answer(NamedTuple):
    """What a worker sends back."""

    group: int
    parts: list[Part]
    state: State
    process: str


# Keras' global state is that of a process: one chunk at a time.
_lock = threading.Lock()
_packages: dict[str, Package] = {}  # of the latest search, by its key
_engines: dict[int, Engine] = {}  # its groups'
_watched: set[int] = set()  # parents
PERIOD = 1.0  # in seconds


def packed(job, plans, seed, strict):
    """A `Package` as an array of bytes, and its key."""
    import joblib

    package = Package(job, plans, seed, strict, conditions())
    # As joblib does it for functions: `build` may be a closure or of a notebook.
    content = pickle.dumps(joblib.wrap_non_picklable_objects(package, False))
    return np.frombuffer(content, "uint8"), uuid.uuid4().hex


def here():
    """The `Caller` that this thread is."""
    return Caller(_FAMILY, os.getpid(), threading.get_ident())


def train(package, key, caller, number, tasks):
    """Train a chunk of group `number`, and return an `Answer`."""
    _refuse_threads_and_forks(caller)
    with _lock:
        _end_with(caller.process)
        if key not in _packages:
            _packages.clear()
            _engines.clear()
            _packages[key] = pickle.loads(memoryview(package))
        with under(_packages[key].conditions):
            engine = _engine(_packages[key], number)
            parts = list(engine.train(tasks))
    return Answer(number, parts, engine.state, f"{_FAMILY} {os.getpid()}")


def _engine(package, number):
    """The engine of a group, made at its first chunk."""
    if number in _engines:
        return _engines[number]
    job, plan = package.job, package.plans[number]
    group = Group(plan.candidates, reason=plan.reason)
    if plan.reason is None:
        groups = groups_of(job, plan.candidates, package.seed)
        if len(groups) != 1 or groups[0].reason is not None:
            raise RuntimeError(
                "`build` must make equal models in every process. Received: a build "
                f"whose models of {job.candidates[plan.candidates[0]]!r} and the like "
                "are of one kind in one process and not in another"
            )
        group = groups[0]
    while len(_engines) >= KEPT:
        del _engines[next(iter(_engines))]
    _engines[number] = Engine(job, group, plan.tasks, plan.width, package.strict)
    return _engines[number]


def _end_with(parent):
    """End this process with the one that searches, if that has started it.

    joblib's processes else stay for ever, with all their memory, if it is killed.
    """
    if os.getppid() == parent and parent not in _watched:
        _watched.add(parent)
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent):
    while os.getppid() == parent:
        time.sleep(PERIOD)
    os._exit(1)


def _refuse_threads_and_forks(caller):
    now = here()
    if now == caller or now.family != caller.family:
        return
    kind = "threads" if now.process == caller.process else "forks"
    why = {
        "threads": "in threads of this process, and Keras' global state is not made for"
        " several threads",
        "forks": "in forks of this process, in which Keras' backends hang",
    }[kind]
    raise ValueError(
        "`n_jobs` must be with a joblib backend of processes that are started anew, "
        f"such as 'loky', 'dask' or 'ray'. Received: one that runs chunks {why}"
    )
