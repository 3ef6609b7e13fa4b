"""Decay of those rows of a table that a batch has used."""

import keras
from keras import ops

from keras_decay.ground import backend
from keras_decay.optimizers.forms.base import TOUCHED_ROWS, DecayForm, Pull
from keras_decay.optimizers.strength import check_strength


@keras.saving.register_keras_serializable(package="keras_decay")
class TouchedRowsDecay(DecayForm):
    """Decay only the rows of a table that the batch touched: for embeddings.

        w_i ← w_i − u_i − c_t λ w_i     where the gradient of row i is not zero

    Plain decay shrinks every row at every step, so that the vectors of rare words fade
    between their uses, and it reads and writes the whole table. This shrinks a row as
    often as it is used. On TensorFlow, where an `Embedding`'s gradient is sparse, decay
    then costs time in proportion to the touched rows; where gradients are dense (JAX,
    PyTorch, or along with `penalty`) it still passes over the whole table. What the
    wrapped optimizer itself costs is its own affair: Adam moves every row, SGD without
    momentum only the touched ones.

    Goes into a rule: `rules=[("embeddings", TouchedRowsDecay(0.1))]`.

    Args:
        weight_decay: λ, as in `DecoupledWeightDecay` (convention "decoupled").

    Raises:
        TypeError, ValueError: If λ is not as described, or the wrapped optimizer
            accumulates gradients, where a step no longer tells the rows of its batches.

    Example:

    ```python
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.Adam(1e-3),
        0.1,
        rules=[("embeddings$", kd.TouchedRowsDecay(0.1))],
    )
    ```
    """

    needs = frozenset((TOUCHED_ROWS,))

    def __init__(self, weight_decay):
        self.weight_decay = check_strength("weight_decay", weight_decay)

    def check(self, name, optimizer):
        if optimizer.gradient_accumulation_steps:
            raise ValueError(
                f"`{name}` must not be TouchedRowsDecay around an optimizer that "
                "accumulates gradients: the last batch does not tell the rows of the "
                "others. Received: optimizer with gradient_accumulation_steps="
                f"{optimizer.gradient_accumulation_steps}"
            )

    def remembers(self, variable, path):
        if not len(variable.shape):
            raise ValueError(f"TouchedRowsDecay needs rows, but {path!r} is a scalar.")
        return {}

    def pull(self, w, fraction, memory, circumstances):
        if circumstances.rows is not None:
            return Pull(fraction, w, {})
        touched = backend.current().touched_rows(circumstances.grad, w.shape[0])
        touched = ops.reshape(touched, (-1,) + (1,) * (len(w.shape) - 1))
        return Pull(fraction, ops.where(touched, w, ops.zeros_like(w)), {})
