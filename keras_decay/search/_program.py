"""The compiled program that trains a chunk of one group's tasks for a block of epochs.

The tasks of a chunk have the same numbers of rows. Their states are stacked along a
first axis, and a step acts on all of them at once. Full batches run in a compiled loop;
the smaller last batch, which has another shape where there are other numbers of rows,
is chosen among those that occur. So one program serves all folds.
"""

from typing import Any, NamedTuple

import keras
from keras import ops

from keras_decay.ground import schema
from keras_decay.ground.backend import programs
from keras_decay.search._histories import BY_WEIGHT
from keras_decay.search._step import State
from keras_decay.search._watch import Watch, watched

LOSSES = (schema.LOSS, *schema.PARTS)


class Batches(NamedTuple):
    """How rows are cut into batches.

    `full` batches of the usual size, and then a smaller one: the one of number `rest`
    in the program's list of sizes, where 0 stands for none.
    """

    rows: Any
    full: Any
    rest: Any


class Chunk(NamedTuple):
    """What changes while tasks are trained, stacked."""

    state: State
    watch: Watch
    predictions: Any


class Program:
    """The program of one group.

    Args:
        step: The group's `Step`.
        settings: The job's `Settings`.
        rests: The sizes of a smaller last batch that occur in training.
        valid_rests: The same in validation, or None if there is no validation.
        by_weight: Whether to average the data loss of validation by the batches'
            weights too.

    Attributes:
        compilations: How many programs were compiled.
    """

    def __init__(self, step, settings, rests, valid_rests, by_weight=False):
        self._step, self._settings = step, settings
        self._rests, self._valid_rests = rests, valid_rests
        self.names = [*LOSSES, *step.metric_names]
        if valid_rests is not None:
            self.names += [schema.VALIDATION + name for name in self.names]
        self._by_weight = by_weight
        if by_weight:
            self.names.append(BY_WEIGHT)
        self.compilations = 0
        self.run = programs.current().compiled(self._run)

    def _run(self, chunk, numbers, data, orders, tables, cuts, first, count):
        """Train a chunk for some epochs.

        Args:
            chunk: The `Chunk` before.
            numbers: The slots' numbers, (tasks, slots).
            data: The pool (x, y, weight, valid_weight); a weight may be None.
            orders: Rows of the pool to train on, (orders, epochs, rows).
            tables: The number of each task's order, (tasks,), and the rows of the pool
                to validate on, (tasks, rows).
            cuts: The `Batches` of training and those of validation.
            first: The number of the first epoch.
            count: The number of epochs, at most as many as there are orders for.

        Returns:
            The `Chunk` after, and the history, (tasks, epochs, names).
        """
        # This runs while it is compiled, if it is.
        self.compilations += programs.current().COMPILES
        which, valid = tables
        shape = (which.shape[0], orders.shape[1], len(self.names))
        history = ops.full(shape, float("nan"), keras.config.floatx())

        def epoch(i, carry):
            chunk, history = carry
            rows = ops.take(ops.take(orders, i, axis=1), which, axis=0)
            new, values = self._epoch(chunk, numbers, data, rows, valid, cuts)
            new, stopped = watched(
                self._settings.stopping, self.names, chunk, new, values, first + i
            )
            values = ops.where(stopped[:, None], float("nan"), values)
            return new, programs.current().set_within(history, i, values)

        return programs.current().repeat(count, epoch, (chunk, history))

    def _epoch(self, chunk, numbers, data, rows, valid, cuts):
        x, y, weight, valid_weight = data
        cut, valid_cut = cuts
        none = ops.zeros((rows.shape[0], len(LOSSES)), keras.config.floatx())
        step = _at_once(self._step.train)

        def train(rows, start, carry):
            del start
            state, sums = carry
            batch = _taken((x, y, weight), rows)
            state, losses = step(state, numbers, *batch)
            return state, sums + losses * rows.shape[1]

        carry = (self._fresh(chunk.state), none)
        state, sums = self._batches(train, rows, cut, self._rests, carry)
        values = [sums / ops.cast(cut.rows, sums.dtype), *self._metrics(state)]
        predictions = chunk.predictions
        if self._valid_rests is not None:
            check = _at_once(self._step.validate)

            def validate(rows, start, carry):
                metrics, sums, weighted, predictions = carry
                batch = _taken((x, y, valid_weight), rows)
                now = state._replace(metrics=metrics)
                metrics, losses, predicted = check(now, numbers, *batch)
                if self._settings.predict:
                    predictions = _written(predictions, predicted, start)
                if self._by_weight:
                    share = ops.cast(ops.sum(batch[2], axis=1), losses.dtype)
                    weighted = weighted + ops.stack([share * losses[:, 1], share], 1)
                sums = sums + losses * rows.shape[1]
                return metrics, sums, weighted, predictions

            weighted = none[:, :2] if self._by_weight else []
            begin = (self._fresh(state).metrics, none, weighted, predictions)
            metrics, sums, weighted, predictions = self._batches(
                validate, valid, valid_cut, self._valid_rests, begin
            )
            values.append(sums / ops.cast(valid_cut.rows, sums.dtype))
            values += self._metrics(state._replace(metrics=metrics))
            if self._by_weight:
                values.append(weighted[:, :1] / weighted[:, 1:])
        return Chunk(state, chunk.watch, predictions), ops.concatenate(values, axis=1)

    def _batches(self, act, rows, cut, rests, carry):
        """`carry = act(rows of a batch, its first row, carry)` for every batch."""
        size = self._settings.batch_size

        def batch(start, length):
            # No slice: XLA on TensorFlow compiles one program for each of its places.
            return ops.take(rows, start + ops.arange(length, dtype="int32"), axis=1)

        def full(i, carry):
            return act(batch(i * size, size), i * size, carry)

        def smaller(length):
            start = cut.full * size
            return lambda carry: act(batch(start, length), start, carry)

        program = programs.current()
        if rows.shape[1] >= size:
            carry = program.repeat(cut.full, full, carry)
        if rests:
            branches = [smaller(length) for length in rests]
            carry = program.choose(cut.rest, branches, carry)
        return carry

    def _fresh(self, state):
        """The state with metrics as at the beginning of an epoch."""
        metrics = [
            ops.broadcast_to(ops.cast(fresh, now.dtype), now.shape)
            for fresh, now in zip(self._step.fresh_metrics, state.metrics, strict=True)
        ]
        return state._replace(metrics=metrics)

    def _metrics(self, state):
        if not self._step.metric_names:
            return []
        return [programs.current().vectorized(self._step.metrics)(state)]


def _at_once(step):
    """A step of one task made one of stacked tasks; the weight may be None."""

    def stacked(state, numbers, x, y, weight):
        if weight is None:
            act = programs.current().vectorized(lambda *given: step(*given, None))
            return act(state, numbers, x, y)
        return programs.current().vectorized(step)(state, numbers, x, y, weight)

    return stacked


def _taken(trees, rows):
    """The rows of arrays, (tasks, rows, …); of None, None."""
    return [
        None
        if tree is None
        else keras.tree.map_structure(lambda array: ops.take(array, rows, axis=0), tree)
        for tree in trees
    ]


def _written(predictions, predicted, start):
    """The predictions with those of a batch at their place."""

    def write(stack, new):
        place = _place(0, start, *(0 for _ in stack.shape[2:]))
        return ops.slice_update(stack, place, ops.cast(new, stack.dtype))

    return keras.tree.map_structure(write, predictions, predicted)


def _place(*indices):
    """Indices of one integer type, which JAX insists on."""
    return tuple(ops.cast(index, "int32") for index in indices)
