"""A metric that Keras carries through training and does not report."""

import keras
import numpy as np
from keras import ops


class Silent(keras.metrics.Metric):
    """The mean of vectors, of all since `restart` or of the last one alone.

    Under tf.distribute every replica keeps sums of its own, and what is read is their
    sum: hence a total and a count here too, and not the vector itself.

    Args:
        name: Name of the metric.
        size: Length of the vectors.
        last: Whether an update replaces those before it.
    """

    def __init__(self, name, size, last=False):
        # At least float32, also where Keras' own metrics are of half precision.
        dtype = keras.backend.result_type("float32", keras.config.floatx())
        super().__init__(name=name, dtype=dtype)
        self._last = last
        self._total = self.add_variable((size,), "zeros", name="total")
        self._count = self.add_variable((), "zeros", name="count")

    def update_state(self, values, sample_weight):
        """Add the list of scalars `values`, which stand for `sample_weight` rows."""
        weight = ops.cast(sample_weight, self._total.dtype)
        values = ops.stack([ops.cast(value, self._total.dtype) for value in values])
        if self._last:
            self._total.assign(values * weight)
            self._count.assign(weight)
        else:
            self._total.assign_add(values * weight)
            self._count.assign_add(weight)

    def reset_state(self):
        """Do nothing: an evaluation within training resets all that Keras knows."""

    def restart(self):
        """Forget all updates."""
        for variable in (self._total, self._count):
            variable.assign(ops.zeros(variable.shape, variable.dtype))

    def result(self):
        """Return an empty dict, so that Keras logs nothing."""
        return {}

    @property
    def count(self):
        """The sum of the weights of all updates, a float."""
        return float(ops.convert_to_numpy(self._count))

    def means(self):
        """The means as a list of floats, or None before the first update."""
        count = self.count
        if count == 0:
            return None
        # In the precision of Keras' own means, so that equal sums have equal means.
        total = np.asarray(ops.convert_to_numpy(self._total))
        return (total / total.dtype.type(count)).tolist()
