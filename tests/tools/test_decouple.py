"""From penalties in the loss to the optimizer: the same steps, a clean loss."""

import keras
import numpy as np
import pytest
from audited_models import state
from keras import layers, regularizers
from support import decisions, to_numpy

import keras_decay as kd

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = np.ones((8, 1), "float32")


def model_with(first, head=None, bias=None, optimizer="sgd", **arguments):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, kernel_regularizer=first, name="first", **arguments),
            layers.Dense(
                1, kernel_regularizer=head, bias_regularizer=bias, name="head"
            ),
        ]
    )
    model.compile(optimizer, "mse")
    return model


def fit(model, epochs=5):
    arguments = {"batch_size": 4, "epochs": epochs, "shuffle": False, "verbose": 0}
    model.fit(X, Y, **arguments)
    return [to_numpy(weight) for weight in model.weights]


def sgd():
    return keras.optimizers.SGD(0.05)


@pytest.mark.slow
def test_under_plain_sgd_l2_makes_the_same_steps():
    penalties = (
        kd.L2(0.1) + 0.5 * kd.L2(0.2),
        regularizers.L2(0.3),
        regularizers.L1L2(0.0, 0.2),
    )
    in_loss = model_with(*penalties, optimizer=sgd())
    moved = model_with(*penalties, optimizer=sgd())
    fit(in_loss, 1), fit(moved, 1)
    optimizer = kd.decouple(moved, sgd())
    strengths = [rule[1] for rule in optimizer.get_config()["rules"]]
    assert strengths == pytest.approx([0.4, 0.6])
    moved.compile(optimizer, "mse")
    for a, b in zip(fit(in_loss), fit(moved), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    # As it should be; that a bias is penalised is what the model came with.
    assert {w.code for w in kd.audit(moved).warnings} == {"bias-or-norm-decayed"}


@pytest.mark.slow
def test_the_loss_is_clean_also_in_what_was_compiled_before_and_in_files(tmp_path):
    model = model_with(kd.L1(0.5), "l2", "l1", optimizer="adam")
    fit(model, 1), model.evaluate(X, Y, verbose=0)
    data = float(np.mean((to_numpy(model(X)) - Y) ** 2))
    assert model.evaluate(X, Y, verbose=0) > data + 0.1
    optimizer = kd.decouple(model, "adam")
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), data, rtol=1e-5)
    history = model.fit(X, Y, batch_size=8, verbose=0).history
    np.testing.assert_allclose(history["loss"][0], data, rtol=1e-5)
    model.compile(optimizer, "mse")
    assert {w.code for w in kd.audit(model).warnings} == {"bias-or-norm-decayed"}
    history = model.fit(X, Y, verbose=0, validation_data=(X, Y)).history
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert not loaded.losses and loaded.get_layer("head").bias_regularizer is None
    np.testing.assert_allclose(
        loaded.evaluate(X, Y, verbose=0), history["val_loss"][0], rtol=1e-5
    )
    for a, b in zip(fit(model, 2), fit(loaded, 2), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_moments_are_those_of_training_without_penalties():
    plain = model_with(None, optimizer="adam")
    moved = model_with(kd.L2(3.0), regularizers.L1(0.5))
    moved.compile(kd.decouple(moved, "adam"), "mse")
    for model in (plain, moved):
        model.fit(X, Y, batch_size=8, shuffle=False, verbose=0)  # one step
    inner = moved.optimizer.optimizer
    for a, b in zip(plain.optimizer.variables, inner.variables, strict=True):
        np.testing.assert_array_equal(to_numpy(a), to_numpy(b))


def test_what_each_penalty_becomes():
    strength = keras.Variable(0.25)
    model = model_with(
        regularizers.L1L2(0.5, 0.25), kd.L2(strength), kd.GroupLasso(0.5)
    )
    kd.regularize(model, [("head/kernel", kd.L2(strength))])  # tracked, too
    optimizer = kd.decouple(model, sgd())
    rules = optimizer.get_config()["rules"]
    found = [(r["class_name"], r["config"]) for _, r, _ in rules]
    assert found == [
        ("ElasticNet", {"l1": 0.5, "l2": 0.25}),
        ("L2", {"l2": 0.25}),
        ("GroupLasso", {"strength": 0.5, "axis": -1}),
    ]
    assert len(model.variables) == 4
    model.compile(optimizer, "mse")
    fit(model, 1)  # on JAX the variable is state of the optimizer now, and only there
    matched = [entry["rule"] for entry in decisions(optimizer)]
    assert matched == [0, None, 1, 2]
    strength.assign(0.0)
    fit(model, 1)


class Adding(layers.Layer):
    def call(self, x):
        self.add_loss(keras.ops.sum(x))
        return x


class Custom(regularizers.Regularizer):
    def __call__(self, w):
        return keras.ops.sum(w)

    def get_config(self):
        return {}


class Derived(regularizers.L2):
    def __call__(self, w):
        return keras.ops.sum(w)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.head = layers.Dense(1, kernel_regularizer="l2")

    def call(self, x):
        return self.head(x)


def with_adding():
    inputs = keras.Input((4,))
    x = Adding(name="adding")(layers.Dense(2, kernel_regularizer="l2")(inputs))
    return keras.Model(inputs, x)


def subclassed():
    model = Subclassed()
    model(X)
    return model


def same_names():
    """Two layers of one name, in two models that have no name in the path."""
    inputs = keras.Input((4,))
    parts = []
    for penalty in ("l2", None):
        dense = layers.Dense(4, kernel_regularizer=penalty, name="same")
        parts.append(keras.Sequential([keras.Input((4,)), dense], name=f"{penalty}"))
        dense.kernel._path = "same/kernel"
    return keras.Model(inputs, parts[1](parts[0](inputs)))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: model_with("l2", activity_regularizer="l1"), "that have one: first"),
        (with_adding, "add_loss.*Layers that do: adding"),
        (lambda: model_with(Custom(), "l2"), "first/kernel: Custom"),
        (lambda: model_with(Derived(0.1)), "first/kernel: Derived"),
        (
            lambda: model_with(regularizers.OrthogonalRegularizer()),
            "first/kernel: OrthogonalRegularizer",
        ),
        (lambda: model_with(None), "There is nothing to move"),
        (subclassed, "come back when it is saved"),
        (same_names, "several are called 'same/kernel'"),
    ],
    ids=lambda value: "" if callable(value) else value[:30],
)
def test_what_cannot_be_moved_is_refused_by_name(make, message):
    model = make()
    before = [v.regularizer for v in model.weights]
    with pytest.raises(ValueError, match=message):
        kd.decouple(model, sgd())
    assert [v.regularizer for v in model.weights] == before


def test_bad_arguments_change_nothing():
    model = model_with("l2", optimizer="adam")
    before = state(model)
    for optimizer, error in (
        (keras.optimizers.AdamW(), ValueError),
        (kd.AdamW(), ValueError),
        (0.1, TypeError),
        ("no such optimizer", ValueError),
    ):
        with pytest.raises(error):
            kd.decouple(model, optimizer)
    with pytest.raises(TypeError, match="`model` must be a keras"):
        kd.decouple(layers.Dense(1), "adam")
    with pytest.raises(ValueError, match="`model` must be built"):
        kd.decouple(keras.Sequential([layers.Dense(1)]), "adam")
    assert state(model) == before and len(model.losses) == 1
    loose = subclassed()
    assert kd.decouple(loose, "adam", allow_unsaved=True) and not loose.losses
