"""What the optimizer remembers of each weight from step to step."""

import keras
import numpy as np
from keras import ops

from keras_decay.optimizers.forms import Origin
from keras_decay.optimizers.rules import variable_path
from keras_decay.optimizers.step.residual import RESIDUAL, needs_residual


class WeightMemory:
    """The variables of a form of decay, and the residuals of half precision.

    Weights that are not decayed have none.

    Args:
        add_variable: Function of (shape, dtype, layout, name) that makes a tracked
            variable of zeros.
        remove_variable: Function of a variable, which is then no longer tracked.
    """

    def __init__(self, add_variable, remove_variable):
        self._add_variable = add_variable
        self._remove_variable = remove_variable
        self._slots: dict[int, dict[str, keras.Variable]] = {}
        # Whether something is to be loaded from a file before the first step.
        self.incomplete = False

    def build(self, index, variable, form):
        """Create the variables for one weight.

        Args:
            index: Its number.
            variable: Its variable.
            form: The form of its decay; None if nothing pulls at it.
        """
        remembered = {}
        if form is not None:
            remembered = form.remembers(variable, variable_path(variable))
            self.incomplete |= form.origin is Origin.FILE
        slots = {}
        for name, value in remembered.items():
            own = value is None
            # A copy: JAX gives buffers away to the step, and each only once.
            initial = ops.copy(variable) if own else np.asarray(value)
            slots[name] = self._like(variable, name, own, initial.shape)
            slots[name].assign(ops.cast(initial, slots[name].dtype))
        residual = self.residual(variable)
        if residual is not None:
            slots[RESIDUAL] = residual
        if slots:
            self._slots[index] = slots

    def remove(self, index):
        """Remove the variables for the weight of this number."""
        for variable in self._slots.pop(index, {}).values():
            self._remove_variable(variable)

    def residual(self, variable):
        """A new variable for what rounding takes from `variable`, or None."""
        if variable is None or not needs_residual(variable):
            return None
        return self._like(variable, RESIDUAL, False, variable.shape)

    def _like(self, variable, name, same_dtype, shape):
        """A variable of zeros, laid out over devices like the weight if of its shape.

        It is of float32 or higher unless it is to copy the weight.
        """
        weight_dtype = keras.backend.standardize_dtype(variable.dtype)
        half = needs_residual(variable) and not same_dtype
        layout = None
        distribution = keras.distribution.distribution()
        if distribution is not None and tuple(shape) == tuple(variable.shape):
            layout = distribution.get_variable_layout(variable)
        path = variable_path(variable).replace("/", "_").replace(":", "_")
        return self._add_variable(
            shape=tuple(shape),
            dtype="float32" if half else weight_dtype,
            layout=layout,
            name=f"{path}_{name}",
        )

    def of(self, index):
        """The variables for the weight of this number, by name."""
        return self._slots.get(index, {})

    def by_role(self):
        """All variables, by names that stay the same when a model is loaded."""
        return {
            f"{name}_{index}": variable
            for index, slots in self._slots.items()
            for name, variable in slots.items()
        }
