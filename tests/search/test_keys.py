"""Outcomes in a memory never stand for one another: all that a key is made of."""

import warnings

import keras
import numpy as np
import pytest
import searches
from support import mostly_slow

import keras_decay as kd
from keras_decay.search import _fingerprint, _run
from keras_decay.search._building import build_model
from keras_decay.search._conditions import Conditions
from keras_decay.search._fingerprint import Keys
from keras_decay.search._signature import signature
from keras_decay.search._work import Data, Job, Settings, Split, Stopping, Task

X, Y, ROWS = searches.X, searches.Y, searches.ROWS
WEIGHT = np.linspace(1, 2, 40).astype("float32")
STOPPING = {
    **{"monitor": "val_loss", "patience": 2, "min_delta": 0.1, "mode": "min"},
    **{"baseline": 1.0, "restore_best_weights": False, "start": 1},
}
SETTINGS = {
    **{"epochs": 2, "batch_size": 10, "shuffle": True, "predict": False},
    **{"keep_weights": False, "stopping": Stopping(**STOPPING)},
}
DATA = {"x": X, "y": Y, "weight": WEIGHT, "valid_weight": WEIGHT}
SPLIT = {"train": ROWS[:27], "valid": ROWS[27:]}


def key(
    build=searches.build,
    params=None,
    seed=0,
    engine="auto",
    built=0,
    data=None,
    split=None,
    settings=None,
):
    """The key of a task that has this of its own."""
    params = {"l2": 0.01} if params is None else params
    data = Data(**{**DATA, **(data or {})})
    settings = Settings(**{**SETTINGS, **(settings or {})})
    job = Job(build, [params], [Split(**{**SPLIT, **(split or {})})], data, settings)
    keys = Keys(job, engine)
    keys.see(0, build_model(build, params, built, X))
    return keys.of(Task(0, 0, seed))


def last_changed(array):
    """Only the last row: no sample of the rows tells."""
    changed = array.copy()
    changed[-1] += 1
    return changed


def by_row(change):
    return last_changed(ROWS[:27]) if change == "train" else last_changed(ROWS[27:]) - 1


def with_another_constant(l2):
    _ = "a word that is not used"
    return searches.build(l2)


class Stepping(keras.Sequential):
    """Trains in a way that no config tells."""

    def train_step(self, *arguments):
        return super().train_step(*arguments)


def stepping(momentum, step=0.0):
    model = Stepping([keras.Input((3,)), keras.layers.Dense(1)])
    model.step = step
    model.compile(keras.optimizers.SGD(0.1, momentum=momentum), "mse")
    return model


def further_on(count):
    model = searches.build()
    model.optimizer.iterations.assign(count)
    return model


def weighing(delta):
    layers = [keras.Input((3,)), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile("sgd", keras.losses.Huber(delta=delta))
    return model


def at_a_rate(rate):
    model = searches.build()
    model.optimizer.learning_rate = rate
    return model


CHANGES = {
    "the seed": {"seed": 1},
    "the engine": {"engine": "sequential"},
    "the code": {"build": with_another_constant},
    "the strength": {"params": {"l2": 0.02}},
    "a setting that changes nothing yet": {"params": {"l2": 0.01, "eager": True}},
    "the initial weights": {"built": 1},
    **{f"the data's {k}": {"data": {k: last_changed(v)}} for k, v in DATA.items()},
    "no weights": {"data": {"weight": None}},
    "no weights of held-out rows": {"data": {"valid_weight": None}},
    "the type of x": {"data": {"x": X.astype("float64")}},
    "the rows to train on": {"split": {"train": by_row("train")}},
    "the rows held out": {"split": {"valid": ROWS[27:][::-1]}},
    "a row less to train on": {"split": {"train": ROWS[:26]}},
    "rows on the other side": {"split": {"train": ROWS[:26], "valid": ROWS[26:]}},
    "epochs": {"settings": {"epochs": 3}},
    "batch_size": {"settings": {"batch_size": 11}},
    "shuffle": {"settings": {"shuffle": False}},
    "predictions": {"settings": {"predict": True}},
    "kept weights": {"settings": {"keep_weights": True}},
    "no early stopping": {"settings": {"stopping": None}},
    **{
        f"early stopping's {name}": {
            "settings": {"stopping": Stopping(**{**STOPPING, name: value})}
        }
        for name, value in {
            **{"monitor": "loss", "patience": 3, "min_delta": 0.2, "mode": "max"},
            **{"baseline": None, "restore_best_weights": True, "start": 2},
        }.items()
    },
}
# Two values of one parameter each.
PAIRS = {
    "momentum": (stepping, {"momentum": 0.1}, {"momentum": 0.2}),
    "what a training step reads": (
        stepping,
        {"momentum": 0.1, "step": 1.0},
        {"momentum": 0.1, "step": 2.0},
    ),
    "the optimizer's state": (further_on, {"count": 1}, {"count": 2}),
    "a number of the loss": (weighing, {"delta": 30.0}, {"delta": 40.0}),
    "the learning rate": (at_a_rate, {"rate": 0.1}, {"rate": 0.2}),
}


@pytest.fixture(scope="module")
def usual():
    return key()


@pytest.mark.parametrize("changed", mostly_slow(CHANGES, list(CHANGES)[::2]))
def test_each_of_these_makes_another_key(changed, usual):
    assert key(**CHANGES[changed]) != usual == key()


def test_the_type_of_the_data_makes_another_key():
    """Of equal bytes, and of equal losses."""
    zeros = [np.zeros((40, 1), kind) for kind in ("float32", "int32")]
    assert key(data={"y": zeros[0]}) != key(data={"y": zeros[1]})


@pytest.mark.parametrize("name", PAIRS)
def test_each_of_these_parameters_makes_another_key(name):
    build, one, other = PAIRS[name]
    assert key(build, one) == key(build, one) != key(build, other)


@pytest.mark.parametrize("name", [*Conditions._fields, "keras_decay", "backend"])
def test_other_versions_and_conditions_make_another_key(name, usual, monkeypatch):
    if name == "keras_decay":
        monkeypatch.setattr(_fingerprint.keras_decay, "__version__", "another")
    elif name == "backend":

        class Other:
            __version__ = "another"

        backend = keras.backend.backend()
        package = _fingerprint.PACKAGES[backend]
        monkeypatch.setitem(_fingerprint.PACKAGES, backend, "another")
        monkeypatch.setitem(_fingerprint.sys.modules, "another", Other)
        assert package != "another"
    else:
        others = _fingerprint.conditions()._replace(**{name: "another"})
        monkeypatch.setattr(_fingerprint, "conditions", lambda: others)
    assert key() != usual


def test_a_key_does_not_say_which_files_our_classes_are_in():
    layer = keras.layers.Dense(
        1,
        kernel_regularizer=kd.L2(0.1) + 0.5 * kd.MCP(0.1),
        kernel_constraint=kd.NormBall(1.0),
    )
    model = keras.Sequential([keras.Input((3,)), layer])
    rules = [("kernel", kd.TargetNormDecay(0.1, norm=1.0))]
    model.compile(kd.DecoupledWeightDecay(keras.optimizers.SGD(), rules=rules), "mse")
    text = signature(model, [])
    assert "keras_decay>MCP" in text and "keras_decay>TargetNormDecay" in text
    assert "keras_decay." not in text


def test_class_weights_make_another_key(monkeypatch):
    """They are weights of the rows to train on."""
    import keras_decay as kd
    from keras_decay.search import _sweep

    found = []

    def run(job, tasks, **how):
        keys = Keys(job, "auto")
        keys.see(0, build_model(job.build, job.candidates[0], 0, X))
        found.append(keys.of(tasks[0]))
        raise KeyboardInterrupt

    monkeypatch.setattr(_sweep, "run", run)
    for class_weight in (None, {0: 1.0, 1: 2.0}, {0: 1.0, 1: 3.0}):
        labels = (Y > 0.5).astype("float32")
        with pytest.raises(KeyboardInterrupt):
            kd.sweep(
                *(searches.build, {"l2": [0.01]}, X, labels),
                epochs=1,
                class_weight=class_weight,
            )
    assert len(set(found)) == 3


@pytest.mark.slow
def test_each_training_finds_its_own_outcome(tmp_path):
    """Of two candidates, two folds and three seeds with weights, all are different."""
    data = Data(X, Y, WEIGHT, WEIGHT)
    candidates = searches.strengths(2, eager=True)
    settings = Settings(epochs=2, batch_size=10, predict=True)
    job = Job(searches.build, candidates, searches.SPLITS, data, settings)
    tasks = [Task(c, s, seed) for c in range(2) for s in range(2) for seed in (0, 1, 5)]
    how = {"engine": "sequential", "memory": tmp_path / "memory"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        without, _ = _run.run(job, tasks, engine="sequential")
        first, report = _run.run(job, tasks, **how)
        assert report.remembered == 0
        again, report = _run.run(job, tasks, **how)
    assert report.remembered == len(tasks)
    searches.assert_equal(first, without)
    searches.assert_equal(again, without)
    losses = {float(outcome.history["val_data_loss"][-1]) for outcome in again}
    assert len(losses) == len(tasks)
    # Of other seeds in another order: none but that which is the same.
    others = [
        Task(c, s, seed) for c in range(2) for s in range(2) for seed in (0, 7, 1)
    ]
    _, report = _run.run(job, others, **how)
    assert report.remembered == 8
