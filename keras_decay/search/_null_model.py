"""The gradient of a model's loss on all rows, and the fit of its biases alone."""

import keras
import numpy as np
from keras import ops

from keras_decay.ground import backend
from keras_decay.search._building import length, rows_of

STEPS = 200
RESOLUTION = 3e-7  # of float32, in which gradients are computed


class Slope:
    """The gradient of a model's loss with respect to its trainable variables.

    The loss is that of inference, without dropout, as a mean over all rows.

    Args:
        model: Built and compiled. What acts on it as a regularizer is in the loss.
        data: The `Data`.
        batch_size: How many rows go through the model at once.
    """

    def __init__(self, model, data, batch_size):
        self.model, self.data, self.batch_size = model, data, batch_size
        self.variables = list(model.trainable_variables)
        self.shapes = [tuple(v.shape) for v in self.variables]
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        self.cuts = np.cumsum([0, *sizes])
        self._loss(*self._batch(0))  # what Keras makes at the first call is made

    def start(self):
        """The present weights, one after the other."""
        arrays = [ops.convert_to_numpy(v).ravel() for v in self.variables]
        return np.concatenate(arrays).astype("float64")

    def part(self, flat, index):
        """One variable's share of such a vector, in its shape."""
        return flat[self.cuts[index] : self.cuts[index + 1]].reshape(self.shapes[index])

    def __call__(self, flat):
        """The gradient at these weights."""
        rows = length(self.data.x)
        w = ops.convert_to_tensor(flat.astype(keras.config.floatx()))
        total = np.zeros(len(flat))
        for begin in range(0, rows, self.batch_size):
            batch = self._batch(begin)

            def loss(w, batch=batch):
                pieces = [
                    ops.reshape(w[self.cuts[i] : self.cuts[i + 1]], shape)
                    for i, shape in enumerate(self.shapes)
                ]
                mapping = list(zip(self.variables, pieces, strict=True))
                with keras.StatelessScope(state_mapping=mapping):
                    return self._loss(*batch)

            share = min(self.batch_size, rows - begin) / rows
            gradient = backend.current().gradient(loss, w)
            total += share * np.asarray(ops.convert_to_numpy(gradient), "float64")
        return total

    def _batch(self, begin):
        rows = slice(begin, begin + self.batch_size)
        parts = (self.data.x, self.data.y, self.data.weight)
        return [_tensors(rows_of(part, rows)) for part in parts]

    def _loss(self, x, y, weight):
        outputs = self.model(x, training=False)
        return self.model.compute_loss(
            x=x, y=y, y_pred=outputs, sample_weight=weight, training=False
        )


def fitted(slope, flat, free):
    """The weights with those marked `free` moved to where their gradient is zero.

    Barzilai and Borwein's steps, which need no values of the loss: in float32 its
    values tell a minimum to the square root of what its gradient does.

    Args:
        slope: The `Slope`.
        flat: All weights.
        free: Booleans, which of them may move.
    """
    if not free.any():
        return flat
    at = flat.copy()
    gradient = slope(at)[free]
    best, least = at.copy(), float(np.linalg.norm(gradient))
    limit = RESOLUTION * max(least, 1e-30)
    step = 1.0
    for _ in range(STEPS):
        if least <= limit:
            break
        before, old = at.copy(), gradient
        at[free] = before[free] - step * old
        gradient = slope(at)[free]
        size = float(np.linalg.norm(gradient))
        if not np.isfinite(size) or size > 10 * least:
            at, gradient, step = before, old, step / 4
            continue
        if size < least:
            best, least = at.copy(), size
        moved, bent = at[free] - before[free], gradient - old
        curvature = float(bent @ moved)
        if curvature <= 0:
            step *= 2
        else:
            step = curvature / float(bent @ bent)
    return best


def _tensors(tree):
    if tree is None:
        return None
    return keras.tree.map_structure(ops.convert_to_tensor, tree)
