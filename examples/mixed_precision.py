"""Weight decay in half precision: what is left of the weights that only decay moves.

    python examples/mixed_precision.py

Some pixels of scikit-learn's digits are blank in every image. The weights behind them
get no gradient, so that decay alone moves them, and it must leave (1 − ηλ)ᵗ of them
after t steps. In bfloat16 a step of ηλ = 1e-3 is less than half a rounding: an
optimizer that just subtracts it decays nothing. `DecoupledWeightDecay` keeps what
rounding takes. Under the mixed policies the weights themselves are float32. The
optimizer is SGD, since Keras' Adam does not train in pure bfloat16, where 0.999 is 1.
"""

import keras
import numpy as np
from sklearn.datasets import load_digits

import keras_decay as kd

RATE, DECAY = 0.02, 0.05

x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
blank = (x == 0).all(axis=0)


def total(kernel):
    """The sum of the magnitudes of the weights behind blank pixels."""
    values = keras.ops.convert_to_numpy(keras.ops.cast(kernel, "float32"))
    return float(np.abs(values[blank]).sum())


def left(policy, optimizer):
    """The share of the blank pixels' weights that training leaves, and expected."""
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(32, "relu"),
            keras.layers.Dense(10),
            # As in every half-precision model, the loss is taken in float32.
            keras.layers.Activation("softmax", dtype="float32"),
        ]
    )
    # With mixed_float16 Keras puts its LossScaleOptimizer around ours, by itself.
    model.compile(optimizer, "sparse_categorical_crossentropy")
    before = total(model.layers[0].kernel)
    model.fit(x, y, batch_size=64, epochs=10, verbose=0)
    share = total(model.layers[0].kernel) / before
    # Steps that loss scaling has skipped, for an overflow, do not decay.
    steps = int(keras.ops.convert_to_numpy(optimizer.iterations))
    expected = (1 - RATE * DECAY) ** steps
    # With the weights at the end; the last epoch's metric is a mean over its steps.
    guesses = keras.ops.convert_to_numpy(model(x)).argmax(axis=1)
    print(
        f"{policy:>14}, {type(optimizer).__name__:<20} {share:6.1%} left, "
        f"{expected:.1%} expected; accuracy {(guesses == y).mean():.1%}"
    )
    return share, expected


results = {
    policy: left(policy, kd.SGDW(RATE, weight_decay=DECAY, momentum=0.9))
    for policy in ("float32", "mixed_float16", "mixed_bfloat16", "bfloat16")
}
plain = left("bfloat16", keras.optimizers.SGD(RATE, weight_decay=DECAY, momentum=0.9))
keras.config.set_dtype_policy("float32")

error = max(abs(share / expected - 1) for share, expected in results.values())
print(
    f"With keras_decay the weights of {blank.sum()} blank pixels decay as they should, "
    f"to within {error:.1%}, under all of {', '.join(results)}; with Keras' SGD in "
    f"bfloat16 {plain[0]:.1%} of them is left where {plain[1]:.1%} is right."
)
