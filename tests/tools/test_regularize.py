"""Penalties attached to models that exist: in the loss at once, and in saved files."""

import random
from pathlib import Path

import keras
import numpy as np
import pytest
from audited_models import state
from keras import layers
from support import to_numpy

import keras_decay as kd

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = np.ones((8, 1), "float32")


def small(*more, trained=True):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, name="first"),
            *more,
            layers.Dense(1, name="head"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    if trained:
        model.fit(X, Y, verbose=0)
        model.evaluate(X, Y, verbose=0)
    return model


def loaded(model, path):
    model.save(path / "model.keras")
    return keras.saving.load_model(path / "model.keras")


def squares(model, *names):
    return sum(
        float(np.sum(to_numpy(v) ** 2))
        for v in model.trainable_variables
        if v.path.endswith(names)
    )


def test_it_takes_effect_on_a_trained_model_and_survives_saving(tmp_path):
    model = small()
    plain = model.evaluate(X, Y, verbose=0)
    before, optimizer = state(model), model.optimizer
    report = kd.regularize(model, [("head/kernel", kd.L2(0.3)), ("first/bias", "l1")])
    assert state(model) == before and model.optimizer is optimizer
    assert "head/kernel" in str(report) and "and 2 trainable" in str(report)
    assert [(row["shape"], row["penalty"], row["saved"]) for row in report.rows] == [
        ((5,), "L1 0.01 (keras l1: λ Σ|w|)", True),
        ((5, 1), "L2 0.3 (keras l2: λ Σw²)", True),
    ]
    bias = to_numpy(model.get_layer("first").bias)
    expected = 0.3 * squares(model, "head/kernel") + 0.01 * float(np.abs(bias).sum())
    penalised = model.evaluate(X, Y, verbose=0)
    np.testing.assert_allclose(penalised, plain + expected, rtol=1e-5)
    again = loaded(model, tmp_path)
    np.testing.assert_allclose(again.evaluate(X, Y, verbose=0), penalised, rtol=1e-6)
    clone = keras.models.clone_model(model)
    assert clone.get_layer("head").kernel_regularizer.l2 == 0.3
    assert {w.code for w in kd.audit(model).warnings} == {"l2-under-adaptive"}
    # The step that fit had compiled before would not know of the penalty.
    history = model.fit(X, Y, verbose=0, shuffle=False)
    np.testing.assert_allclose(history.history["loss"][0], penalised, rtol=1e-5)


@pytest.mark.slow
def test_none_removes_and_the_others_stay(tmp_path):
    model = small(layers.Dense(3, kernel_regularizer="l2", name="middle"))
    report = kd.regularize(model, [("middle/kernel", None), ("kernel", kd.L1(0.1))])
    assert [row["penalty"] for row in report.rows].count(None) == 1
    assert report.unmatched == 3 and "none" in str(report)
    again = loaded(model, tmp_path)
    for m in (model, again):
        penalised = [v.path for v in m.trainable_variables if v.regularizer]
        assert [path.split("/")[-2] for path in penalised] == ["first", "head"]
        assert m.get_layer("middle").kernel_regularizer is None


def composite():
    """Layers whose variables belong to layers within them, and a nested model."""
    inside = keras.Input((4, 2))
    shared = layers.Dense(2, name="shared")
    outputs = layers.SeparableConv1D(2, 2, name="separable")(shared(shared(inside)))
    inner = keras.Model(inside, outputs, name="inner")
    inputs = keras.Input((4, 2))
    x = layers.MultiHeadAttention(2, 3, name="mha")(inputs, inputs)
    x = inner(x)
    x = layers.TimeDistributed(layers.Dense(2), name="each")(x)
    x = layers.DepthwiseConv1D(2, name="depthwise")(x)
    x = layers.Bidirectional(layers.SimpleRNN(2, return_sequences=True), name="both")(x)
    x = layers.RNN(layers.LSTMCell(2), name="rnn")(x)
    x = layers.BatchNormalization(name="bn")(x)
    return keras.Model(inputs, layers.Dense(1, name="head")(x))


def penalties(model):
    return [
        None if v.regularizer is None else v.regularizer.get_config()
        for v in model.trainable_variables
    ]


def test_layers_within_layers_survive_saving(tmp_path):
    model = composite()
    rules = [
        ("mha/.*kernel", kd.SparseGroupLasso(0.1, 0.2)),
        ("inner/.*shared|shared/kernel", kd.L1(0.2)),
        ("pointwise", kd.L1(0.3)),
        ("separable/.*kernel", kd.L1(0.4)),
        ("depthwise/kernel", kd.L1(0.5)),
        ("forward.*recurrent", kd.L1(0.6)),
        ("backward.*recurrent", kd.L1(0.7)),
        ("rnn/.*recurrent", kd.ElasticNet(0.8, 0.1)),
        ("gamma", keras.regularizers.L1L2(0.1, 0.9)),
    ]
    rest = ("kernel", kd.L2(1e-3))
    seed = random.getstate()
    report = kd.regularize(model, [*rules, rest])
    assert random.getstate() == seed
    assert all(row["saved"] for row in report.rows)
    again = loaded(model, tmp_path)
    assert penalties(again) == penalties(model)


def test_different_penalties_for_the_kernels_of_attention_are_refused(tmp_path):
    model = composite()
    before = penalties(model), str(model.get_config())
    rules = [("query/kernel", kd.L1(0.1)), ("head/kernel", kd.L1(0.1))]
    with pytest.raises(ValueError, match="has one `_kernel_regularizer` for") as error:
        kd.regularize(model, rules)
    message = str(error.value)
    assert [line.split(":")[0] for line in message.split("\n")[1:-1]] == [
        "  mha/query/kernel"
    ]
    assert "allow_unsaved=True" in message
    assert before == (penalties(model), str(model.get_config()))
    report = kd.regularize(model, rules, allow_unsaved=True)
    assert [row["saved"] for row in report.rows] == [False, True]
    assert "no: the saved model will not have it" in str(report)
    again = penalties(loaded(model, tmp_path))
    assert sum(p is not None for p in again) == 1
    assert sum(p is not None for p in penalties(model)) == 2
    heads = kd.GroupLasso(0.1, axis="head")
    kd.regularize(model, [("mha/.*kernel", heads)], allow_unsaved=True)
    axes = [p["axis"] for p in penalties(model) if p and "axis" in p]
    assert axes == [1, 1, 1, 0]


@keras.saving.register_keras_serializable(package="tests_regularize")
class Silent(keras.Model):
    """Its config says nothing of its layers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.body = layers.Dense(3, kernel_regularizer="l2")
        self.head = layers.Dense(1)

    def call(self, x):
        return self.head(self.body(x))


@keras.saving.register_keras_serializable(package="tests_regularize")
class Told(Silent):
    """Its config says which penalty its head has."""

    def __init__(self, penalty=None, **kwargs):
        super().__init__(**kwargs)
        self.head = layers.Dense(1, kernel_regularizer=penalty)

    def get_config(self):
        penalty = keras.regularizers.serialize(self.head.kernel_regularizer)
        return {"name": self.name, "penalty": penalty}


def test_subclassed_models(tmp_path):
    model = Silent()
    model(X)
    for rules in ([("dense_1/kernel|head", kd.L1(0.1))], [("kernel", None)]):
        with pytest.raises(ValueError, match="its config does not hold the penalty"):
            kd.regularize(model, rules)
    same = [v.regularizer for v in model.trainable_variables]
    assert sum(p is not None for p in same) == 1
    kd.regularize(model, kd.L1(0.1), allow_unsaved=True)
    assert float(to_numpy(sum(model.losses))) > 0
    told = Told()
    told(X)
    head = told.head.kernel.path
    report = kd.regularize(told, [(f"^{head}$", kd.L1(0.1))])
    assert report.rows[0]["saved"]
    assert loaded(told, tmp_path).head.kernel.regularizer.l1 == 0.1


class Unregistered(kd.Penalty):
    def __call__(self, w):
        return keras.ops.sum(w)

    def get_config(self):
        return {}


def test_what_is_refused_and_that_nothing_is_changed():
    model = small(trained=False)
    before = model.get_config()
    for rules, error, message in (
        ([("nothing", kd.L1())], ValueError, "first/kernel"),
        ([("kernel", kd.L1()), ("head", kd.L1()), ("head", None)], ValueError, "match"),
        ([("(", kd.L1())], ValueError, "a regular expression"),
        ([("kernel", 0.1)], TypeError, r"`rules\[0\]\[1\]` must be a penalty"),
        ([("kernel", "l7")], ValueError, r"`rules\[0\]\[1\]` must be a penalty"),
        ([("kernel", kd.L1(), 1)], TypeError, r"`rules\[0\]` must be"),
        (None, TypeError, "`rules` must be a list"),
        ([("bias", kd.GroupLasso(0.1, axis=1))], ValueError, "fails on '.*first/bias'"),
        (
            [("bias", keras.regularizers.OrthogonalRegularizer())],
            ValueError,
            "must fit the variables",
        ),
        ([("kernel", Unregistered())], ValueError, "registered with Keras"),
    ):
        with pytest.raises(error, match=message):
            kd.regularize(model, rules)
    with pytest.raises(TypeError, match="`model` must be a keras"):
        kd.regularize(layers.Dense(1), kd.L1())
    with pytest.raises(ValueError, match="`model` must be built"):
        kd.regularize(keras.Sequential([layers.Dense(1)]), kd.L1())
    with pytest.raises(TypeError, match="`allow_unsaved` must be True or False"):
        kd.regularize(model, kd.L1(), allow_unsaved=1)
    assert model.get_config() == before and not model.losses
    model.get_layer("head").trainable = False
    with pytest.raises(ValueError, match="matches no variable"):
        kd.regularize(model, [("head", kd.L1())])


class TiedHead(layers.Layer):
    """Makes logits by the table of an embedding."""

    def __init__(self, embedding, **kwargs):
        super().__init__(**kwargs)
        self.embedding = embedding

    def call(self, x):
        return keras.ops.matmul(x, keras.ops.transpose(self.embedding.embeddings))


def test_tied_weights_are_penalised_once():
    embedding = layers.Embedding(7, 3, name="tokens")
    inputs = keras.Input((2,), dtype="int32")
    model = keras.Model(inputs, TiedHead(embedding)(embedding(inputs)))
    penalty = kd.GroupLasso(1.0, axis="input")
    with pytest.raises(ValueError, match="cannot be made anew from its config"):
        kd.regularize(model, penalty)  # nor can it be saved, by Keras' own doing
    report = kd.regularize(model, penalty, allow_unsaved=True)
    assert len(report.rows) == 1 and len(model.losses) == 1
    rows = np.linalg.norm(to_numpy(embedding.embeddings), axis=1)
    np.testing.assert_allclose(
        to_numpy(model.losses[0]), 3**0.5 * rows.sum(), rtol=1e-5
    )


def residual_network():
    """As pretrained ones are made: functional, with normalisation and a new head."""
    inputs = x = keras.Input((8, 8, 3))
    for block in range(2):
        name = f"block{block}"
        y = layers.DepthwiseConv2D(3, padding="same", name=f"{name}_depthwise")(x)
        y = layers.BatchNormalization(name=f"{name}_depthwise_bn")(y)
        y = layers.Conv2D(3, 1, use_bias=False, name=f"{name}_conv")(y)
        x = layers.Add()([x, layers.ReLU()(y)])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(4, name="predictions")(x))


@pytest.mark.needs("pandas")
def test_a_pretrained_network():
    network = residual_network()
    for layer in network.layers[:-1]:
        layer.trainable = False
    report = kd.regularize(network, kd.L2(1e-3))
    assert [row["path"] for row in report.rows] == ["predictions/kernel"]
    for layer in network.layers:
        layer.trainable = True
    rules = [("depthwise/kernel", None), ("kernel", kd.GroupLasso(1e-5, axis="output"))]
    report = kd.regularize(network, rules)
    assert len(report.rows) == 5 and all(row["saved"] for row in report.rows)
    again = keras.Model.from_config(network.get_config())
    assert penalties(again) == penalties(network)
    assert report.to_dataframe().shape == (5, 5)


def test_the_readme_shows_what_is_printed(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(16, 3, kernel_regularizer="l1", name="conv"),
            layers.BatchNormalization(name="bn"),
            layers.Flatten(),
            layers.Dense(10, name="head"),
        ],
        name="net",
    )
    group = kd.GroupLasso(1e-4, axis="output")
    rules = [("head/kernel", kd.L2(1e-3)), ("conv/kernel", group)]
    readme = Path(__file__).parents[2] / "README.md"
    assert f"```text\n{kd.regularize(model, rules)}\n```" in readme.read_text()
