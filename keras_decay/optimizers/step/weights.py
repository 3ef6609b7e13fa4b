"""How a step of decay reads and writes a weight: all of it, or some rows.

Each class here reads the weight before the inner step (`before`) and after it
(`after`), and writes what decay has made of it (`write`), which the variable's
constraint is applied to.
"""

from keras import ops

from keras_decay.ground import backend
from keras_decay.ground.arithmetic import computable
from keras_decay.optimizers.step.residual import RESIDUAL, parted, whole


class WholeWeight:
    """A variable of float32 or higher.

    Args:
        variable: The weight's variable.
        copy: Whether `before` must outlast the inner step.
    """

    rows = None

    def __init__(self, variable, copy=True):
        self.variable = variable
        native = backend.current()
        self.before = native.snapshot(variable) if copy else native.read(variable)

    def after(self):
        """The weight that the inner step has made."""
        return backend.current().read(self.variable)

    def write(self, value, is_real):
        """Set the weight to `value`, unless `is_real` is a false tensor."""
        assign_if(is_real, self.variable, _constrained(self.variable, value))


class HalfWeight:
    """A half-precision variable and its residual.

    Args:
        variable: The weight's variable.
        residual: The residual's variable.
    """

    rows = None

    def __init__(self, variable, residual):
        self.variable, self.residual = variable, residual
        native = backend.current()
        weight = native.read(variable)
        self.before = whole(weight, native.read(residual))
        self._carried = self.before - ops.cast(weight, "float32")

    def after(self):
        """The weight after the inner step, plus the residual from before it.

        It is rounded as the variable holds it. XLA would pass on the unrounded result,
        and compiled steps would differ from others.
        """
        written = computable(self.variable)
        written = backend.current().rounded(written, self.variable.dtype)
        return ops.cast(written, "float32") + self._carried

    def write(self, value, is_real):
        """Set weight and residual to `value`, unless `is_real` is a false tensor."""
        value = _constrained(self.variable, value)
        weight, residual = parted(value, self.variable.dtype)
        assign_if(is_real, self.variable, weight)
        assign_if(is_real, self.residual, residual)


class WeightRows:
    """Some rows of a table. The other rows are not even read.

    Args:
        variable: The table, of float32 or higher.
        rows: The numbers of the rows, each once.
    """

    def __init__(self, variable, rows):
        self.variable, self.rows = variable, rows
        self.before = backend.current().gather_rows(variable, rows)

    def after(self):
        """The rows that the inner step has made."""
        return backend.current().gather_rows(self.variable, self.rows)

    def write(self, value, is_real):
        """Set the rows to `value`."""
        assert is_real is None, "rows are not known where gradients accumulate"
        backend.current().scatter_rows(self.variable, self.rows, value)


def view_of(variable, memory, rows, copy=True):
    """The view through which a step of decay sees `variable`.

    Args:
        variable: The weight's variable.
        memory: The variables that the optimizer keeps for it, by name.
        rows: The numbers of the rows that are decayed, or None for all.
        copy: Whether `before` must outlast the inner step.
    """
    if RESIDUAL in memory:
        return HalfWeight(variable, memory[RESIDUAL])
    if rows is not None and variable.constraint is None:
        return WeightRows(variable, rows)
    return WholeWeight(variable, copy)


def assign_if(is_real, variable, value):
    """Set the variable, unless `is_real` is a false tensor; None stands for true.

    While gradients accumulate the weights stand still, and so must decay.
    """
    value = ops.cast(value, variable.dtype)
    if is_real is not None:
        value = ops.where(is_real, value, ops.convert_to_tensor(variable))
    backend.current().assign(variable, value)


def _constrained(variable, value):
    if variable.constraint is None:
        return value
    return ops.cast(variable.constraint(value), value.dtype)
