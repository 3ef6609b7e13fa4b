"""What the optimizer remembers of each weight from step to step."""

import keras
import numpy as np
from keras import ops

from keras_decay.optimizers.step.residual import RESIDUAL, needs_residual


class Memory:
    """The variables of a form of decay, and the residuals of half precision.

    They exist for decayed weights only, from `build` on.

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

    def build(self, index, variable, path, decay):
        """Create the variables for the weight `variable`, the one of number `index`."""
        slots = {}
        for name, value in decay.form.remembers(variable, path).items():
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
        self.incomplete |= getattr(decay.form, "must_be_loaded", False)

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

        It is in at least float32 unless it copies the weight.
        """
        weight_dtype = keras.backend.standardize_dtype(variable.dtype)
        half = needs_residual(variable) and not same_dtype
        layout = None
        distribution = keras.distribution.distribution()
        if distribution is not None and tuple(shape) == tuple(variable.shape):
            layout = distribution.get_variable_layout(variable)
        path = getattr(variable, "path", None) or variable.name
        return self._add_variable(
            shape=tuple(shape),
            dtype="float32" if half else weight_dtype,
            layout=layout,
            name=f"{path.replace('/', '_').replace(':', '_')}_{name}",
        )

    def of(self, index):
        """The variables for the weight of this number, by name."""
        return self._slots.get(index, {})

    def by_role(self):
        """All variables by names that do not change when the model is loaded."""
        return {
            f"{name}_{index}": variable
            for index, slots in self._slots.items()
            for name, variable in slots.items()
        }
