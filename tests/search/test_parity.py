"""Twenty random configurations: the vectorised member equals a plain `fit`.

All on PyTorch, and elsewhere the first few of those that together have every feature
twice; KERAS_DECAY_PARITY=20 asks for all. All are slow.

Oracle: `model.fit` of Keras on the same batches in the same order, from the same seed,
with its own `EarlyStopping` and `sample_weight`.
"""

import os

import keras
import numpy as np
import pytest
from sklearn import datasets
from sklearn.preprocessing import scale

import keras_decay as kd
from keras_decay.experiments import _double
from keras_decay.ground.backend import programs
from keras_decay.search._run import run
from keras_decay.search._work import Data, Job, Settings, Split, Stopping, Task

EPOCHS = 20
# What each configuration may have, and each occurs in several.
FEATURES = (
    "dropout",
    "normalization",
    "sample weights",
    "early stopping",
    "best weights",
    "momentum",
    "not a number",
    "classification",
    "float64",
    "unequal folds",
)
OPTIMIZERS = ("Adam", "SGD", "AdamW", "RMSprop", "Decoupled", "Nadam", "Adagrad")
PENALTIES = (
    lambda v: kd.L2(v),
    lambda v: keras.regularizers.L2(v),
    lambda v: keras.regularizers.L1L2(v, v),
    lambda v: kd.GroupLasso(v, axis=-1) + kd.L1(v / 2),
    lambda v: 0.5 * kd.MCP(v, gamma=3.0),
)


def configurations():
    """Twenty, drawn at random; every feature in at least four, Adam in at least two."""
    rng = np.random.default_rng(6)
    found = [set() for _ in range(20)]
    for feature in FEATURES:
        for i in rng.permutation(20)[: rng.integers(4, 8)]:
            found[i].add(feature)
    for i, features in enumerate(found):
        optimizer = OPTIMIZERS[i % len(OPTIMIZERS)]
        if "momentum" in features:
            optimizer = "momentum"
        unequal = "unequal folds" in features
        yield {
            "features": features,
            "optimizer": optimizer,
            "penalty": int(rng.integers(len(PENALTIES))),
            "layers": int(rng.integers(1, 3)),
            "units": int(rng.choice([8, 12])),
            "activation": str(rng.choice(["relu", "tanh", "gelu"])),
            "batch_size": int(rng.choice([16, 25])) if unequal else 16,
            "rows": int(rng.choice([62, 90])) if unequal else 64,
            "strengths": 10 ** rng.uniform(-4, -1, 3),
            "rates": 10 ** rng.uniform(-3, -2, 3),
            "seed": int(rng.integers(100)),
        }


def by_coverage(configs):
    """These that together have every feature, and Adam, twice; and then the others."""
    first, left = [], list(configs)
    missing = dict.fromkeys((*FEATURES, "Adam"), 2)

    def gain(config):
        return sum(missing[f] > 0 for f in missing if f in has(config))

    while any(count > 0 for count in missing.values()):
        best = max(left, key=gain)
        left = [config for config in left if config is not best]
        first.append(best)
        for feature in has(best) & set(missing):
            missing[feature] -= 1
    return first, left


def has(config):
    return config["features"] | {config["optimizer"]}


FIRST, OTHERS = by_coverage(configurations())
CONFIGURATIONS = [*FIRST, *OTHERS]
# By default all where nothing is compiled; elsewhere the first few, since program and
# `fit` take many seconds to compile for each.
FEW = 5
COUNT = len(CONFIGURATIONS) if keras.backend.backend() == "torch" else FEW
COUNT = int(os.environ.get("KERAS_DECAY_PARITY", COUNT))


def name(config):
    return ", ".join([config["optimizer"], *sorted(config["features"])])


def optimizer_of(config, rate, strength):
    if config["optimizer"] == "momentum":
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=config["units"] == 8)
    if config["optimizer"] == "Decoupled":
        inner = keras.optimizers.Adam(rate)
        return kd.DecoupledWeightDecay(inner, weight_decay=strength)
    if config["optimizer"] == "AdamW":
        return keras.optimizers.AdamW(rate, weight_decay=strength)
    return getattr(keras.optimizers, config["optimizer"])(rate)


def job_of(config):
    features = config["features"]
    # Without a seed of its own dropout draws from PyTorch's global generator, as the
    # loader of data that `fit` makes does too.
    seed = config["seed"] if keras.backend.backend() == "torch" else None

    def build(strength, rate):
        layers = []
        for _ in range(config["layers"]):
            penalty = PENALTIES[config["penalty"]](strength)
            layers.append(
                keras.layers.Dense(
                    config["units"], config["activation"], kernel_regularizer=penalty
                )
            )
            if "normalization" in features:
                layers.append(keras.layers.BatchNormalization(momentum=0.9))
            if "dropout" in features:
                layers.append(keras.layers.Dropout(0.3, seed=seed))
        if "classification" in features:
            layers.append(keras.layers.Dense(3, "softmax"))
            loss, metric = "sparse_categorical_crossentropy", "accuracy"
        else:
            layers.append(keras.layers.Dense(1))
            loss, metric = "mse", "mae"
        model = keras.Sequential(layers)
        optimizer = optimizer_of(config, rate, strength)
        # TensorFlow need not have XLA compile the oracle, but XLA draws other random
        # numbers. JAX is slow without.
        is_compiled = keras.backend.backend() == "jax" or (
            keras.backend.backend() == "tensorflow" and "dropout" in features
        )
        model.compile(optimizer, loss, metrics=[metric], jit_compile=is_compiled)
        return model

    load = datasets.load_diabetes
    if "classification" in features:
        load = datasets.load_wine
    x, y = load(return_X_y=True)
    rows = np.random.default_rng(config["seed"]).permutation(len(x))[: config["rows"]]
    x, y = scale(x[rows]), y[rows]
    if "classification" not in features:
        y = scale(y)[:, None]
    floatx = keras.config.floatx()
    weight = None
    if "sample weights" in features:
        weight = np.random.default_rng(1).uniform(0.1, 3, len(x)).astype(floatx)
    stopping = None
    if features & {"early stopping", "best weights"}:
        stopping = Stopping(
            "val_loss", patience=2, restore_best_weights="best weights" in features
        )
    rows = np.arange(len(x))
    if "unequal folds" in features:  # each with a smaller last batch of its own
        third = len(x) // 3
        splits = [Split(rows[third:], rows[:third]), Split(rows[:-9], rows[-9:])]
    else:
        splits = [Split(rows[16:], rows[:16]), Split(rows[:-16], rows[-16:])]
    candidates = [
        {"strength": float(strength), "rate": float(rate)}
        for strength, rate in zip(config["strengths"], config["rates"], strict=True)
    ]
    if "not a number" in features:
        candidates[1]["rate"] = 1e30 if floatx == "float32" else 1e300
    settings = Settings(
        EPOCHS,
        config["batch_size"],
        stopping=stopping,
        predict=True,
        keep_weights=True,
    )
    data = Data(x.astype(floatx), y, weight, weight)
    return Job(build, candidates, splits, data, settings)


def batches(job, task):
    """The batches of all epochs, one after the other, in the order of `epoch_order`."""
    rows, size = job.splits[task.split].train, job.settings.batch_size
    for epoch in range(EPOCHS):
        order = rows[kd.search.epoch_order(task.seed, epoch, len(rows))]
        for first in range(0, len(rows), size):
            yield _parts(job.data, order[first : first + size])


def _parts(data, rows):
    parts = (data.x[rows], data.y[rows])
    return parts if data.weight is None else (*parts, data.weight[rows])


def by_fit(job, task):
    keras.utils.set_random_seed(task.seed)
    model = job.build(**job.candidates[task.candidate])
    callbacks, rule = [], job.settings.stopping
    if rule is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                patience=rule.patience, restore_best_weights=rule.restore_best_weights
            )
        )
    held_out = _parts(job.data, job.splits[task.split].valid)
    history = model.fit(
        batches(job, task),
        epochs=EPOCHS,
        steps_per_epoch=-(
            -len(job.splits[task.split].train) // job.settings.batch_size
        ),
        validation_data=held_out,
        validation_batch_size=job.settings.batch_size,
        callbacks=callbacks,
        verbose=0,
    ).history
    return history, model.predict(held_out[0], verbose=0)


def cases():
    """The first ones go by turns; those that few backends run have none."""
    for place, config in enumerate(CONFIGURATIONS[:COUNT]):
        marks = [pytest.mark.slow] + [pytest.mark.each] * (place >= FEW)
        yield pytest.param(config, marks=marks, id=name(config))


@pytest.mark.parametrize("config", list(cases()))
def test_the_vectorised_member_equals_fit(config):
    if "float64" in config["features"]:
        with _double.precision():
            check(config)
    else:
        check(config)


def check(config):
    job = job_of(config)
    tasks = [Task(c, s, config["seed"]) for c in range(3) for s in range(2)]
    outcomes, report = run(job, tasks, max_parallel=3)
    assert {outcome.engine for outcome in outcomes} == {"vectorized"}
    (group,) = report.groups
    assert group["compilations"] == programs.current().COMPILES
    # A task that trains as it should, in either fold; and the one that diverges.
    diverges = "not a number" in config["features"]
    compared = [tasks[4 + config["seed"] % 2]]
    if diverges:
        compared.append(tasks[3])
    for task in compared:
        outcome = outcomes[tasks.index(task)]
        history, predictions = by_fit(job, task)
        for key, values in history.items():
            np.testing.assert_allclose(
                outcome.history[key], values, rtol=1e-4, err_msg=key
            )
        np.testing.assert_allclose(
            outcome.predictions, predictions, rtol=1e-3, atol=1e-4
        )
    finite = [bool(np.all(np.isfinite(o.history["loss"]))) for o in outcomes]
    assert finite == [t.candidate != 1 or not diverges for t in tasks]


def test_every_feature_occurs():
    assert len(CONFIGURATIONS) == 20
    for feature in (*FEATURES, "Adam"):
        assert sum(feature in has(c) for c in FIRST) >= 2
    for config in CONFIGURATIONS:
        rows, size = config["rows"], config["batch_size"]
        if "unequal folds" in config["features"]:
            rests = {(rows - rows // 3) % size, (rows - 9) % size}
            assert len(rests) == 2 and 0 not in rests
