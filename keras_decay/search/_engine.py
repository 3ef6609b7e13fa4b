"""One group's tasks trained chunk by chunk: by the program or, failing that, by fit."""

import time
from typing import Any, NamedTuple

from keras_decay.ground import validation
from keras_decay.search import _sequential, _vectorized
from keras_decay.search._groups import reason_of
from keras_decay.search._work import Outcome, Task

ASKED = "the sequential engine was asked for"


class Part(NamedTuple):
    """Tasks that were trained together, and what came of them."""

    tasks: list[Task]
    outcomes: list[Outcome]
    seconds: float


class State(NamedTuple):
    """What an engine's report says of it, so far."""

    reason: str | None
    compilations: int
    width: int


class Engine:
    """Trains the tasks of one group.

    Args:
        job: The `Job`.
        group: The `Group`.
        tasks: All tasks of the group, also those that are done: chunks are cut in the
            same way whether a search was interrupted or not.
        width: The number of tasks that the program trains at once.
        strict: Whether to raise an error where the program cannot train the group.

    Attributes:
        chunks: Lists of tasks, to be given to `train`.
    """

    def __init__(self, job, group, tasks, width, strict=False):
        self._job, self._group, self._tasks = job, group, tasks
        self._strict, self._width = strict, width
        self._reason = None
        self._given_up = 0  # compilations of programs that were too wide
        self._runner: Any = None
        if group.reason is None:
            self._make_runner()
        else:
            self._fall_back(group.reason)

    @property
    def state(self):
        compilations = self._given_up
        if self._runner is not None:
            compilations += self._runner.program.compilations
        return State(self._reason, compilations, self._width)

    def train(self, tasks):
        """Train tasks of one chunk, and yield a `Part` whenever some are done."""
        left = set(tasks)
        while left:
            # The chunks may be smaller by now than when this one was cut.
            now = next(filter(None, ([t for t in c if t in left] for c in self.chunks)))
            start = time.perf_counter()
            if self._runner is None:
                outcomes = [_sequential.train(self._job, task) for task in now]
            else:
                outcomes = self._by_the_program(now)
            if outcomes is not None:
                left.difference_update(now)
                yield Part(now, outcomes, time.perf_counter() - start)

    def _by_the_program(self, tasks):
        """Their outcomes, or None if they are to be trained narrower, or by `fit`."""
        try:
            return self._runner.train(tasks)
        except Exception as error:
            # What is wrong with the data or with `build` is raised by `fit` again.
            reason = reason_of(error)
            narrower = _is_out_of_memory(error) and self._width > 1
            if not narrower:
                self._fall_back(reason, error)
        # Only now that the error's frames, and what they hold, are gone.
        if narrower:
            self._give_up()
            self._width //= 2
            self._make_runner()
        return None

    def _make_runner(self):
        self._runner = _vectorized.Runner(
            self._job, self._group, self._tasks, self._width
        )
        self.chunks = self._runner.chunks

    def _give_up(self):
        if self._runner is not None:
            self._given_up += self._runner.program.compilations
            self._runner = None

    def _fall_back(self, reason, error=None):
        if self._strict:
            raise not_vectorizable(self._job, self._group, reason) from error
        self._give_up()
        self._reason, self._width = reason, 1
        self.chunks = [[task] for task in self._tasks]


def not_vectorizable(job, group, reason):
    """The error for `engine="vectorized"` where that is not possible."""
    must = "'auto' or 'sequential' for these models"
    text = validation.received("engine", "vectorized", must)
    first = job.candidates[group.candidates[0]]
    return ValueError(f"{text}. For {first!r}: {reason}.")


def _is_out_of_memory(error):
    names = {cls.__name__ for cls in type(error).__mro__}
    if names & {"MemoryError", "ResourceExhaustedError", "OutOfMemoryError"}:
        return True
    return "RESOURCE_EXHAUSTED" in str(error)
