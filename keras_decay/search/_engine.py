"""One group's tasks trained chunk by chunk: by the program or, failing that, by fit."""

import time
from typing import Any, NamedTuple

from keras_decay import _validation
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
        self._strict = strict
        self._reason, self._width = group.reason, width
        self._given_up = 0  # compilations of programs that were too wide
        self._runner: Any = None
        if self._reason is not None:
            self._fall_back(self._reason)
            self.chunks = [[task] for task in tasks]
            return
        self._runner = _vectorized.Runner(job, group, tasks, width)
        self.chunks = self._runner.chunks

    @property
    def state(self):
        compilations = 0
        if self._reason is None:
            compilations = self._given_up + self._runner.program.compilations
        return State(self._reason, compilations, self._width)

    def train(self, tasks):
        """Train tasks of one chunk, and yield a `Part` whenever some are done."""
        rest = list(tasks)
        while rest:
            now = rest[: self._width]
            start = time.perf_counter()
            if self._reason is None:
                outcomes = self._by_the_program(now)
                if outcomes is None:
                    continue  # narrower, or by fit
            else:
                outcomes = [_sequential.train(self._job, task) for task in now]
            rest = rest[len(now) :]
            yield Part(now, outcomes, time.perf_counter() - start)

    def _by_the_program(self, tasks):
        """Their outcomes, or None if another way is to be tried."""
        try:
            return self._runner.train(tasks)
        except Exception as error:
            # What is wrong with the data or with `build` is raised by `fit` again.
            reason = reason_of(error)
            narrower = _is_out_of_memory(error) and self._width > 1
            if not narrower:
                self._fall_back(reason, error)
        # Only now that the error's frames, and what they hold, are gone.
        self._given_up += self._runner.program.compilations
        self._runner = None
        if narrower:
            self._width //= 2
            self._runner = _vectorized.Runner(
                self._job, self._group, self._tasks, self._width
            )
        return None

    def _fall_back(self, reason, error=None):
        if self._strict:
            raise not_vectorizable(self._job, self._group, reason) from error
        self._reason, self._width = reason, 1


def not_vectorizable(job, group, reason):
    """The error for `engine="vectorized"` where that is not possible."""
    must = "'auto' or 'sequential' for these models"
    text = _validation.received("engine", "vectorized", must)
    first = job.candidates[group.candidates[0]]
    return ValueError(f"{text}. For {first!r}: {reason}.")


def _is_out_of_memory(error):
    names = {cls.__name__ for cls in type(error).__mro__}
    if names & {"MemoryError", "ResourceExhaustedError", "OutOfMemoryError"}:
        return True
    return "RESOURCE_EXHAUSTED" in str(error)
