"""The tasks of one group trained at once, chunk by chunk."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_decay.ground.backend import programs
from keras_decay.search._groups import start_of
from keras_decay.search._program import Batches, Chunk, Program
from keras_decay.search._step import State
from keras_decay.search._watch import Watch
from keras_decay.search._weighting import divides_by_weight
from keras_decay.search._work import Outcome, Task, epoch_order

# Epochs that the program trains at a call: between calls a search can be interrupted.
BLOCK = 32
# Numbers in the table of orders that is made for a call.
TABLE = 2**24


class Rows(NamedTuple):
    """The numbers of rows of a task, which those of one chunk have in common."""

    train: int
    valid: int


@dataclass
class Lane:
    """The tasks of a chunk that one call of the program trains, and what it needs.

    One program does not keep all cores of a processor busy; so a chunk is split into
    as many lanes as there are cores, each in a thread of its own.
    """

    tasks: list[Task]
    chunk: Chunk
    numbers: Any
    keys: list[Any]
    tables: Any
    cuts: Any
    values: list[np.ndarray] = field(default_factory=list)


class Runner:
    """Trains chunks of the tasks of one group, by one program.

    Args:
        job: The `Job`.
        group: The `Group`.
        tasks: All tasks of the group.
        width: The number of tasks in a chunk.

    Attributes:
        chunks: Lists of tasks, each to be given to `train` whole or in part.
        program: The `Program`.
    """

    def __init__(self, job, group, tasks, width):
        self._job, self._group = job, group
        self._lane = -(-width // min(width, programs.current().concurrency()))
        sizes = {_rows(job, task) for task in tasks}
        size = job.settings.batch_size
        self._rests = _rests({rows.train for rows in sizes}, size)
        validates = any(rows.valid for rows in sizes)
        self._valid_rests = (
            _rests({rows.valid for rows in sizes}, size) if validates else None
        )
        self._padded = Rows(
            max(rows.train for rows in sizes), max(rows.valid for rows in sizes)
        )
        self.chunks = _chunks(job, tasks, width)
        parts = [part for chunk in self.chunks for part in self._parts(chunk)]
        self._orders = max(len(_order_keys(part)) for part in parts)
        table = max(1, TABLE // (self._orders * self._padded.train))
        self._block = min(job.settings.epochs, BLOCK, table)
        by_weight = validates and job.data.valid_weight is not None
        self.program = Program(
            *(group.step, job.settings, self._rests, self._valid_rests),
            by_weight=by_weight and divides_by_weight(group.model),
        )
        self._data = None

    def train(self, tasks):
        """Train a chunk, and return the `Outcome` of each of its tasks."""
        began = time.perf_counter()
        if self._data is None:
            self._data = _on_device(self._job.data)
        lanes = [self._lane_of(part) for part in self._parts(tasks)]
        if not self.program.compilations:
            # While it is compiled, the one model that stands for all is in use.
            self._train_lane(lanes[0])
        left = [lane for lane in lanes if not lane.values]
        if len(left) == 1:  # in this thread: the user may have chosen a device for it
            self._train_lane(left[0])
        elif left:
            with ThreadPoolExecutor(len(left)) as pool:
                list(pool.map(self._train_lane, left))
        seconds = (time.perf_counter() - began) / len(tasks)
        return [each for lane in lanes for each in self._outcomes(lane, seconds)]

    def _parts(self, tasks):
        return [tasks[i : i + self._lane] for i in range(0, len(tasks), self._lane)]

    def _lane_of(self, tasks):
        padded = [*tasks, *[tasks[-1]] * (self._lane - len(tasks))]
        numbers = [self._group.members[task.candidate].numbers for task in padded]
        keys = _order_keys(padded)
        which = [keys.index((task.split, task.seed)) for task in padded]
        return Lane(
            tasks,
            self._start(padded),
            ops.convert_to_tensor(np.stack(numbers)),
            keys,
            (_integers(which), _integers(self._valid(padded))),
            self._cuts(_rows(self._job, tasks[0])),
        )

    def _train_lane(self, lane):
        """Train the lane's tasks to the end, block by block."""
        epochs, count = self._job.settings.epochs, len(lane.tasks)
        for first in range(0, epochs, self._block):
            block = min(self._block, epochs - first)
            orders = _integers(self._orders_of(lane.keys, first, block))
            lane.chunk, values = self.program.run(
                lane.chunk,
                lane.numbers,
                self._data,
                orders,
                lane.tables,
                lane.cuts,
                _integers(first),
                _integers(block),
            )
            lane.values.append(ops.convert_to_numpy(values)[:count, :block])
            if np.all(ops.convert_to_numpy(lane.chunk.watch.stopped)[:count]):
                break

    def _start(self, tasks):
        variables = self._group.step.variables
        starts = [
            start_of(self._job, self._group, task.candidate, task.seed)
            for task in tasks
        ]
        stacked = [
            ops.convert_to_tensor(np.stack(each)) for each in zip(*starts, strict=True)
        ]
        cut = [len(group) for group in variables[:3]]
        trainable, stacked = stacked[: cut[0]], stacked[cut[0] :]
        others, optimizer = stacked[: cut[1]], stacked[cut[1] :]
        metrics = [
            ops.convert_to_tensor(np.stack([fresh] * len(tasks)))
            for fresh in self._group.step.fresh_metrics
        ]
        state = State(trainable, others, optimizer, metrics)
        predictions = []
        if self._job.settings.predict and self._padded.valid:
            rows = (len(tasks), self._padded.valid)
            predictions = keras.tree.map_structure(
                lambda p: ops.zeros((*rows, *p.shape[1:]), p.dtype),
                self._group.step.predicted,
            )
        return Chunk(state, self._watch(state, predictions), predictions)

    def _watch(self, state, predictions):
        tasks = self._lane
        rule = self._job.settings.stopping
        restores = rule is not None and rule.restore_best_weights
        return Watch(
            best=ops.full((tasks,), float("inf"), keras.config.floatx()),
            wait=ops.zeros((tasks,), "int32"),
            best_epoch=ops.full((tasks,), -1, "int32"),
            epochs=ops.zeros((tasks,), "int32"),
            stopped=ops.zeros((tasks,), "bool"),
            weights=[*state.trainable, *state.others] if restores else [],
            predictions=predictions if restores else [],
        )

    def _valid(self, tasks):
        table = np.zeros((len(tasks), self._padded.valid), "int32")
        for row, task in zip(table, tasks, strict=True):
            valid = self._job.splits[task.split].valid
            row[: len(valid)] = valid
        return table

    def _orders_of(self, keys, first, block):
        settings = self._job.settings
        table = np.zeros((self._orders, self._block, self._padded.train), "int32")
        for part, (split, seed) in zip(table[: len(keys)], keys, strict=True):
            rows = self._job.splits[split].train
            for i in range(block):
                order = rows
                if settings.shuffle:
                    order = rows[epoch_order(seed, first + i, len(rows))]
                part[i, : len(rows)] = order
        return table

    def _cuts(self, rows):
        size = self._job.settings.batch_size

        def cut(count, rests):
            rest = count % size
            number = 1 + rests.index(rest) if rest else 0
            return Batches(*(_integers(n) for n in (count, count // size, number)))

        return cut(rows.train, self._rests), cut(rows.valid, self._valid_rests or [])

    def _outcomes(self, lane, seconds):
        tasks, chunk = lane.tasks, lane.chunk
        history = np.concatenate(lane.values, axis=1).astype("float64")
        watch = chunk.watch
        epochs = ops.convert_to_numpy(watch.epochs)
        best = ops.convert_to_numpy(watch.best_epoch)
        rule = self._job.settings.stopping
        restores = rule is not None and rule.restore_best_weights
        weights, predictions = None, None
        if self._job.settings.keep_weights:
            final = [*chunk.state.trainable, *chunk.state.others]
            # Before the first epoch that counts there is nothing to restore.
            weights = [ops.convert_to_numpy(w) for w in final]
            if restores:
                kept = [ops.convert_to_numpy(w) for w in watch.weights]
        if self._job.settings.predict and self._padded.valid:
            predictions = _numpy(chunk.predictions)
            if restores:
                kept_predictions = _numpy(watch.predictions)
        outcomes = []
        for i, task in enumerate(tasks):
            restored = restores and best[i] >= 0
            outcome = Outcome(
                history={
                    name: history[i, : epochs[i], column]
                    for column, name in enumerate(self.program.names)
                },
                best_epoch=int(best[i]) if restored else None,
                engine="vectorized",
                seconds=seconds,
            )
            if weights is not None:
                values = kept if restored else weights
                outcome.weights = self._group.step.in_order([w[i] for w in values])
            if predictions is not None:
                count = len(self._job.splits[task.split].valid)
                outcome.predictions = keras.tree.map_structure(
                    lambda p, i=i, count=count: p[i, :count],
                    kept_predictions if restored else predictions,
                )
            outcomes.append(outcome)
        return outcomes


def _rows(job, task):
    split = job.splits[task.split]
    return Rows(len(split.train), len(split.valid))


def _rests(counts, size):
    return sorted({count % size for count in counts} - {0})


def _chunks(job, tasks, width):
    """Tasks of equal numbers of rows together, and of the same order side by side."""
    ordered = sorted(tasks, key=lambda t: (_rows(job, t), t.split, t.seed, t.candidate))
    chunks: list[list[Task]] = []
    rows = None
    for task in ordered:
        if rows != _rows(job, task) or len(chunks[-1]) == width:
            chunks.append([])
            rows = _rows(job, task)
        chunks[-1].append(task)
    return chunks


def _order_keys(tasks):
    return list(dict.fromkeys((task.split, task.seed) for task in tasks))


def _integers(values):
    return ops.convert_to_tensor(np.asarray(values, "int32"))


def _numpy(tree):
    return keras.tree.map_structure(ops.convert_to_numpy, tree)


def _on_device(data):
    def convert(array):
        array = np.asarray(array)
        if array.dtype.kind == "f":  # as `fit` does
            array = array.astype(keras.config.floatx())
        return ops.convert_to_tensor(array)

    return [
        None if tree is None else keras.tree.map_structure(convert, tree)
        for tree in (data.x, data.y, data.weight, data.valid_weight)
    ]
