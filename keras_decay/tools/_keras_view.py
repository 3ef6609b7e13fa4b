"""All that `audit` knows of Keras' own optimizers."""

import contextlib
import re

import keras
import numpy as np

from keras_decay.optimizers import REBUILDING, is_one_of
from keras_decay.tools._promise import Promise, number

# They scale each entry's step by the history of its gradients, an L2 term's among them.
ADAPTIVE = (
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "Adamax",
    "AdamW",
    "Ftrl",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "RMSprop",
    "ScheduleFreeAdamW",
)
SETTINGS = ("weight_decay", "adam_weight_decay")


def variables_of(optimizer):
    """The weights that an optimizer was built to update."""
    return list(optimizer._trainable_variables)


class KerasView:
    """One of Keras' own optimizers, or a subclass of the user's.

    Attributes:
        name: What to call it.
        adaptive: Whether it divides steps by the history of gradients.
        rebuilding: Whether it rebuilds weights from state that is not decayed.
        carries_rounding: Whether decay below the weights' precision is kept for later.
        bakes_strength: Whether λ becomes a constant of the compiled training step.
        cautious: Whether decay depends on the direction of the step.
        schedule: What it was given as learning rate: a variable, schedule or callable.
        micro_steps: How many calls make one step of the weights.
    """

    bakes_strength = keras.backend.backend() != "torch"
    carries_rounding = False
    cautious = False

    def __init__(self, optimizer):
        self.optimizer = optimizer
        self.inner = optimizer
        self.name = type(optimizer).__name__
        self.adaptive = is_one_of(optimizer, ADAPTIVE)
        self.rebuilding = is_one_of(optimizer, REBUILDING)
        self.schedule = optimizer._learning_rate
        self.micro_steps = optimizer.gradient_accumulation_steps or 1

    def decays(self):
        """Whether any decay is switched on."""
        return any(getattr(self.optimizer, name, None) for name in SETTINGS)

    def unusable(self):
        """The setting that Keras accepts but cannot use, as text, or None."""
        for name in SETTINGS:
            value = getattr(self.optimizer, name, None)
            if callable(value) and not isinstance(value, keras.Variable):
                return f"{name}={type(value).__name__}"
        return None

    def promise(self, variable, rate):
        """The `Promise` for the variable, None if it is not decayed.

        Args:
            variable: A trainable variable.
            rate: Function of the step that gives the learning rate.
        """
        strength = getattr(self.optimizer, self._setting(variable), None)
        if not strength or self.is_excluded(variable):
            return None
        strength = number(strength)
        return Promise(
            key=(id(self.optimizer), strength),
            strength=strength,
            text=f"{strength:g}",
            coupling="learning_rate",
            share=lambda step: rate(step) * strength,
            expected=lambda w, step: (1 - np.float64(rate(step) * strength)) * w,
        )

    def rate_factor(self, variable):
        """By which factor the variable's rate differs from the optimizer's."""
        del variable
        return 1.0

    def _setting(self, variable):
        """The name of the setting that says how strongly the variable is decayed."""
        optimizer = self.optimizer
        if not is_one_of(optimizer, ["Muon"]):
            return "weight_decay"
        # Which variables it leaves to Adam differs between versions of Keras.
        by_adam = optimizer._should_use_adamw(variable)
        return "adam_weight_decay" if by_adam else "weight_decay"

    def is_excluded(self, variable):
        """Whether `exclude_from_weight_decay` spares the variable on this backend."""
        seen = variable
        # On TensorFlow most optimizers look at the native variable, which is named by
        # its path; elsewhere at Keras' own, whose name is the path's last part.
        if keras.backend.backend() == "tensorflow" and not is_one_of(
            self.optimizer, ["Muon"]
        ):
            seen = variable.value
        return not self.optimizer._use_weight_decay(seen)

    def exclusion_patterns(self):
        """The texts that `exclude_from_weight_decay(var_names=…)` was given."""
        try:
            joined = self.optimizer._exclude_from_weight_decay_pattern
        except AttributeError:  # exclude_from_weight_decay was never called
            return []
        if joined is None:
            return []
        pieces = joined.pattern.split("|")
        try:
            return [re.compile(piece).pattern for piece in pieces]
        except re.error:  # a | within a group: the texts cannot be told apart again
            return [joined.pattern]

    def misplaced_rules(self):
        """The variables that a rule decides for which it is not about."""
        return []

    def step(self, grads, variables):
        """One call of the optimizer."""
        self.optimizer.apply(grads, variables)

    control_step = step

    @contextlib.contextmanager
    def undisturbed(self):
        """During the block averages do not overwrite weights."""
        with assigned(self.optimizer, ema_overwrite_frequency=None):
            yield

    @contextlib.contextmanager
    def without_decay(self):
        """During the block the optimizer's decay is off."""
        present = {n: None for n in SETTINGS if hasattr(self.optimizer, n)}
        with assigned(self.optimizer, **present):
            yield


@contextlib.contextmanager
def assigned(thing, **values):
    """During the block the attributes of `thing` have these values."""
    before = {name: getattr(thing, name) for name in values}
    try:
        for name, value in values.items():
            setattr(thing, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(thing, name, value)
