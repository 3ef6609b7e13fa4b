"""Zeros are counted, dead and unused units found; nothing is changed."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_decay as kd
from keras_decay.tools._sparsity import _rendered

ZEROS = {"kernel_initializer": "zeros"}  # which no backend compiles for long


def model():
    """Four hidden units: 1 is dead, 2 unused; a NaN in the head."""
    hidden = layers.Dense(4, "sigmoid", name="hidden", **ZEROS)
    head = layers.Dense(2, name="head", **ZEROS)
    made = keras.Sequential([keras.Input((3,)), hidden, head], name="net")
    kernel, other = np.ones((3, 4), "float32"), np.ones((4, 2), "float32")
    kernel[:, 1], kernel[0, 0], other[2], other[3, 1] = 0, 0, 0, np.nan
    hidden.set_weights([kernel, np.full(4, 0.5, "float32")])
    head.set_weights([other, np.zeros(2, "float32")])
    return made


@pytest.mark.needs("pandas")
def test_rows_and_layers():
    net = model()
    before = net.get_weights()
    report = kd.sparsity(net)
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    found = {row["path"]: row for row in report.rows}
    assert list(found) == [w.path for w in net.weights]
    assert found["net/hidden/kernel"] == {
        "path": "net/hidden/kernel",
        "shape": (3, 4),
        "entries": 12,
        "zeros": 4,
        "fraction": 1 / 3,
        "nans": 0,
    }
    assert found["net/head/kernel"]["nans"] == 1
    assert found["net/head/bias"]["fraction"] == 1
    assert (report.entries, report.zeros) == (26, 8)
    hidden, head = report.layers
    sigmoid = 1 / (1 + np.exp(-0.5))
    assert hidden.pop("constant") == pytest.approx([sigmoid], rel=1e-6)
    assert hidden == {
        "path": "net/hidden",
        "class": "Dense",
        "units": 4,
        "dead": 1,
        "dead_units": [1],
        "unused": 1,
        "unused_units": [2],
    }
    assert (head["dead"], head["unused"]) == (0, 0)
    assert len(report.to_dataframe()) == 4


@pytest.mark.parametrize("width", [60, 120])
def test_text(width):
    text = _rendered(kd.sparsity(model()), width)
    assert max(map(len, text.splitlines())) <= width
    for word in ("net/hidden/kernel", "0.33", "dead", "8 of 26 entries", "NaN in net"):
        assert word in text
    assert str(kd.sparsity(model())).count("\n") > 10


class Own(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.embed = layers.Embedding(5, 3, "zeros")
        dense = [layers.Dense(n, **ZEROS) for n in (4, 2)]
        self.inner = keras.Sequential(dense, name="inner")
        self.normal = layers.BatchNormalization()

    def call(self, x):
        return self.normal(self.inner(ops.mean(self.embed(x), 1)))


def test_subclassed_and_nested_models():
    net = Own()
    net(np.ones((2, 3), "int32"))
    first, second = net.inner.layers
    first.kernel.assign(ops.zeros((3, 4)))
    second.kernel.assign(ops.ones((4, 2)))
    rows = kd.sparsity(net).layers
    kinds = ["Embedding", "Dense", "Dense", "BatchNormalization"]
    assert sorted(row["class"] for row in rows) == sorted(kinds)
    found = [row for row in rows if row["class"] == "Dense"]
    assert all(row["units"] is None for row in rows if row not in found)
    assert [r["dead"] for r in found] == [4, 0]
    assert found[0]["constant"] == [0.0] * 4
    assert found[0]["unused"] == 0


@pytest.mark.parametrize(
    "layer, shape, axis",
    [
        (layers.Conv1D(3, 2, **ZEROS), (5, 4), -1),
        (layers.Conv2D(4, 2, groups=2, **ZEROS), (5, 5, 4), -1),
        (layers.Conv2DTranspose(3, 2, **ZEROS), (5, 5, 4), -2),
        (layers.DepthwiseConv2D(2, depthwise_initializer="zeros"), (5, 5, 4), -2),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, layers.Layer) else None,
)
def test_axis_of_units(layer, shape, axis):
    made = keras.Sequential([keras.Input(shape), layer])
    kernel = np.ones(layer.kernel.shape, "float32")
    np.moveaxis(kernel, axis, 0)[1] = 0
    layer.kernel.assign(kernel)
    (row,) = kd.sparsity(made).layers
    assert row["dead_units"] == [1]


def test_refusals():
    with pytest.raises(TypeError, match=r"`model` must be a keras\.Model"):
        kd.sparsity("model.keras")
    with pytest.raises(ValueError, match="`model` must be built"):
        kd.sparsity(keras.Sequential([layers.Dense(2)]))
