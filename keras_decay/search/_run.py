"""Tasks are given to the engines, here or in workers, and their outcomes collected."""

import contextlib
import warnings

from keras_decay.search._building import build_model, first_rows
from keras_decay.search._engine import ASKED, Engine, State, not_vectorizable
from keras_decay.search._fingerprint import Keys
from keras_decay.search._groups import Group, groups_of
from keras_decay.search._inspection import Inspection
from keras_decay.search._memory import Memory
from keras_decay.search._parallel import has_workers, trained
from keras_decay.search._width import width_of
from keras_decay.search._work import Report, Task
from keras_decay.search._worker import Plan

SHOWN = 3  # candidates that the warning names


def run(
    job,
    tasks,
    *,
    engine="auto",
    max_parallel="auto",
    n_jobs=None,
    memory=None,
    progress=None,
):
    """Train all tasks.

    Ctrl-C ends the search: what is done by then is returned.

    Args:
        job: The `Job`.
        tasks: A list of `Task`s.
        engine: "auto"; "sequential" for a loop over `fit`; or "vectorized" for an
            error where a loop over `fit` would be needed.
        max_parallel: The largest number of tasks that one program trains at once, or
            "auto" for as many as are fastest.
        n_jobs: The number of workers, as joblib takes it: 1 for this process alone, and
            None too, but for what `joblib.parallel_config` says. Its backend has the
            workers. The chunks, and the outcomes, are the same.
        memory: None, or the path of a folder where outcomes are kept as they finish,
            and found when the same tasks are to be trained again.
        progress: None, or a function of (tasks done, tasks in all), called whenever
            some are done.

    Returns:
        A list with an `Outcome` for each task, None for those that Ctrl-C prevented,
        and a `Report`.

    Raises:
        TypeError, ValueError: If `memory` is no folder of searches, before anything is
            built; for "vectorized", if that is not possible; if joblib's backend is
            one of threads.
        OSError: If `memory` cannot be written to, before anything is built.
    """
    kept = None if memory is None else Memory(memory)
    search = _Search(job, tasks, engine, kept, progress)
    try:
        search.find_groups()
        if has_workers(n_jobs):
            search.train_in_workers(max_parallel, n_jobs)
        else:
            search.train(max_parallel)
    except KeyboardInterrupt:
        search.report.interrupted = True
    return [search.outcomes[task] for task in tasks], search.report


class _Search:
    """The state of a search: outcomes so far, and the report."""

    def __init__(self, job, tasks, engine, memory, progress):
        self.outcomes = dict.fromkeys(tasks)
        self.report = Report()
        self._job, self._engine, self._progress = job, engine, progress
        self._kept = None if memory is None else (memory, Keys(job, engine))
        self._by_candidate: dict[int, list[Task]] = {}
        for task in self.outcomes:
            self._by_candidate.setdefault(task.candidate, []).append(task)
        self._seed = tasks[0].seed if tasks else 0
        self._groups: list[Group] = []
        self._done = 0
        self._has_warned = False

    def find_groups(self):
        """Sort candidates into groups, and take from the memory what it has."""
        seen = []
        first = None
        if self._kept is not None:
            memory, keys = self._kept
            seen.append(keys.see)
            if len(self.outcomes) > 1:  # one training is no search
                memory.enter(keys.about)
        inspection = None
        candidates = list(self._by_candidate)
        if len(self.outcomes) > 1:
            inspection = Inspection(self._job, self._seed)
            seen.append(inspection.see)
            # A second model of one candidate; it lives until all others are made.
            first = inspection.build(candidates[0])

        def see(candidate, model):
            for each in seen:
                each(candidate, model)

        if self._engine == "sequential":
            self._groups = [Group([c], reason=ASKED) for c in candidates]
            self._build(candidates, see, inspection)
        else:
            self._groups = groups_of(self._job, candidates, self._seed, see)
        del first
        if inspection is not None:
            inspection.check()
        for group in self._groups:
            if group.reason is not None and self._engine == "vectorized":
                raise not_vectorizable(self._job, group, group.reason)
            entry = {"candidates": group.candidates, "engine": None, "seconds": 0.0}
            self.report.groups.append(entry)
            _describe(entry, State(group.reason, 0, 1))
        if self._kept is not None:
            self._remember(*self._kept)
        self._warn()

    def _build(self, candidates, see, inspection):
        """Build models to be looked at, where no groups are made of them."""
        x = first_rows(self._job.data.x, 1)
        for candidate in candidates:
            is_done = inspection is None or inspection.is_done
            if is_done and self._kept is None:
                break
            params = self._job.candidates[candidate]
            see(candidate, build_model(self._job.build, params, self._seed, x))

    def _remember(self, memory, keys):
        for number, group in enumerate(self._groups):
            for task in self._tasks_of(group):
                outcome = memory.get(keys.of(task))
                if outcome is not None:
                    outcome.group = number
                    self.outcomes[task] = outcome
                    self.report.remembered += 1
                    self.report.groups[number]["engine"] = outcome.engine
        self._advance(self.report.remembered)

    def train(self, max_parallel):
        """Train what is left in this process, group by group."""
        for number, engine, chunks in self._work(max_parallel):
            for chunk in chunks:
                for part in engine.train(chunk):
                    self._finish(number, [part], engine.state)

    def train_in_workers(self, max_parallel, n_jobs):
        """Train what is left in workers."""
        plans, work = {}, []
        for number, engine, chunks in self._work(max_parallel):
            group, state = self._groups[number], engine.state
            tasks = self._tasks_of(group)
            plans[number] = Plan(group.candidates, state.reason, tasks, state.width)
            work += [(number, chunk) for chunk in chunks]
        if not work:
            return
        self._groups = [Group(g.candidates) for g in self._groups]  # without models
        strict = self._engine == "vectorized"
        compilations: dict[int, dict[str, int]] = {}
        with contextlib.closing(
            trained(self._job, plans, work, self._seed, strict, n_jobs)
        ) as answers:
            for answer in answers:
                counts = compilations.setdefault(answer.group, {})
                counts[answer.process] = answer.state.compilations
                state = answer.state._replace(compilations=max(counts.values()))
                self._finish(answer.group, answer.parts, state)

    def _work(self, max_parallel):
        """For each group that is not done its number, `Engine`, and chunks left."""
        strict = self._engine == "vectorized"
        for number, group in enumerate(self._groups):
            own = self._tasks_of(group)
            left = {task for task in own if self.outcomes[task] is None}
            if not left:
                continue
            width = width_of(max_parallel, self._job, group, own)
            engine = Engine(self._job, group, own, width, strict)
            chunks = [[t for t in chunk if t in left] for chunk in engine.chunks]
            yield number, engine, [chunk for chunk in chunks if chunk]

    def _tasks_of(self, group):
        return [task for c in group.candidates for task in self._by_candidate[c]]

    def _finish(self, number, parts, state):
        """Take note of what was trained for a group."""
        entry = self.report.groups[number]
        for part in parts:
            for task, outcome in zip(part.tasks, part.outcomes, strict=True):
                outcome.group = number
                self.outcomes[task] = outcome
                if self._kept is not None:
                    memory, keys = self._kept
                    memory.put(keys.of(task), outcome)
            entry["seconds"] += part.seconds
            self._advance(len(part.tasks))
        _describe(entry, state)
        self._warn()

    def _advance(self, count):
        self._done += count
        if count and self._progress is not None:
            self._progress(self._done, len(self.outcomes))

    def _warn(self):
        """Say, once in a search, which candidates are trained by `fit`, and why."""
        slow = [e for e in self.report.groups if e["reason"] not in (None, ASKED)]
        if not slow or self._has_warned:
            return
        self._has_warned = True
        by_reason: dict[str, list[int]] = {}
        for entry in slow:
            by_reason.setdefault(entry["reason"], []).extend(entry["candidates"])
        texts = []
        for reason, candidates in by_reason.items():
            shown = [str(self._job.candidates[c]) for c in candidates[:SHOWN]]
            more = len(candidates) - len(shown)
            named = ", ".join(shown) + f" and {more} more" * (more > 0)
            texts.append(f"{named}: {reason}")
        text = "Trained one after another by `fit`, and not at once: "
        warnings.warn(text + "; ".join(texts) + ".", stacklevel=2)


def _describe(entry, state):
    entry["engine"] = "vectorized" if state.reason is None else "sequential"
    entry |= state._asdict()
