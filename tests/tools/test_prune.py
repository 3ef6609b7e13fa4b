"""The smaller model puts out what the large one does; what cannot go is said."""

import re

import keras
import numpy as np
import pytest
from keras import layers, ops
from pruned_models import (
    C2,
    FLAT,
    ROW,
    SERIES,
    UNITS,
    D,
    a,
    assert_equal_outputs,
    edit,
    filled,
    mlp,
    pruned,
    quietly,
    unit_counts,
    zero_units,
)
from support import to_numpy

import keras_decay as kd


def test_removal_makes_units_dead_and_useless_in_turn():
    model = mlp()
    # Constants go on: all that enters unit 1 of the second are units 0 and 2.
    zero_units(model.get_layer("first"), [0, 2])
    edit(model.get_layer("second").kernel, lambda w: w.__setitem__(([1, 3, 4], 1), 0))
    # Need goes back: unit 4 of the first is used by unit 2 of the second alone, that by
    # unit 0 of the third alone, and that by nothing.
    edit(model.get_layer("second").kernel, lambda w: w.__setitem__((4, [0, 1, 3]), 0))
    edit(model.get_layer("third").kernel, lambda w: w.__setitem__((2, [1, 2]), 0))
    edit(model.get_layer("head").kernel, lambda w: w.__setitem__(0, 0))
    small = quietly(model)
    assert unit_counts(small) == {"first": 2, "second": 2, "third": 2, "head": 2}
    assert_equal_outputs(small, model)


def test_one_unit_stays_in_a_layer_of_dead_ones():
    model = mlp()
    zero_units(model.get_layer("second"), range(4))
    small = quietly(model)
    assert unit_counts(small) == {"first": 1, "second": 1, "third": 1, "head": 2}
    assert_equal_outputs(small, model)


def test_nothing_to_remove_gives_an_equal_copy():
    model = mlp()
    small = quietly(model)
    assert small is not model
    for mine, its in zip(small.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    small.layers[0].kernel.assign(0 * small.layers[0].kernel)
    assert np.all(model.get_weights()[0]), "the copy shares a weight"


def cnn():
    hidden = [
        C2(4, 2, activation="sigmoid", name="first"),
        layers.BatchNormalization(),
        C2(4, 2, padding="same", activation="relu", name="second"),
        layers.MaxPooling2D(),
        FLAT(),
    ]
    return filled(
        keras.Sequential([keras.Input((4, 4, 1)), *hidden, D(2, name="head")])
    )


@pytest.mark.parametrize("make, trials", [(lambda: mlp((4, 4)), 8), (cnn, 3)])
def test_any_pattern_of_zeros(make, trials):
    """Oracle: the large model; and what is left no second pruning removes."""
    model, rng = make(), np.random.default_rng(0)
    for trial in range(trials):
        filled(model, trial)
        for name in ("first", "second", "head"):
            kernel = model.get_layer(name).kernel
            mask = rng.random(kernel.shape[-2:]) < rng.choice([0.2, 0.5, 0.9])
            mask &= rng.random(mask.shape[1]) < 0.8
            edit(kernel, lambda w, mask=mask: w.__imul__(mask.astype("float32")))
        small, _ = pruned(model)
        assert_equal_outputs(small, model)
        assert unit_counts(pruned(small)[0]) == unit_counts(small)


def functional():
    """Branches, a concatenation and two outputs; units 0 and 2 of `a` are dead."""
    x = keras.Input(ROW, name="x")
    shared = a(D, "sigmoid")(x)
    left = D(4, "gelu", name="left")(shared)
    right = D(4, "relu", name="right")(shared)
    both = layers.Concatenate(name="both")([left, x, right])
    model = keras.Model(
        {"x": x}, {"sum": D(2, name="sum")(both), "right": D(1, name="end")(right)}
    )
    filled(model)
    zero_units(model.get_layer("a"), [0, 2])
    zero_units(model.get_layer("left"), [1])
    edit(model.get_layer("sum").kernel, lambda w: w.__setitem__([0, 9], 0))
    return model


def test_functional_model():
    model = functional()
    small = quietly(model)
    # Unit 0 of `right` is not used by `sum` but by `end`.
    counts = {"a": 4, "left": 2, "right": 4, "sum": 2, "end": 1}
    assert unit_counts(small) == counts
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    wanted, found = model({"x": x}), small({"x": x})
    assert set(found) == {"sum", "right"}
    for name, value in wanted.items():
        value = to_numpy(value)
        scale = np.abs(value).max()
        np.testing.assert_allclose(to_numpy(found[name]), value, atol=1e-6 * scale)


def mixer(kind):
    """A chain `a`, `c` that is followed, and `a` going into something that is not."""
    x = keras.Input(ROW)
    y = a(D, "sigmoid")(D(4, name="before")(x))
    if kind == "softmax":
        y = layers.Softmax(name="it")(y)
    elif kind == "normalised":
        y = layers.LayerNormalization(name="it")(y)
    elif kind == "sum":
        y = layers.Add(name="it")([y, D(UNITS, name="other")(x)])
    elif kind == "operation":
        y = ops.relu(y)
    elif kind == "dropout at inference":
        y = layers.Dropout(0.0, name="it")(y, training=True)
    elif kind == "used twice":
        layer = D(UNITS, name="it")
        y = layer(layer(y))
    elif kind == "nested":
        inner = keras.Sequential([keras.Input((UNITS,)), D(3)], name="it")
        y = inner(y)
    elif kind == "own activation":
        y = D(4, lambda z: z - ops.mean(z, -1, keepdims=True), name="own")(y)
    elif kind == "normalised over positions":
        y = layers.Reshape((UNITS, 1))(y)
        y = FLAT()(layers.BatchNormalization(name="it")(y))
    return keras.Model(x, D(2, name="end")(y))


MIXERS = (
    *("softmax", "normalised", "sum", "operation", "dropout at inference"),
    *("used twice", "nested", "normalised over positions"),
)


@pytest.mark.parametrize("kind", MIXERS)
def test_what_cannot_be_followed_keeps_units_and_is_named(kind):
    model = filled(mixer(kind))
    zero_units(model.get_layer("a"), [0, 2])
    zero_units(model.get_layer("before"), [1])
    place = "relu" if kind == "operation" else "reshape" if "over" in kind else "it"
    small, (warned,) = pruned(model)
    assert f"2 of 'a', as '{place}" in warned
    assert unit_counts(small)["a"] == UNITS and unit_counts(small)["before"] == 3
    assert_equal_outputs(small, model)


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_own_activation_and_unseen_dead_units_are_named():
    model = filled(mixer("own activation"))
    zero_units(model.get_layer("own"), [0])
    zero_units(model.get_layer("a"), [0])
    small, (warned,) = pruned(model)
    assert "1 of 'own', as its activation" in warned
    assert unit_counts(small) == {"before": 4, "a": 5, "own": 4, "end": 2}
    assert_equal_outputs(small, model)
    model = filled(mixer("nested"))
    zero_units(model.get_layer("it").layers[0], [0])
    _, (warned,) = pruned(model)
    assert re.search("1 of '.*it/dense.*', which is not followed", warned)


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = D(3)

    def call(self, x):
        return self.dense(x)


def test_refusals():
    own = Own()
    own(np.ones((1, 5), "float32"))
    with pytest.raises(ValueError, match=r"`model` must be a .*Sequential or a"):
        kd.prune(own)
    with pytest.raises(TypeError, match=r"`model` must be a keras\.Model"):
        kd.prune(D(3))
    with pytest.raises(ValueError, match="`model` must be built"):
        kd.prune(keras.Sequential([D(3)]))
    recurrent = keras.Sequential([keras.Input(SERIES), layers.GRU(1, name="l"), D(1)])
    with pytest.raises(ValueError, match=r"another.*cannot be followed: 'l' \(GRU\)"):
        kd.prune(recurrent)
    activation = keras.Sequential([keras.Input(ROW), D(4, "softmax", name="s"), D(2)])
    with pytest.raises(ValueError, match=r"'s' \(Dense with activation softmax\)"):
        kd.prune(activation)
    x, inner = keras.Input(ROW), keras.Sequential([keras.Input(ROW), D(5)], name="i")
    shared = keras.Model(x, inner.layers[0](D(5)(D(5)(inner(x)))))
    with pytest.raises(ValueError, match="is within both 'i' and 'dense"):
        kd.prune(shared)
    linear = keras.Sequential([keras.Input(ROW), D(2)])  # nothing to follow, nor lost
    assert_equal_outputs(quietly(linear), linear)
