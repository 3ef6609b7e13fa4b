"""One step of training, and one of validation, as pure functions of one model's state.

They run Keras' own model, loss, metrics and optimizer within a `keras.StatelessScope`,
so that what they compute is what `fit` computes, whatever the layers are.
"""

from typing import Any, NamedTuple

import keras
from keras import ops

from keras_decay.callbacks import splitter
from keras_decay.ground.backend import programs
from keras_decay.search._slots import filled


class NotVectorizable(Exception):
    """The model cannot be trained by the compiled program; the message says why."""


class State(NamedTuple):
    """The values of all variables of a model and its optimizer, and of its metrics."""

    trainable: Any
    others: Any
    optimizer: Any
    metrics: Any


class Step:
    """The steps of a template, a model that stands for all of its group.

    Args:
        model: A model that `_template.prepare` has made ready.
        slots: Its slots.
        batch: Inputs, targets and weights (or None) of a few rows.
    """

    def __init__(self, model, slots, batch):
        self._model, self.slots = model, slots
        self._prepare(batch)
        self._split = splitter(model, model.compute_loss)
        self.variables = State(
            list(model.trainable_variables),
            list(model.non_trainable_variables),
            list(model.optimizer.variables),
            list(model.metrics_variables),
        )
        model.reset_metrics()
        self.fresh_metrics = [ops.convert_to_numpy(v) for v in self.variables.metrics]

    def _prepare(self, batch):
        """Let Keras build loss and metrics, which it does at their first use."""
        x, y, weight = batch
        self.predicted = self._model(x, training=False)
        self._model.compute_loss(x, y, self.predicted, weight)
        results = self._model.compute_metrics(x, y, self.predicted, weight)
        self.metric_names = [
            name
            for name, value in results.items()
            if name != "loss" and ops.ndim(value) == 0
        ]

    def in_order(self, values):
        """Values of the trainable and the other variables as `get_weights` has them."""
        variables = [*self.variables.trainable, *self.variables.others]
        by_id = {id(v): x for v, x in zip(variables, values, strict=True)}
        return [by_id[id(variable)] for variable in self._model.weights]

    def train(self, state, numbers, x, y, weight):
        """The state after a step on a batch, and its (loss, data loss, penalty).

        Args:
            state: A `State` of tensors.
            numbers: The slots' numbers, a tensor of shape (slots,).
            x, y, weight: The batch; weight may be None.
        """
        model, variables = self._model, self.variables

        def loss_of(values):
            inner = state._replace(trainable=values)
            with self._scope(inner) as scope:
                model._clear_losses()
                predicted = model(x, training=True)
                total, parts = self._split(x, y, predicted, weight, training=True)
                model.compute_metrics(x, y, predicted, weight)
                self._check(scope)
            losses = _losses(total, parts)
            others = _values(scope, variables.others, state.others)
            metrics = _values(scope, variables.metrics, state.metrics)
            return total, (losses, others, metrics)

        with filled(self.slots, _unstacked(numbers, len(self.slots))):
            program = programs.current()
            _, (losses, others, metrics), gradients = program.value_and_gradients(
                loss_of, list(state.trainable)
            )
            with self._scope(state) as scope:
                if program.COMPILES:
                    gradients = _at_last(gradients, losses)
                model.optimizer.apply(gradients, variables.trainable)
                self._check(scope)
        return (
            State(
                _values(scope, variables.trainable, state.trainable),
                others,
                _values(scope, variables.optimizer, state.optimizer),
                metrics,
            ),
            losses,
        )

    def validate(self, state, numbers, x, y, weight):
        """The metrics' state after a batch, its losses, and its predictions."""
        model, variables = self._model, self.variables
        filling = filled(self.slots, _unstacked(numbers, len(self.slots)))
        with filling, self._scope(state) as scope:
            model._clear_losses()
            predicted = model(x, training=False)
            total, parts = self._split(x, y, predicted, weight, training=False)
            model.compute_metrics(x, y, predicted, weight)
            self._check(scope)
        metrics = _values(scope, variables.metrics, state.metrics)
        return metrics, _losses(total, parts), predicted

    def metrics(self, state):
        """The metrics' values, of shape (names,)."""
        with self._scope(state):
            results = self._model.get_metrics_result()
        dtype = keras.config.floatx()
        return ops.stack([ops.cast(results[name], dtype) for name in self.metric_names])

    def _scope(self, state):
        mapping: list[Any] = []
        for variables, values in zip(self.variables, state, strict=True):
            mapping += zip(variables, values, strict=True)
        return keras.StatelessScope(state_mapping=mapping, collect_losses=True)

    def _check(self, scope):
        known = {id(v) for group in self.variables for v in group}
        if set(scope.state_mapping) - known:
            raise NotVectorizable(
                "it changes a variable that is no part of the model's state, such as "
                "that of Keras' global random numbers"
            )


def _losses(total, parts):
    if isinstance(parts, str):
        raise NotVectorizable(parts)
    dtype = keras.config.floatx()
    return ops.stack(
        [
            ops.cast(value, dtype)
            for value in (total, parts["data_loss"], parts["penalty"])
        ]
    )


def _values(scope, variables, before):
    values = []
    for variable, old in zip(variables, before, strict=True):
        value = scope.get_current_value(variable)
        values.append(ops.cast(old if value is None else value, old.dtype))
    return values


def _at_last(gradients, losses):
    """The gradients, such that they depend on everything that reads the weights.

    Else XLA, which writes the new weights over the old ones, does not know on a
    processor that all is read by then, and copies all weights at every step.
    """
    seen = [ops.reshape(gradient, (-1,))[0] for gradient in gradients]
    seen = [ops.cast(value, losses.dtype) for value in seen]
    # By sorting, which XLA does once: a maximum is small enough to be fused into the
    # loop of each weight, which then reads all the others again.
    largest = ops.sort(ops.stack([*seen, *_unstacked(losses, losses.shape[0])]))[-1]
    # Zero whatever it is, which the compiler cannot know of a product of floats.
    zero = 0.0 * ops.cast(largest > 0, losses.dtype)
    return [gradient + ops.cast(zero, gradient.dtype) for gradient in gradients]


def _unstacked(numbers, count):
    return [numbers[i] for i in range(count)]
