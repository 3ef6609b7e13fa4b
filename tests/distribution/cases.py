"""The trainings that every distribution must repeat to the weights of one device.

They run inside the scripts beside this file, each of which is a process of its own:
how many devices there are is settled before the backend starts.
"""

import json

import keras
import numpy as np

import keras_decay as kd

BATCH, STEPS = 16, 4


def decay():
    rules = [("first/kernel", 0.5), ("second/kernel", kd.L2(0.2)), ("second/bias", 1.0)]
    inner = keras.optimizers.SGD(0.05, momentum=0.9)
    return kd.DecoupledWeightDecay(inner, 0.3, rules=rules)


def adam():
    return kd.AdamW(0.02, 0.5, rules=[("first/kernel", 0.9, "schedule")])


def prox():
    return kd.DecoupledWeightDecay(
        keras.optimizers.Adam(0.02),
        0.5,
        penalty=kd.L1(0.1),
        cautious=True,
        use_ema=True,
        ema_momentum=0.8,
    )


def overwriting():
    return kd.SGDW(0.05, 0.5, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3)


def accumulating():
    inner = keras.optimizers.SGD(0.05, momentum=0.9, gradient_accumulation_steps=2)
    return kd.DecoupledWeightDecay(inner, 0.5, penalty=kd.L1(0.05), use_ema=True)


def forms():
    """What is remembered of each weight lies where the weight does."""
    rules = [
        ("first/kernel", kd.ConstrainedDecay(initial_factor=0.5, rate=0.1)),
        ("second/kernel", kd.DecayToward(2.0)),
    ]
    inner = keras.optimizers.Adam(0.02)
    return kd.DecoupledWeightDecay(inner, kd.StableDecay(0.1), rules=rules)


def rates():
    """Factors on the rates of rules, alone and with a decay of their own."""
    rules = [
        kd.Rule("first", learning_rate=0.25),
        kd.Rule("head/kernel", 0.9, "schedule", learning_rate=2.0),
        kd.Rule("head/bias", None, learning_rate=0.0),
    ]
    return kd.DecoupledWeightDecay(keras.optimizers.Adam(0.02), 0.5, rules=rules)


CASES = {
    case.__name__: case
    for case in (decay, adam, prox, overwriting, forms, rates, accumulating)
}


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH * STEPS, 8)).astype("float32")
    return x, np.tanh(x[:, :4])


def build(optimizer):
    """A compiled model, with the same weights every time."""

    def dense(units, seed, **arguments):
        kernel = keras.initializers.GlorotUniform(seed=seed)
        return keras.layers.Dense(units, kernel_initializer=kernel, **arguments)

    model = keras.Sequential(
        [
            keras.Input((8,)),
            dense(16, 1, activation="tanh", name="first"),
            dense(8, 2, kernel_constraint="unit_norm", name="second"),
            dense(4, 3, name="head"),
        ]
    )
    model.compile(optimizer, "mse")
    return model


def fit(model):
    model.fit(*data(), batch_size=BATCH, shuffle=False, verbose=0)


def train(model, fit=fit, strength=3.0):
    """The weights after an epoch, and after another with another λ or the same.

    With a moving average they are the averages: `fit` ends with putting them there.
    """
    fit(model)
    first = model.get_weights()
    if strength is not None:
        model.optimizer.weight_decay = strength
    fit(model)
    return [*first, *model.get_weights()]


def difference(weights, others):
    """The largest difference between two lists of arrays."""
    return max(
        float(np.max(np.abs(one - other)))
        for one, other in zip(weights, others, strict=True)
    )


def on_one_device(names=CASES):
    """The weights of each case, and how much the change of λ does to the first."""
    weights = {name: train(build(CASES[name]())) for name in names}
    name = next(iter(names))
    unchanged = train(build(CASES[name]()), strength=None)
    return weights, difference(weights[name], unchanged)


def report(**found):
    """The script's last line."""
    print(json.dumps(found))
