"""What else a row holds: by layer, by batch, by weight, and the training data again."""

import csv
import tracemalloc
import warnings
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops
from support import slow

import keras_decay as kd
from keras_decay.callbacks import LearningCurve
from keras_decay.callbacks.measure import batches as _batches
from keras_decay.callbacks.output import tensorboard
from keras_decay.ground import backend

BACKEND = keras.backend.backend()


def frozen():
    """An optimizer that changes nothing, so that oracles can be computed afterwards."""
    return keras.optimizers.SGD(0.0)


def fit(model, *args, curve, **settings):
    settings = {"epochs": 2, "batch_size": 16, "verbose": 0, **settings}
    model.fit(*args, callbacks=[curve], **settings)
    return curve.rows


def test_everything_at_once(build, data):
    """Oracles: Keras' regularizers on the weights, and losses by NumPy, in one fit."""
    x, y = data
    model = build(optimizer=frozen(), dropout=0.5)
    model.layers[-1].kernel.assign(ops.zeros((8, 1)))
    curve = LearningCurve(
        track_penalty="layers",
        track_norms=True,
        track_batches=2,
        reevaluate=(x[:48], y[:48]),
    )
    # Whole batches, in their order.
    history = model.fit(
        x[:48],
        y[:48],
        epochs=2,
        batch_size=12,
        shuffle=False,
        verbose=0,
        validation_data=data,
        callbacks=[curve],
    )
    kernel, bias = (ops.convert_to_numpy(w) for w in model.layers[0].weights)
    of_weights = 0.5 * ((kernel**2).sum() + abs(bias).sum())
    by_batch = (y[:48].reshape(4, 12) ** 2).mean(axis=1)
    for row in curve.rows:
        path = model.layers[0].path
        assert list(row["penalties"]) == [path, "other"]
        np.testing.assert_allclose(row["penalties"][path], of_weights, rtol=1e-5)
        np.testing.assert_allclose(
            sum(row["penalties"].values()), row["penalty"], rtol=1e-5
        )
        first = 4 * row["epoch"]
        assert row["batches"]["step"] == [first + 1, first + 3]
        np.testing.assert_allclose(
            row["batches"]["data_loss"], by_batch[::2], rtol=1e-5
        )
        assert row["batches"]["penalty"][0] > of_weights
        zero = model.layers[-1].kernel.path
        assert row["norms"][zero] == 0 and row["zeros"][zero] == 1
        assert row["zeros"][model.layers[0].kernel.path] == 0
        assert "decay" not in row
    # None of it is in Keras' own logs.
    assert set(history.history) == {
        f"{kind}{name}"
        for kind in ("", "val_")
        for name in ("loss", "mse", "data_loss", "penalty")
    }
    oracle = model.evaluate(x[:48], y[:48], return_dict=True, verbose=0)
    for name, value in oracle.items():
        np.testing.assert_allclose(row[f"train_{name}"], value, rtol=1e-6)
    np.testing.assert_allclose(row["train_data_loss"], oracle["mse"], rtol=1e-6)


@pytest.mark.slow
def test_another_callback_that_evaluates_does_not_disturb_the_layers(build, data):
    class Evaluates(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.evaluate(100 * data[0], data[1], verbose=0)

    model, curve = build(), LearningCurve(track_penalty="layers")
    model.fit(*data, epochs=2, verbose=0, callbacks=[Evaluates(), curve])
    for row in curve.rows:
        total = sum(row["penalties"].values())
        np.testing.assert_allclose(total, row["penalty"], rtol=1e-5)


@pytest.mark.slow
def test_layers_frozen_between_two_fits(build, data):
    """A frozen layer's penalty is no longer in Keras' loss, nor in the rows."""
    model, curve = build(), LearningCurve(track_penalty="layers")
    fit(model, *data, curve=curve, epochs=1)
    model.layers[0].trainable = False
    optimizer = keras.optimizers.Adam()
    model.compile(optimizer, "mse", metrics=["mse"])
    other = LearningCurve(track_penalty="layers")
    fit(model, *data, curve=other, epochs=1)
    assert list(other.rows[0]["penalties"]) == ["other"]
    curve.rows.clear()
    assert list(fit(model, *data, curve=curve, epochs=1)[0]["penalties"]) == ["other"]


def test_a_model_without_penalties(data):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    for row in fit(model, *data, curve=LearningCurve(track_penalty="layers")):
        assert row["penalty"] == 0 and row["penalties"] == {}
        assert row["data_loss"] == row["loss"]


def test_batches_neither_grow_nor_cluster():
    batches = _batches.SampledBatches(10)
    for length in (100_000, 7, 3000):
        batches.begin()
        for step in range(length):
            if batches.wants_next():
                batches.keep(step, (0.0, 0.0))
            assert len(batches._kept) <= 10
        steps = batches.columns()["step"]
        # The stride of a longer epoch before is kept, which loses nothing but detail.
        assert steps[0] == 0 and len(set(np.diff(steps))) <= 1
        assert len(steps) >= 5 or length < 100_000


@pytest.mark.skipif(BACKEND == "torch", reason="Keras has it on TensorFlow and JAX")
def test_batches_with_several_steps_per_execution(build, data):
    """Oracle: NumPy, on the last batch of each execution."""
    x, y = data
    model = build(optimizer=frozen(), strength=0.0, steps_per_execution=2)
    curve = LearningCurve(track_batches=5)
    fit(model, x[:48], y[:48], curve=curve, batch_size=12, shuffle=False)
    errors = ((model.predict(x[:48], verbose=0) - y[:48]) ** 2).reshape(4, 12)
    found = curve.rows[1]["batches"]
    assert found["step"] == [6, 8]
    np.testing.assert_allclose(found["data_loss"], errors.mean(1)[1::2], rtol=1e-5)


@pytest.mark.parametrize("coupling", ["learning_rate", "schedule", "corrected"])
def test_the_decay_is_what_weights_undergo(data, coupling):
    """Oracle: a kernel whose gradient is 0 shrinks by that fraction at every step."""
    x, y = data
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.9, staircase=True)
    rate = schedule if coupling == "corrected" else 0.5
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(rate), 0.1, coupling=coupling, base_learning_rate=0.25
    )
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile(optimizer, "mse")
    curve = LearningCurve(track_norms=True)
    # One step an epoch: the rate at its end is that of the next step.
    fit(model, 0 * x, y, curve=curve, batch_size=50, epochs=3)
    kernel = model.layers[0].kernel.path
    for before, row in zip(curve.rows, curve.rows[1:], strict=False):
        shrunk = 1 - row["norms"][kernel] / before["norms"][kernel]
        assert shrunk == pytest.approx(before["decay"], rel=1e-4)
    assert curve.rows[0]["decay"] == pytest.approx(
        {"learning_rate": 0.05, "schedule": 0.2, "corrected": 0.45**2 / 0.25 * 0.1}[
            coupling
        ]
    )


def test_the_decay_of_rules_and_under_loss_scaling(data):
    rules = [("kernel", 0.1), ("bias", 0.01, "independent")]
    inner = kd.DecoupledWeightDecay(keras.optimizers.SGD(0.5), 0.2, rules=rules)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.LossScaleOptimizer(inner), "mse")
    (row,) = fit(model, *data, curve=LearningCurve(), epochs=1)
    expected = {"weight_decay": 0.1, "rules[0][1]": 0.05, "rules[1][1]": 0.01}
    assert row["decay"] == pytest.approx(expected)


def test_to_evaluate_again_changes_no_training(build, data):
    def train(callbacks):
        model = build(dropout=0.3)
        model.fit(*data, epochs=2, batch_size=16, verbose=0, callbacks=callbacks)
        return model.get_weights()

    curve = LearningCurve(reevaluate=data, track_penalty="layers", track_batches=4)
    for ours, plain in zip(train([curve]), train([]), strict=True):
        np.testing.assert_array_equal(ours, plain)
    assert "val_loss" not in curve.rows[0]


class Sequence(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 2

    def __getitem__(self, index):
        part = slice(25 * index, 25 * index + 25)
        return self.x[part], self.y[part]


@pytest.mark.parametrize(
    "kind",
    [
        "arrays",
        slow("sequence"),
        pytest.param(
            "dataset", marks=[pytest.mark.needs("tensorflow"), *slow(0).marks]
        ),
    ],
)
def test_data_that_can_be_evaluated_again(build, data, kind):
    """Oracle: the metric of a model that does not change."""
    given = data if kind == "arrays" else Sequence(*data)
    if kind == "dataset":
        import tensorflow as tf

        given = tf.data.Dataset.from_tensor_slices(data).batch(25)
    model, curve = build(optimizer=frozen()), LearningCurve(reevaluate=given)
    x = data if kind == "arrays" else (given,)
    for row in fit(model, *x, curve=curve, batch_size=None):
        np.testing.assert_allclose(row["train_mse"], row["mse"], rtol=1e-6)
        np.testing.assert_allclose(row["train_data_loss"], row["mse"], rtol=1e-6)


def test_data_evaluated_again_count_as_given(build, data):
    """Oracle: Keras' own evaluation with the same weights of rows."""
    weights = np.linspace(0, 2, len(data[0])).astype("float32")
    model = build(optimizer=frozen(), strength=0.0)
    curve = LearningCurve(reevaluate=(*data, weights))
    (row,) = fit(model, *data, curve=curve, epochs=1)
    expected = model.evaluate(*data, sample_weight=weights, verbose=0)[0]
    np.testing.assert_allclose(row["train_data_loss"], expected, rtol=1e-6)


@pytest.mark.parametrize("endless", [False, True])
def test_data_that_cannot_be_evaluated_again_are_refused(data, endless):
    class Endless(Sequence):
        @property
        def num_batches(self):
            return None

    given = Endless(*data) if endless else (one for one in [data])
    must = "an end" if endless else "more than once.*generator"
    with pytest.raises(ValueError, match=f"`reevaluate` must be data that .*{must}"):
        LearningCurve(reevaluate=given)


def test_reevaluate_as_a_boolean_is_deprecated(build, data):
    with pytest.warns(FutureWarning, match=r"reevaluate=\(x, y\)"):
        curve = LearningCurve(reevaluate=True)
    (row,) = fit(build(), *data, curve=curve, epochs=1)
    assert not any(key.startswith("train_") for key in row)


class Late(keras.callbacks.Callback):
    """A metric of the user's that is there in the third epoch alone."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2:
            logs["late"] = 7.0


@pytest.mark.slow
@pytest.mark.needs("pandas")
def test_tables_have_as_many_cells_in_every_row(build, data, tmp_path):
    curve = LearningCurve(track_penalty="layers", track_norms=True, track_batches=2)
    path = tmp_path / "run.csv"
    build().fit(
        *data,
        epochs=4,
        validation_data=data,
        validation_freq=2,
        verbose=0,
        callbacks=[Late(), curve],
    )
    curve.to_csv(path)
    with path.open(newline="") as file:
        lines = list(csv.reader(file))
    names = lines[0]
    assert {len(line) for line in lines} == {len(names)} and len(lines) == 5
    column = {name: [line[names.index(name)] for line in lines[1:]] for name in names}
    assert [bool(cell) for cell in column["val_data_loss"]] == [False, True] * 2
    assert column["late"] == ["", "", "7.0", ""]
    assert [float(cell) for cell in column["loss"]] == [r["loss"] for r in curve.rows]
    assert "penalties/other" in names and "batches" not in names
    frame = curve.to_dataframe()
    assert list(frame) == names and frame["late"].count() == 1


@pytest.mark.slow
def test_many_epochs_take_no_more_memory_than_their_rows(build, data, tmp_path):
    """Oracle: the second half of the epochs takes as much as the first."""
    curve = LearningCurve(tmp_path / "run.jsonl", track_batches=2, live=False)
    model, grown, sizes = build(), [], []

    class Goes(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            # A test run keeps every warning, and Keras on PyTorch warns in each epoch.
            warnings.simplefilter("ignore")
            tracemalloc.start()
            for count in range(1, 801):
                curve.on_epoch_begin(count)
                curve.on_epoch_end(count, dict(logs))
                if count % 400 == 0:
                    grown.append(tracemalloc.get_traced_memory()[0])
                    sizes.append(curve.path.stat().st_size)
            tracemalloc.stop()

    model.fit(*data, verbose=0, callbacks=[curve, Goes()])
    assert len(curve.rows) == 801
    assert grown[0] < 400 * 4000  # a row has about 20 numbers
    assert grown[1] - grown[0] < 1.1 * grown[0]
    # The numbers of epochs and the times have a few digits more.
    assert sizes[1] - sizes[0] < 1.1 * sizes[0]


def test_only_the_chief_writes(build, data, tmp_path, monkeypatch):
    path, figure = tmp_path / "run.jsonl", tmp_path / "run.png"
    monkeypatch.setattr(backend.current(), "is_chief", lambda model: False)
    curve = LearningCurve(path, figure=figure)
    rows = fit(build(), *data, curve=curve)
    assert [row["epoch"] for row in rows] == [0, 1]
    assert list(tmp_path.iterdir()) == []


def test_who_is_the_chief(build, monkeypatch):
    """As TensorFlow's guide, jax.process_index and torch.distributed define it."""
    is_chief, model = backend.current().is_chief, build()
    assert is_chief(model)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        def chief(role, index, *roles):
            spec = tf.train.ClusterSpec({role: ["a:1", "b:1"] for role in roles})
            resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
                spec, task_type=role, task_id=index
            )
            strategy = SimpleNamespace(cluster_resolver=resolver)
            return is_chief(SimpleNamespace(distribute_strategy=strategy))

        assert chief("worker", 0, "worker") and not chief("worker", 1, "worker")
        assert not chief("worker", 0, "worker", "chief")
        assert chief("chief", 0, "worker", "chief")
        assert not chief("evaluator", 0, "worker", "evaluator")
    elif BACKEND == "jax":
        monkeypatch.setattr("jax.process_index", lambda: 1)
        assert not is_chief(model)
    else:
        monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
        for rank in (0, 1):
            monkeypatch.setattr("torch.distributed.get_rank", lambda rank=rank: rank)
            assert is_chief(model) == (rank == 0)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"track_penalty": "layer"}, TypeError),
        ({"track_batches": 0}, ValueError),
        ({"track_batches": True}, TypeError),
        ({"reevaluate": 1}, TypeError),
        ({"tensorboard": 3}, TypeError),
    ],
    ids=str,
)
def test_bad_arguments_are_named(arguments, error):
    with pytest.raises(error, match=f"`{next(iter(arguments))}`"):
        LearningCurve(**arguments)


@pytest.mark.slow
@pytest.mark.needs("tensorboard")
def test_tensorboard(build, data, tmp_path):
    """Oracle: what TensorBoard itself reads, of a run that was restarted."""
    from tensorboard.backend.event_processing import event_accumulator as reader

    path, folder = tmp_path / "run.jsonl", tmp_path / "board"
    settings = {"epochs": 2, "validation_data": data, "verbose": 0}
    model = build()

    def curve():
        return LearningCurve(path, tensorboard=folder, track_penalty="layers")

    model.fit(*data, callbacks=[curve()], **settings)
    model.save(tmp_path / "model.keras")
    model.fit(*data, callbacks=[curve()], **settings)
    model = keras.models.load_model(tmp_path / "model.keras")
    last = curve()
    model.fit(*data, callbacks=[last], **{**settings, "epochs": 3})
    for name, prefix in (("train", ""), ("validation", "val_")):
        read = reader.EventAccumulator(str(folder / name))
        read.Reload()
        assert {"loss", "data_loss", "penalty"} <= set(read.Tags()["scalars"])
        scalars = read.Scalars("data_loss")
        assert [one.step for one in scalars] == [0, 1, 2, 3, 4]
        expected = [row[f"{prefix}data_loss"] for row in last.rows]
        np.testing.assert_allclose([one.value for one in scalars], expected, rtol=1e-6)
        if name == "train":
            layer = f"penalties/{model.layers[0].path}"
            assert layer in read.Tags()["scalars"]


@pytest.mark.needs("tensorboard")
def test_a_board_that_cannot_be_written_is_said_before_training(build, data, tmp_path):
    (tmp_path / "board").write_text("a file")
    model = build()
    with pytest.raises(OSError, match="`tensorboard` cannot be written"):
        fit(model, *data, curve=LearningCurve(tensorboard=tmp_path / "board"))
    assert int(model.optimizer.iterations) == 0


@pytest.mark.needs("tensorboard")
def test_a_board_that_fails_does_not_cost_the_training(
    build, data, tmp_path, monkeypatch
):
    def fail(step, scalars):
        raise OSError("disk full")

    monkeypatch.setattr(tensorboard, "_event", fail)
    curve = LearningCurve(tensorboard=tmp_path / "board")
    with pytest.warns(UserWarning, match="disk full"):
        fit(build(), *data, curve=curve)
    assert len(curve.rows) == 2


def test_without_tensorboard_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboard.compat.proto", None)
    monkeypatch.setitem(__import__("sys").modules, "tensorboard", None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        LearningCurve(tensorboard="board")
