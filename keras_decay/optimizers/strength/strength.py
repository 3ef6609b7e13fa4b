"""The strength λ of a decay, which is read anew at every step."""

import keras
import numpy as np
from keras import ops

from keras_decay.ground import backend, validation

# Callables of weights or inputs, not of the step.
_NOT_STRENGTHS = (
    type,
    keras.Layer,
    keras.constraints.Constraint,
    keras.initializers.Initializer,
    keras.losses.Loss,
    keras.regularizers.Regularizer,
)
KINDS = "a non-negative number, a scalar keras.Variable, a schedule or a callable"


def check_strength(name, value):
    """Check λ. Returns a plain float, or the variable, schedule or callable itself."""
    if validation.is_number(value):
        return validation.number(name, value, minimum=0)
    if isinstance(value, keras.Variable):
        return validation.strength(name, value)
    if callable(value) and not isinstance(value, _NOT_STRENGTHS):
        return value
    remedy = ""
    if isinstance(value, keras.regularizers.Regularizer):
        remedy = "A penalty of keras_decay goes into `penalty` or a rule."
    raise TypeError(validation.received(name, value, KINDS, remedy))


def strength_config(value):
    """Serialise a checked strength: a plain number or the config of a schedule."""
    if isinstance(value, keras.Variable):
        return float(ops.convert_to_numpy(value))
    if isinstance(value, float):
        return value
    return keras.saving.serialize_keras_object(value)


class DecayStrength:
    """λ_t as a value of the running program rather than a constant of it.

    A number is put into a variable of the optimizer, so that it can be changed while
    training and is saved; a `keras.Variable` is used as it is; a schedule or callable
    is evaluated at the step.

    Args:
        name: The argument's name, for errors and for the variable.
        value: See `KINDS`.
    """

    def __init__(self, name, value):
        self.name = name
        self.source = check_strength(name, value)
        self.plain = self.source if isinstance(self.source, float) else None

    @property
    def lacks_variable(self):
        """Whether λ is a number that is in no variable yet."""
        return isinstance(self.source, float)

    @property
    def is_variable(self):
        return isinstance(self.source, keras.Variable)

    def at(self, step):
        """λ at `step`, a scalar tensor."""
        if self.is_variable:
            return backend.current().read(self.source)
        return ops.convert_to_tensor(self.source(step))

    def check_settable(self, value):
        """Refuse to set λ to this value if it is no variable."""
        if not self.is_variable:
            raise TypeError(
                f"`{self.name}` was given as a schedule or callable, so it cannot be "
                "set. Construct the optimizer with a number or a keras.Variable to "
                f"change it while training. Received: {self.name}={value!r}"
            )

    def set(self, value):
        """Change λ from the next step on."""
        self.check_settable(value)
        value = validation.number(self.name, value, minimum=0)
        self.source.assign(value)
        self.plain = value

    def get_config(self):
        """A plain number where there is one, else the serialised schedule."""
        if self.is_variable and self.plain is not None:
            # The number as it was written, 0.1, and not as float32 rounds it.
            value = ops.convert_to_numpy(self.source)
            if np.asarray(self.plain, value.dtype) == value:
                return self.plain
        return strength_config(self.source)
