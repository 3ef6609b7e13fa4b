"""AdamW and SGDW: the two wrapped optimizers that everyone asks for."""

import inspect

import keras

from keras_decay.optimizers.decoupled import DecoupledWeightDecay

_WRAPPER_ARGUMENTS = frozenset(
    inspect.signature(DecoupledWeightDecay.__init__).parameters
) - {"self", "optimizer", "weight_decay"}


def AdamW(learning_rate=1e-3, weight_decay=0.004, **kwargs):
    """Adam with decoupled weight decay: w ← w − u − η_t λ w.

    Convention of λ: "decoupled", the same as `weight_decay` of Keras' and PyTorch's
    AdamW. Kernels are decayed; biases and scales are not, unless `rules` say so.

    Args:
        learning_rate: η, a positive number, a schedule or a callable.
        weight_decay: λ, as in `DecoupledWeightDecay`.
        **kwargs: Arguments of `DecoupledWeightDecay` (`rules`, `penalty`, `coupling`,
            `use_ema`, …) and of `keras.optimizers.Adam` (`beta_1`, `clipnorm`, …).

    Returns:
        A `DecoupledWeightDecay` around `keras.optimizers.Adam`.

    Raises:
        TypeError, ValueError: If an argument is unknown or not as described.

    Example:

    ```python
    model.compile(kd.AdamW(1e-3, weight_decay=0.1), loss="mse")
    ```

    Reference: Loshchilov and Hutter, Decoupled Weight Decay Regularization,
    arXiv 1711.05101.
    """
    return _wrapped(keras.optimizers.Adam, learning_rate, weight_decay, kwargs)


def SGDW(learning_rate=0.01, weight_decay=1e-4, momentum=0.9, **kwargs):
    """SGD with momentum and decoupled weight decay: w ← w − u − η_t λ w.

    Convention of λ: "decoupled". Without momentum it equals SGD on a loss with
    `L2(λ/2)`; with momentum β a penalty in the loss acts 1/(1 − β) times as strongly in
    the long run.

    Args:
        learning_rate: η, a positive number, a schedule or a callable.
        weight_decay: λ, as in `DecoupledWeightDecay`.
        momentum: β, in [0, 1].
        **kwargs: Arguments of `DecoupledWeightDecay` and of `keras.optimizers.SGD`.

    Returns:
        A `DecoupledWeightDecay` around `keras.optimizers.SGD`.

    Raises:
        TypeError, ValueError: If an argument is unknown or not as described.

    Example:

    ```python
    model.compile(kd.SGDW(0.1, weight_decay=5e-4, nesterov=True), loss="mse")
    ```

    Reference: Loshchilov and Hutter, Decoupled Weight Decay Regularization,
    arXiv 1711.05101.
    """
    kwargs["momentum"] = momentum
    return _wrapped(keras.optimizers.SGD, learning_rate, weight_decay, kwargs)


def _wrapped(inner, learning_rate, weight_decay, kwargs):
    ours = {key: kwargs.pop(key) for key in list(kwargs) if key in _WRAPPER_ARGUMENTS}
    if isinstance(learning_rate, int) and not isinstance(learning_rate, bool):
        learning_rate = float(learning_rate)  # Keras refuses 1 for 1.0
    optimizer = inner(learning_rate=learning_rate, **kwargs)
    return DecoupledWeightDecay(optimizer, weight_decay, **ours)
