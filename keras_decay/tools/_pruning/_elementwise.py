"""Activations that act on every number by itself: a constant stays a constant."""

import keras
import numpy as np
from keras import ops

# By name, in Keras and in the backends. Softmax and its like mix units.
FUNCTIONS = frozenset(
    """
    celu elu exp exponential gelu hard_sigmoid hard_shrink hard_silu hard_swish
    hard_tanh leaky_relu linear log_sigmoid mish relu relu6 selu sigmoid silu
    soft_shrink softplus softsign sparse_plus sparse_sigmoid squareplus swish tanh
    tanh_shrink threshold
    """.split()  # noqa: SIM905
)
PACKAGES = ("keras", "tensorflow", "jax", "torch")
LAYERS = (
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.ELU,
    keras.layers.Activation,
)


def is_elementwise(activation):
    """Whether an activation, a function or a layer, is known to act on each number."""
    if activation is None:
        return True
    if isinstance(activation, keras.layers.Layer):
        if type(activation) is keras.layers.Activation:
            return is_elementwise(activation.activation)
        return type(activation) in LAYERS
    package = str(getattr(activation, "__module__", "")).split(".")[0]
    return package in PACKAGES and getattr(activation, "__name__", "") in FUNCTIONS


def applied(activation, values, dtype):
    """The activation of an array of constants, computed in `dtype` as the model does.

    Layers are not called but asked for their `call`, which leaves no trace in them.
    """
    if activation is None or not values.size:
        return values
    function = getattr(activation, "call", activation)
    wide = "float64" if dtype == "float64" else "float32"
    with np.errstate(over="ignore"):
        tensor = ops.convert_to_tensor(values.astype(wide))
    return array(function(ops.cast(tensor, dtype))).astype("float64")


def array(tensor):
    """A variable or tensor as a NumPy array; half precision as float32."""
    tensor = ops.convert_to_tensor(tensor)
    if keras.backend.standardize_dtype(tensor.dtype) in ("bfloat16", "float16"):
        tensor = ops.cast(tensor, "float32")
    return np.asarray(ops.convert_to_numpy(tensor))
