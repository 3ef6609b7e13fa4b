"""The compiled program against a plain loop over `fit`, in every epoch."""

import re

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import keras_decay as kd
from keras_decay.ground.backend import programs
from keras_decay.search._run import run
from keras_decay.search._template import obstacle
from keras_decay.search._work import Data, Job, Settings, Split, Task

SIZE, EPOCHS = 16, 3


def build(l2=1e-3, rate=1e-3):
    model = keras.Sequential(
        [
            keras.Input((10,)),
            keras.layers.Dense(16, "relu", kernel_regularizer=kd.L2(l2)),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), "mse", metrics=["mae"])
    return model


@pytest.fixture(scope="module")
def job():
    x = np.random.default_rng(0).normal(size=(61, 10)).astype("float32")
    rows = np.arange(61)
    # 41 and 40 rows to train on: the last batch has 9 or 8, and 20 or 21 are held out.
    splits = [Split(rows[:41], rows[41:]), Split(rows[21:], rows[:21])]
    candidates = [{"l2": 1e-3}, {"l2": 0.1, "rate": 0.01}]
    settings = Settings(EPOCHS, batch_size=SIZE, predict=True, keep_weights=True)
    return Job(build, candidates, splits, Data(x, x[:, :1] ** 2), settings)


def by_fit(job, task):
    """Oracle: `fit` on the same rows in the order of `epoch_order`, and its weights."""
    keras.utils.set_random_seed(task.seed)
    model = build(**job.candidates[task.candidate])
    split, data = job.splits[task.split], job.data
    held_out = data.x[split.valid], data.y[split.valid]
    history: dict[str, list[float]] = {}
    for epoch in range(EPOCHS):
        order = kd.search.epoch_order(task.seed, epoch, len(split.train))
        rows = split.train[order]
        logs = model.fit(
            data.x[rows],
            data.y[rows],
            batch_size=SIZE,
            shuffle=False,
            validation_data=held_out,
            verbose=0,
        ).history
        for name, (value,) in logs.items():
            history.setdefault(name, []).append(value)
    return history, model.get_weights()


def test_every_epoch_equals_fit(job):
    tasks = [Task(c, s, seed) for c in (0, 1) for s in (0, 1) for seed in (0, 1)]
    outcomes, report = run(job, tasks, max_parallel=3)
    assert {o.engine for o in outcomes} == {"vectorized"}
    (group,) = report.groups  # the numbers alone differ
    assert group["compilations"] == programs.current().COMPILES
    for task in (tasks[0], tasks[7]):  # they differ in all three
        outcome = outcomes[tasks.index(task)]
        history, weights = by_fit(job, task)
        assert {"loss", "mae", "val_loss", "val_mae"} <= set(history)
        for name, values in history.items():
            np.testing.assert_allclose(outcome.history[name], values, rtol=1e-4)
        for ours, theirs in zip(outcome.weights, weights, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
        split = job.splits[task.split]
        assert outcome.predictions.shape == (len(split.valid), 1)
        residual = outcome.predictions - job.data.y[split.valid]
        last = outcome.history["val_data_loss"][-1]
        np.testing.assert_allclose(np.mean(residual**2), last, rtol=1e-4)


def test_models_of_other_structure_are_other_groups(job):
    from keras_decay.search._groups import groups_of

    def other(units, l2):
        model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(units)])
        model.add(keras.layers.Dense(1, kernel_regularizer=kd.L2(l2)))
        model.compile("sgd", "mse")
        return model

    grid = [{"units": u, "l2": v} for u in (2, 3) for v in (0.1, 0.2)]
    new = Job(other, grid, job.splits, job.data, job.settings)
    groups = groups_of(new, range(4), 0)
    assert [group.candidates for group in groups] == [[0, 1], [2, 3]]


def images():
    return [
        *(keras.layers.Reshape((8, 8, 1)), keras.layers.Conv2D(3, 3, padding="same")),
        *(keras.layers.MaxPooling2D(), keras.layers.DepthwiseConv2D(2)),
        keras.layers.Flatten(),
    ]


def sequences():
    return [keras.layers.Reshape((8, 8)), keras.layers.LSTM(3)]


def unrolled():
    return [keras.layers.Reshape((8, 8)), keras.layers.LSTM(3, unroll=True)]


def tokens():
    return [keras.layers.Embedding(17, 2), keras.layers.LSTM(2, dropout=0.0)]


# All on PyTorch, which has its own ways of laying out images and of drawing numbers,
# and where nothing takes seconds to compile.
LAYERS = {
    "torch": [images, sequences, tokens],
    "tensorflow": [images, unrolled],
    "jax": [images],
}


@pytest.mark.slow
@pytest.mark.each
@pytest.mark.parametrize("layers", LAYERS[keras.backend.backend()])
def test_layers_of_many_kinds_are_trained_at_once(layers):
    x, y = load_digits(return_X_y=True)
    x, y = x[:60], y[:60, None] / 9

    def build(l2):
        last = keras.layers.Dense(1, kernel_regularizer=kd.L2(l2))
        model = keras.Sequential([keras.Input((64,)), *layers(), last])
        model.compile("sgd", "mse")
        return model

    found = {}
    for engine in ("vectorized", "sequential"):
        found[engine] = kd.sweep(
            *(build, {"l2": [0.01, 0.1]}, x, y),
            epochs=2,
            validation_split=0.2,
            engine=engine,
            verbose=False,
        ).final["val_data_loss"]
    np.testing.assert_allclose(found["vectorized"], found["sequential"], rtol=1e-4)


def noisy():
    layers = [keras.layers.GaussianNoise(0.1), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile("sgd", "mse")
    return model


def accumulating():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(gradient_accumulation_steps=2), "mse")
    return model


def recurrent():
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.GRU(2)])
    model.compile("sgd", "mse")
    return model


# What cannot be stacked, by backend.
OBSTACLES = {
    "torch": {
        noisy: "the layer 'gaussian_noise.*' draws random numbers, on PyTorch",
        accumulating: "gradients are accumulated, on torch",
    },
    "tensorflow": {
        accumulating: "gradients are accumulated, on tensorflow",
        recurrent: r"the layer 'gru.*' is not unrolled \(unroll=True\), on TensorFlow",
    },
}


@pytest.mark.parametrize("model", [noisy, accumulating, recurrent])
def test_what_a_backend_cannot_train_at_once_is_named(model):
    expected = OBSTACLES.get(keras.backend.backend(), {}).get(model)
    found = obstacle(model())
    if expected is None:
        assert found is None
    else:
        assert re.fullmatch(expected, found)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's modules")
def test_a_module_of_pytorch_is_left_to_fit():
    """Its weights are not those that the program has: it would not be trained."""
    import torch

    layer = keras.layers.TorchModuleWrapper(torch.nn.Linear(3, 1), name="own")
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile("sgd", "mse")
    assert obstacle(model) == "the layer 'own' is a module of PyTorch"


def test_smaller_models_are_trained_more_at_once():
    width = programs.current().width
    if keras.backend.backend() == "torch":
        assert [width(n) for n in (0, 10**4, 10**5, 10**9)] == [128, 128, 20, 8]
    else:
        assert width(0) == width(10**9) == 8


ONE_PROGRAM = """
import keras
import numpy as np

import keras_decay as kd


def build(l2):
    layers = [keras.layers.Dense(4, "relu", kernel_regularizer=kd.L2(l2))]
    model = keras.Sequential([*layers, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


x = np.random.default_rng(0).normal(size=(41, 3)).astype("float32")
search = kd.DecaySearchCV(
    build, {"l2": [0.1, 0.2, 0.3]}, cv=3, epochs=40, batch_size=8, refit=False,
    max_parallel=2, verbose=False, scoring="r2",
)
search.fit(x, x[:, 0])
print(search.report_.groups[0]["compilations"])
"""


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's XLA tells"
)
def test_xla_compiles_once_for_all_folds_and_epochs(run_python):
    """A trace is not all: XLA can compile one anew for other numbers in it."""
    log = {"TF_CPP_MIN_LOG_LEVEL": "0", "TF_CPP_VMODULE": "device_compiler=1"}
    done = run_python(ONE_PROGRAM, environment=log)
    assert done.stdout.strip() == "1"
    assert done.stderr.count("Compilation of XLA executable time") == 1
