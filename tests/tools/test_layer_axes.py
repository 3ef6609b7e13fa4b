"""The names of axes, held to what the layers compute and to docs/axes.md."""

import math
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from support import to_numpy

import keras_decay as kd
from keras_decay.models import all_layers, owners_by_id
from keras_decay.tools._layer_axes import HEADS, ROWS, attention_roles, axis_of

PAGE = Path(__file__).parents[2] / "docs" / "axes.md"

# Layer, shape of one input, and how many axes tell one output from another. A layer of
# each row of the table, without an activation that is zero by itself.
CASES = {
    "Dense": (lambda: layers.Dense(3), (4,), 1),
    "Conv1D": (lambda: layers.Conv1D(3, 2), (5, 4), 1),
    "Conv1DTranspose": (lambda: layers.Conv1DTranspose(3, 2), (3, 4), 1),
    "Conv2DTranspose": (lambda: layers.Conv2DTranspose(3, 2), (2, 2, 4), 1),
    "DepthwiseConv2D": (
        lambda: layers.DepthwiseConv2D(2, depth_multiplier=3),
        (3, 3, 4),
        1,
    ),
    "EinsumDense": (
        lambda: layers.EinsumDense("abc,cde->abde", (None, 3, 2)),
        (2, 4),
        2,
    ),
    "EinsumDense by block": (
        lambda: layers.EinsumDense("abc,bcd->abd", (4, 3)),
        (4, 2),
        2,
    ),
    "SimpleRNN": (lambda: layers.SimpleRNN(3, activation="linear"), (1, 4), 1),
}


def axis(name, layer, variable):
    owners = owners_by_id(layer)[id(variable)]
    return axis_of(name, variable, owners, attention_roles(all_layers(layer)))


def zeroed(variable, where, index):
    """Set the slice of the variable at `index` along the axes `where` to zero."""
    where = where if isinstance(where, tuple) else (where,)
    value = np.array(to_numpy(variable))
    moved = np.moveaxis(value, where, range(len(where)))
    moved[index] = 0.0
    variable.assign(value)


def sizes(variable, where):
    where = where if isinstance(where, tuple) else (where,)
    return [variable.shape[i] for i in where]


def build(case, name):
    """A layer of which the last group is zero, and an input for it."""
    make, shape, _ = CASES[case]
    layer = make()
    layer.build((3, *shape))
    kernel = next(w for w in layer.weights if w.name == "kernel")
    where = axis(name, layer, kernel)
    zeroed(kernel, where, tuple(size - 1 for size in sizes(kernel, where)))
    return layer, np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")


@pytest.mark.parametrize("case", CASES)
def test_a_group_of_zeros_silences_one_output(case):
    layer, x = build(case, "output")
    y = to_numpy(layer(x))
    units = y.reshape(-1, math.prod(y.shape[-CASES[case][2] :]))
    silent = np.all(units == 0, axis=0)
    assert silent[-1] and silent.sum() == 1


@pytest.mark.parametrize("case", CASES)
def test_a_group_of_zeros_ignores_one_input(case):
    layer, x = build(case, "input")
    y = to_numpy(layer(x))
    last = (..., -1, -1) if case == "EinsumDense by block" else (..., -1)
    ignored, heard = x.copy(), x.copy()
    ignored[last] += 1.0
    heard[..., 0] += 1.0
    np.testing.assert_array_equal(to_numpy(layer(ignored)), y)
    assert np.any(to_numpy(layer(heard)) != y)


def test_both_kernels_of_a_separable_convolution():
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    for name, variable in (
        ("output", "pointwise_kernel"),
        ("input", "depthwise_kernel"),
    ):
        layer = layers.SeparableConv2D(2, 2, depth_multiplier=2)
        layer.build(x.shape)
        kernel = next(w for w in layer.weights if w.name == variable)
        where = axis(name, layer, kernel)
        zeroed(kernel, where, (1,))
        y = to_numpy(layer(x))
        if name == "output":
            assert np.all(y[..., 1] == 0) and np.all(y[..., 0] != 0)
        else:
            changed = x.copy()
            changed[..., 1] += 1.0
            np.testing.assert_array_equal(to_numpy(layer(changed)), y)
    depthwise = next(w for w in layer.weights if w.name == "depthwise_kernel")
    assert axis("output", layer, depthwise) == (-2, -1)
    pointwise = next(w for w in layer.weights if w.name == "pointwise_kernel")
    assert axis("input", layer, pointwise) == -2


def test_a_row_and_a_column_of_an_embedding():
    layer = layers.Embedding(5, 3)
    layer.build()
    zeroed(layer.embeddings, axis("input", layer, layer.embeddings), (2,))
    assert np.all(to_numpy(layer(np.array([2]))) == 0)
    zeroed(layer.embeddings, axis("output", layer, layer.embeddings), (1,))
    assert list((to_numpy(layer(np.arange(5))) == 0).all(axis=0)) == [0, 1, 0]


@pytest.mark.parametrize("kind", ["MultiHeadAttention", "GroupQueryAttention"])
def test_heads_of_attention(kind):
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    if kind == "MultiHeadAttention":
        layer = layers.MultiHeadAttention(3, 2)
    else:
        layer = layers.GroupQueryAttention(2, 3, 3)
    layer.build(x.shape, x.shape)
    kernels = {w.path.split("/")[-2]: w for w in layer.weights if w.name == "kernel"}
    heads = {role: axis("head", layer, kernel) for role, kernel in kernels.items()}
    assert heads == {"query": 1, "key": 1, "value": 1, "attention_output": 0}
    # The third head says nothing, whether it is silenced where it begins or ends.
    zeroed(kernels["value"], heads["value"], (2,))
    silenced = to_numpy(layer(x, x))
    zeroed(kernels["attention_output"], heads["attention_output"], (2,))
    np.testing.assert_allclose(to_numpy(layer(x, x)), silenced, rtol=1e-5, atol=1e-6)
    zeroed(
        kernels["attention_output"],
        axis("output", layer, kernels["attention_output"]),
        (3,),
    )
    y = to_numpy(layer(x, x))
    assert np.all(y[..., 3] == 0) and np.all(y[..., :3] != 0)
    changed = x.copy()
    changed[..., 1] += 1.0
    for role in ("query", "key", "value"):
        zeroed(kernels[role], axis("input", layer, kernels[role]), (1,))
        assert axis("output", layer, kernels[role]) == (1, 2)
    np.testing.assert_allclose(
        to_numpy(layer(changed, changed)), to_numpy(layer(x, x)), rtol=1e-6, atol=1e-7
    )


class Odd(layers.Layer):
    def build(self, shape):
        self.matrix = self.add_weight(shape=(4, 3), name="kernel")

    def call(self, x):
        return x @ self.matrix


def test_what_has_no_such_axis_is_refused_with_the_reason():
    for make, shape, name, reason in (
        (lambda: layers.GRU(3), (2, 5, 4), "output", "the gates lie side by side"),
        (lambda: layers.Dense(3), (2, 4), "head", "there are no heads"),
        (lambda: layers.Conv1D(4, 2, groups=2), (2, 5, 4), "input", "several inputs"),
        (Odd, (2, 4), "output", "its kind is not known"),
    ):
        layer = make()
        layer.build(shape)
        model = keras.Sequential([keras.Input(shape[1:]), layer])
        with pytest.raises(ValueError, match=reason) as error:
            kd.regularize(model, kd.GroupLasso(0.1, axis=name))
        assert "as a number" in str(error.value) and layer.name in str(error.value)
        assert not any(v.regularizer for v in model.weights)
    gru = layers.GRU(3)
    gru.build((2, 5, 4))
    assert axis("input", gru, gru.cell.kernel) == 0


def test_the_names_come_with_sums_and_are_numbers_afterwards():
    model = keras.Sequential([keras.Input((4, 4, 2)), layers.Conv2DTranspose(3, 2)])
    kd.regularize(model, kd.L1(0.1) + 0.5 * kd.GroupLasso(0.1, axis="output"))
    (kernel,) = [v for v in model.weights if v.name == "kernel"]
    (_, first), (_, second) = kernel.regularizer.flatten()
    assert first.l1 == 0.1 and second.axis == -2


def cell(value):
    return "none" if isinstance(value, str) else str(value)


def test_the_page_shows_the_table():
    lines = [
        [part.strip() for part in line.strip("| ").split(" | ")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("| `")
    ]
    table = [
        [
            ", ".join(f"`{layer}`" for layer in row.layers),
            f"`{row.variable}`",
            row.shape,
            cell(row.input),
            cell(row.output),
            cell(row.head),
        ]
        for row in ROWS
    ]
    assert lines[: len(table)] == table
    attention = lines[len(table) : len(table) + 2]
    for line, ending in zip(attention, ("heads, size)", "outputs)"), strict=True):
        roles = re.findall(r"`(\w+)/kernel`", line[1])
        assert {HEADS[role][1] for role in roles} == {line[2]} and ending in line[2]
        assert {str(HEADS[role][0]) for role in roles} == {line[5]}
    assert [line[0] for line in lines[len(table) + 2 :]] == ["`EinsumDense`"]
