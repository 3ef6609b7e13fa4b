"""The numbers of a model that may differ between models trained by one program.

A slot is a place where a compiled model holds a plain number that only enters the
mathematics: the strength of a penalty on a variable or on a layer's output, the weight
decay of an optimizer, the rate that a schedule begins with. The numbers that Keras
keeps in variables of the optimizer (the learning rate, our `weight_decay`) need no
slot: they are part of its state.
"""

import contextlib
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_decay.ground import validation
from keras_decay.models import layers_of, optimizers_within
from keras_decay.optimizers import DecoupledWeightDecay
from keras_decay.regularizers import Penalty, Scaled, Sum

# Attributes that hold the strengths of Keras' own regularizers and of our penalties.
_KERAS_REGULARIZERS = {
    keras.regularizers.L1: ("l1",),
    keras.regularizers.L2: ("l2",),
    keras.regularizers.OrthogonalRegularizer: ("factor",),
}
_STRENGTHS = ("strength", "l1", "l2", "group", "factor", "scale")
_SCHEDULES = (
    keras.optimizers.schedules.CosineDecay,
    keras.optimizers.schedules.ExponentialDecay,
    keras.optimizers.schedules.InverseTimeDecay,
    keras.optimizers.schedules.PolynomialDecay,
)


class Slot:
    """One number of a model.

    Args:
        owner: The object that holds it as an attribute.
        name: The attribute's name.
    """

    def __init__(self, owner, name):
        self._owner, self._name = owner, name

    def get(self):
        """What stands there, as it is."""
        return getattr(self._owner, self._name)

    @property
    def number(self):
        """What stands there, as a plain float."""
        return float(ops.convert_to_numpy(self.get()))

    def set(self, value):
        """Put a number or a scalar tensor there."""
        # Not by setattr: a Keras object would keep account of it.
        object.__setattr__(self._owner, self._name, value)


def slots_of(model):
    """The slots of a compiled model, in an order that its structure fixes."""
    slots, seen = [], set()

    def take(owner, names):
        if id(owner) in seen:
            return
        seen.add(id(owner))
        for name in names:
            value = vars(owner).get(name)
            if validation.is_number(value) or _is_constant(value):
                slots.append(Slot(owner, name))

    for regularizer in _regularizers(model):
        for part in _leaves(regularizer):
            take(part, _names(part))
    for each in optimizers_within(model.optimizer):
        take(each, ("weight_decay", "base_learning_rate"))
        schedule = getattr(each, "_learning_rate", None)
        if type(schedule) in _SCHEDULES:
            take(schedule, ("initial_learning_rate",))
    return slots


def _is_constant(value):
    """Whether Keras has made a scalar tensor of a number."""
    if isinstance(value, (str, np.ndarray, keras.Variable)):
        return False
    return ops.is_tensor(value) and tuple(value.shape) == ()


def _names(part):
    if isinstance(part, Penalty):
        # A class of the user's may do with its numbers what it likes.
        ours = type(part).__module__.startswith("keras_decay.")
        return _STRENGTHS if ours else ()
    return _KERAS_REGULARIZERS.get(type(part), ())


def _leaves(regularizer):
    if isinstance(regularizer, Sum):
        for penalty in regularizer.penalties:
            yield from _leaves(penalty)
        return
    yield regularizer
    if isinstance(regularizer, Scaled):
        yield from _leaves(regularizer.penalty)


def _regularizers(model):
    for variable in model.trainable_variables:
        if variable.regularizer is not None:
            yield variable.regularizer
    for layer in layers_of(model):
        if getattr(layer, "activity_regularizer", None) is not None:
            yield layer.activity_regularizer
    if isinstance(model.optimizer, DecoupledWeightDecay):
        for decay in model.optimizer._plan.decays:
            if decay.penalty is not None:
                yield decay.penalty


def with_our_penalties(model):
    """Put equal penalties in the place of Keras' `L1L2` and `L2`.

    The one asks `if self.l1`; the other XLA adds up entry by entry on TensorFlow.

    The model must be one that nobody else has.
    """

    replaced: dict[int, Any] = {}

    def plain(value):
        if type(value) not in (keras.regularizers.L1L2, keras.regularizers.L2):
            return value
        return replaced.setdefault(id(value), Penalty.of(value))

    for variable in model.trainable_variables:
        variable.regularizer = plain(variable.regularizer)
    for layer in layers_of(model):
        # The attribute is what the layer's config is made of.
        for name, value in list(vars(layer).items()):
            if plain(value) is not value:
                object.__setattr__(layer, name, plain(value))


@contextlib.contextmanager
def filled(slots, values):
    """The slots hold these values, numbers or tensors, within the context."""
    before = [slot.get() for slot in slots]
    try:
        for slot, value in zip(slots, values, strict=True):
            slot.set(value)
        yield
    finally:
        for slot, value in zip(slots, before, strict=True):
            slot.set(value)
