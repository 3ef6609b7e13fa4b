"""`track_strength`: strengths that change during `fit`, on every backend."""

import keras
import numpy as np
from keras import ops

from keras_decay.ground import validation
from keras_decay.regularizers import LAYER, Penalty, claim, refuse_second, release

ATTRIBUTE = "penalty_strengths"


def track_strength(layer, penalty):
    """Make the variables of a penalty part of a layer's state, and so of the model's.

    A strength may be a scalar `keras.Variable`, so that it can change during `fit`:

        loss = data loss + λ_t Ω(w)

    TensorFlow and PyTorch read a variable anew at every step. JAX reads what is part of
    the model's state, and would burn any other into the compiled step; there a penalty
    with a variable raises unless it is tracked. Call this before or after the layer is
    built or the model trained; nothing is compiled anew when the strength changes.
    (On JAX a callback sets it between epochs; one that sets it within an epoch calls
    `model.jax_state_sync()` before.)

    The variable is made non-trainable, and is among the layer's `variables`, yet not
    among its `weights`: `get_weights`, `set_weights` and `count_params` are as before.
    `save_weights`, checkpoints and `BackupAndRestore` hold its value. A saved model
    holds it as the number that it is then, and is loaded with that number.

    One variable may be tracked by many layers. On JAX it cannot be in an optimizer too,
    as a strength of `DecoupledWeightDecay`: that is refused by name.

    Args:
        layer: A `keras.Layer`: the one that has the penalty, or any other of its model.
        penalty: A `Penalty` of which at least one strength is a `keras.Variable`, in
            the convention of that penalty.

    Returns:
        The layer.

    Raises:
        TypeError: If `layer` is no layer or `penalty` no `Penalty`.
        ValueError: If the penalty has no variable, or on JAX, if an optimizer has it.

    Example:

    ```python
    strength = keras.Variable(0.0)
    penalty = kd.L1(strength)
    layer = keras.layers.Dense(64, kernel_regularizer=penalty)
    kd.track_strength(layer, penalty)
    rise = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: strength.assign(1e-3 * min(epoch / 10, 1))
    )
    model = keras.Sequential([layer, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, y, epochs=30, callbacks=[rise])
    ```
    """
    if not isinstance(layer, keras.Layer):
        raise TypeError(validation.received("layer", layer, "a keras.Layer"))
    if not isinstance(penalty, Penalty):
        must = "a keras_decay Penalty"
        raise TypeError(validation.received("penalty", penalty, must))
    if not penalty.variables:
        must = "a penalty of which a strength is a keras.Variable"
        remedy = "A number cannot change; there is nothing to track."
        raise ValueError(validation.received("penalty", penalty, must, remedy))
    while isinstance(layer, keras.Sequential) and layer.layers:
        layer = layer.layers[0]  # what a Sequential holds, it would also call
    known = {id(variable) for variable in layer.variables}
    new = {id(v): v for v in penalty.variables if id(v) not in known}
    if new:
        _hold(layer, list(new.values()))
    return layer


def check_trackable(layer, penalty):
    """Refuse what `track_strength` would refuse, changing nothing."""
    for variable in getattr(penalty, "variables", ()):
        refuse_second(variable, LAYER, layer)


def release_strengths(layers, penalties):
    """Take the variables of these penalties out of the state of these layers."""
    gone = {id(variable) for penalty in penalties for variable in penalty.variables}
    for holder in layers:
        if not isinstance(holder, Strengths):
            continue
        for name in [n for n, v in vars(holder).items() if id(v) in gone]:
            release(getattr(holder, name), LAYER)
            delattr(holder, name)


class Strengths(keras.Layer):
    """What holds tracked strengths inside a layer; it computes nothing.

    Args:
        variables: The strengths.
    """

    def __init__(self, variables):
        super().__init__(name=ATTRIBUTE)
        for index, variable in enumerate(variables):
            # Of trainable ones the optimizer would make the loss least: by zero.
            variable.trainable = False
            setattr(self, f"strength_{index}", variable)

    @property
    def weights(self):
        """None: `variables` has the strengths, and makes them state."""
        return []

    def save_own_variables(self, store):
        for index, variable in enumerate(self.variables):
            store[str(index)] = ops.convert_to_numpy(variable)

    def load_own_variables(self, store):
        # Files from before there were strengths have none.
        if len(store.keys()) == len(self.variables):
            for index, variable in enumerate(self.variables):
                variable.assign(np.asarray(store[str(index)]))


def _hold(layer, variables):
    claim(variables, LAYER, layer)
    names = (ATTRIBUTE, *(f"{ATTRIBUTE}_{count}" for count in range(1, 1000)))
    name = next(name for name in names if not hasattr(layer, name))
    # Keras itself unlocks the layers to which it adds LoRA or quantised weights.
    tracker = layer._tracker
    locked = tracker.locked
    tracker.unlock()
    try:
        setattr(layer, name, Strengths(variables))
    finally:
        if locked:
            tracker.lock()
