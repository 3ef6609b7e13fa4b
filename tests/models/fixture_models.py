"""Models with every penalty, constraint and form of decay, and what they are fed.

`fixtures/make.py` saves them as a version has them, and `test_old_files.py` loads what
it has saved. What is here may be added to; changing it makes old files into strangers.
"""

import keras
import numpy as np

import keras_decay as kd

ROWS = 12


def numbers(*shape):
    """Numbers between −1 and 1, the same under every version of NumPy."""
    return np.sin(1.7 * np.arange(1, np.prod(shape) + 1)).reshape(shape)


X = numbers(ROWS, 4).astype("float32")
IDS = np.arange(3 * ROWS).reshape(ROWS, 3) % 5
Y = (X[:, :1] - 0.5 * X[:, 1:2] ** 2).astype("float32")
KERNEL = numbers(4, 3)

PENALTIES = {
    "L1": lambda: kd.L1(0.1),
    "L2": lambda: kd.L2(0.2),
    "ElasticNet": lambda: kd.ElasticNet(0.1, 0.3),
    "Lp": lambda: kd.Lp(0.1, 1.3),
    "HuberL1": lambda: kd.HuberL1(0.1, 0.2),
    "GroupLasso": lambda: kd.GroupLasso(0.1, axis=0),
    "SparseGroupLasso": lambda: kd.SparseGroupLasso(0.1, 0.2),
    "MCP": lambda: kd.MCP(0.1, gamma=2.5),
    "SCAD": lambda: kd.SCAD(0.1, a=3.2),
    "LogSum": lambda: kd.LogSum(0.1, 0.2),
    "HoyerSquare": lambda: kd.HoyerSquare(0.1),
    "Nuclear": lambda: kd.Nuclear(0.1),
    "SpectralNorm": lambda: kd.SpectralNorm(0.1),
    "Orthogonal": lambda: kd.Orthogonal(0.1),
    "TotalVariation": lambda: kd.TotalVariation(0.1, axis=0),
    "L2SP": lambda: kd.L2SP(0.1, KERNEL[::-1].copy()),
    "GaussianPrior": lambda: kd.GaussianPrior(0.5, 9),
    "LaplacePrior": lambda: kd.LaplacePrior(0.5, 9),
    "StudentTPrior": lambda: kd.StudentTPrior(3, 0.5, 9),
    "HorseshoePrior": lambda: kd.HorseshoePrior(0.5, 9),
    "Scaled": lambda: 0.5 * (kd.L1(0.1) + kd.GroupLasso(0.2)),
}


def penalised():
    """Every penalty as one sum on one kernel, and every norm of `NormBall`."""
    terms = [make() for make in PENALTIES.values()]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    dense = keras.layers.Dense
    model = keras.Sequential(
        [
            keras.Input((4,)),
            dense(3, kernel_regularizer=total, kernel_constraint=kd.NormBall(0.9)),
            dense(
                3,
                kernel_constraint=kd.NormBall(0.7, "nuclear"),
                bias_constraint=kd.NormBall(0.1, "l1"),
                bias_regularizer=kd.L1(0.01),
            ),
            dense(1, kernel_constraint=kd.NormBall(0.8, "group", axis=0)),
        ]
    )
    kd.regularize(model, [("dense_2/kernel", kd.GroupLasso(0.1, axis="input"))])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return model


def tracked():
    """A strength that is part of the model's state; its value is only in weights."""
    strength = keras.Variable(0.25)
    layer = keras.layers.Dense(1, kernel_regularizer=kd.L2(strength))
    kd.track_strength(layer, layer.kernel_regularizer)
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    strength.assign(0.75)
    return model


def forms():
    """Every form of decay and every coupling, each by a rule of its own."""
    x, ids = keras.Input((4,), name="x"), keras.Input((3,), name="ids", dtype="int32")
    table = keras.layers.Embedding(5, 2, name="table")(ids)
    flow = keras.layers.Concatenate()([x, keras.layers.Flatten()(table)])
    for name in ("toward", "target", "constrained", "stable", "paper", "fixed", "peak"):
        flow = keras.layers.Dense(3, "tanh", name=name)(flow)
    flow = keras.layers.Dense(2, "tanh", name="sparse", use_bias=False)(flow)
    flow = keras.layers.Dense(2, "tanh", name="other", use_bias=False)(flow)
    model = keras.Model([x, ids], keras.layers.Dense(1, name="spared")(flow))
    schedule = keras.optimizers.schedules.ExponentialDecay(0.3, 5, 0.9)
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.Adam(0.02),
        schedule,
        penalty=kd.L1(0.01) + 0.5 * kd.L2(0.02),
        cautious=True,
        rules=[
            ("bias$", 0.2, "independent"),
            ("toward/kernel", kd.DecayToward(0.3)),
            ("target/kernel", kd.TargetNormDecay(0.3, initial_factor=0.5)),
            ("constrained/kernel", kd.ConstrainedDecay(warmup_steps=2)),
            ("stable/kernel", kd.StableDecay(0.02)),
            ("table", kd.TouchedRowsDecay(0.4)),
            ("paper/kernel", 0.1, "schedule"),
            ("fixed/kernel", 0.05, "independent"),
            ("peak/kernel", 0.5, "corrected"),
            ("sparse/kernel", kd.L1(2.0) + kd.GroupLasso(0.5)),
            ("spared", None),
        ],
        use_ema=True,
        ema_momentum=0.8,
        ema_overwrite_frequency=4,
    )
    model.compile(optimizer, "mse")
    return model


def toward():
    """A form as the default, strengths that were changed, and momentum."""
    shared = keras.Variable(0.5)
    inner = keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, clipnorm=1.0)
    optimizer = kd.DecoupledWeightDecay(
        inner,
        kd.DecayToward(0.1),
        rules=[
            ("dense_1/kernel", kd.DecayToward(0.2, numbers(3, 3))),
            ("dense_2/kernel", shared, "schedule"),
            ("bias", kd.L1(shared)),
        ],
    )
    dense = keras.layers.Dense
    layers = [dense(3, "tanh"), dense(3, "tanh"), dense(1)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile(optimizer, "mse")
    shared.assign(0.25)
    return model


def half():
    """Pure bfloat16, in which decay keeps what rounding takes."""
    layer = keras.layers.Dense(1, dtype="bfloat16")
    model = keras.Sequential([keras.Input((4,), dtype="bfloat16"), layer])
    model.compile(kd.SGDW(0.05, 0.01, momentum=0.0, coupling="corrected"), "mse")
    return model


def scaled():
    """Loss scaling outside, accumulated gradients inside."""
    inner = keras.optimizers.Adam(0.05, gradient_accumulation_steps=2)
    optimizer = kd.DecoupledWeightDecay(inner, 0.1, penalty=kd.L1(0.01))
    layer = keras.layers.Dense(1, dtype="mixed_float16")
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(keras.optimizers.LossScaleOptimizer(optimizer), "mse")
    return model


MODELS = {
    "penalised": penalised,
    "forms": forms,
    "toward": toward,
    "half": half,
    "scaled": scaled,
}


def begun(name):
    """A model that has been trained for an epoch, its rate then reduced."""
    keras.utils.clear_session()  # automatic layer names start afresh
    keras.utils.set_random_seed(3)
    model = MODELS[name]()
    for index, weight in enumerate(model.trainable_variables):
        weight.assign(numbers(*weight.shape) * (0.5 + 0.05 * index))
    train(model, 1)
    model.optimizer.learning_rate = 0.5 * float(model.optimizer.learning_rate)
    return model


def train(model, epochs):
    """Train without randomness. An epoch has three batches."""
    x = {"x": X, "ids": IDS} if len(model.inputs) == 2 else X
    model.fit(x, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0)
    return model


def weights(model):
    """The weights as float32, by number."""
    arrays = [keras.ops.cast(w, "float32") for w in model.weights]
    return {f"{i}": keras.ops.convert_to_numpy(a) for i, a in enumerate(arrays)}


def build(l2=0.0):
    """What the search builds."""
    keras.utils.set_random_seed(3)
    layer = keras.layers.Dense(1, kernel_regularizer=kd.L2(l2), name="dense")
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


STRENGTHS = [0.001, 0.01, 0.1, 1.0]


def search(memory=None):
    """A search over four strengths, not fitted."""
    return kd.DecaySearchCV(
        build, {"l2": STRENGTHS}, cv=3, epochs=4, batch_size=4, memory=memory,
        verbose=False,
    )  # fmt: skip


def swept():
    """A sweep over the same strengths."""
    return kd.sweep(
        build, {"l2": STRENGTHS}, X, Y, epochs=3, batch_size=4, seeds=2,
        validation_split=0.25, verbose=False,
    )  # fmt: skip


class Own(keras.Model):
    """A model whose own training step computes no loss."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1, kernel_regularizer=kd.L2(0.1))

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        return {"loss": 0.0}


def curve(path):
    """A callback that records all that a curve can hold."""
    return kd.LearningCurve(
        path,
        live=False,
        track_penalty="layers",
        track_norms=True,
        track_batches=2,
        reevaluate=(X, Y),
    )


def recorded():
    """A model for a curve, with penalties in the loss and a decay by argument."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    dense = keras.layers.Dense
    layers = [
        dense(3, "tanh", kernel_regularizer=kd.L1(0.01), activity_regularizer="l2"),
        dense(1, kernel_regularizer=kd.L2(0.01)),
    ]
    model = keras.Sequential([keras.Input((4,)), *layers])
    optimizer = kd.AdamW(0.01, 0.1, rules=[("bias", 0.01, "independent")])
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def record(model, path, epochs, **others):
    """Record a training, with validation in every second epoch."""
    model.fit(
        X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0,
        validation_data=(X[:4], Y[:4]), validation_freq=2, callbacks=[curve(path)],
        **others,
    )  # fmt: skip
