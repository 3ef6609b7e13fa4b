"""Models made ready for the compiled program, and those that it cannot train."""

import keras

from keras_decay.ground.backend import programs
from keras_decay.models import layers_of, optimizers_within
from keras_decay.optimizers import DecoupledWeightDecay
from keras_decay.search._slots import with_our_penalties

# Methods of a model that the program has in its own place.
_REPLACED = ("train_step", "test_step", "fit", "evaluate", "make_train_function")


def obstacle(model):
    """Why the compiled program cannot train this model as `fit` does; None if it can.

    Args:
        model: A compiled and built model.
    """
    for name in _REPLACED:
        if getattr(type(model), name) is not getattr(keras.Model, name):
            return f"the model has a {name} of its own"
    if model.run_eagerly:
        return "the model was compiled with run_eagerly=True"
    if any(getattr(layer, "stateful", False) for layer in layers_of(model)):
        return "a stateful layer keeps its state from batch to batch"
    for optimizer in optimizers_within(model.optimizer):
        reason = _obstacle_of(optimizer)
        if reason is not None:
            return reason
    return programs.current().obstacle(model)


def _obstacle_of(optimizer):
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return "the loss is scaled (LossScaleOptimizer)"
    if optimizer.use_ema:
        return "the optimizer averages weights (use_ema)"
    if optimizer.gradient_accumulation_steps and not programs.current().ACCUMULATES:
        return f"gradients are accumulated, on {keras.backend.backend()}"
    rate = optimizer.__dict__.get("_learning_rate")
    known = (keras.Variable, keras.optimizers.schedules.LearningRateSchedule)
    if callable(rate) and not isinstance(rate, known):
        return "the learning rate is a Python function"
    return None


def prepare(model):
    """Make a model ready to be a `Step`'s: its optimizer pure and built.

    The model must be one that nobody else has: it can no longer be trained by `fit`.
    """
    with_our_penalties(model)
    backend = programs.current()
    backend.make_pure(model)
    if isinstance(model.optimizer, DecoupledWeightDecay):
        model.optimizer.jit_compile = False  # it is part of a compiled program
        model.optimizer.optimizer = backend.as_pure(model.optimizer.optimizer)
    model.optimizer = backend.as_pure(model.optimizer)
    model.optimizer.build(model.trainable_variables)
