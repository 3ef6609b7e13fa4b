"""Decay of embedding tables: every row at every step, or the touched rows only.

Oracle: the bare optimizer on a copy of the model, and the equation row by row.
"""

import keras
import numpy as np
import pytest
from support import mostly_slow, to_numpy

import keras_decay as kd

WORDS = np.array([[1, 3, 3], [1, 1, 6]])
TOUCHED = np.isin(np.arange(8), WORDS)
RATE, DECAY = 0.1, 0.5


def table_after(optimizer, steps=1):
    """The table before and after some steps of `fit` on the words."""
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.Input((3,), dtype="int32"),
            keras.layers.Embedding(8, 4),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    model.compile(optimizer, "mse")
    before = to_numpy(model.layers[0].embeddings)
    targets = np.ones((2, 1), "float32")
    model.fit(WORDS, targets, epochs=steps, shuffle=False, verbose=0)
    return before, to_numpy(model.layers[0].embeddings)


def touched_rows(inner, **kwargs):
    return kd.DecoupledWeightDecay(
        inner, rules=[("embeddings$", kd.TouchedRowsDecay(DECAY))], **kwargs
    )


INNER = {
    "SGD": lambda: keras.optimizers.SGD(RATE),
    "Adam": lambda: keras.optimizers.Adam(RATE),
    "Adagrad": lambda: keras.optimizers.Adagrad(RATE),
}


@pytest.mark.parametrize(
    "make", mostly_slow(INNER.values(), [INNER["Adam"]]), ids=INNER
)
def test_every_row_or_the_touched_rows(make):
    before, moved = table_after(make())
    for rule, rows in [
        (("embeddings$", DECAY), np.ones(8, bool)),
        (("embeddings$", kd.TouchedRowsDecay(DECAY)), TOUCHED),
    ]:
        _, ours = table_after(kd.DecoupledWeightDecay(make(), rules=[rule]))
        expected = moved - RATE * DECAY * rows[:, None] * before
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-7)


def test_untouched_rows_keep_every_bit_under_plain_sgd():
    before, after = table_after(touched_rows(keras.optimizers.SGD(RATE)), steps=5)
    np.testing.assert_array_equal(after[~TOUCHED], before[~TOUCHED])
    assert np.all(after[TOUCHED] != before[TOUCHED])


def test_cautious_touched_rows():
    optimizer = touched_rows(keras.optimizers.SGD(RATE), cautious=True)
    before, after = table_after(optimizer)
    _, moved = table_after(keras.optimizers.SGD(RATE))
    agrees = (before - moved) * before >= 0
    decay = RATE * DECAY * (TOUCHED[:, None] & agrees) * before
    np.testing.assert_allclose(after, moved - decay, rtol=1e-5, atol=1e-7)
    assert 0 < np.sum(agrees[TOUCHED]) < agrees[TOUCHED].size


def test_along_with_a_penalty_which_acts_on_every_row():
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(RATE), kd.TouchedRowsDecay(DECAY), penalty=kd.L2(0.1)
    )
    before, after = table_after(optimizer)
    _, moved = table_after(keras.optimizers.SGD(RATE))
    expected = moved - RATE * DECAY * TOUCHED[:, None] * before
    np.testing.assert_allclose(after, expected / (1 + 2 * RATE * 0.1), rtol=1e-5)


def test_a_masked_word_is_not_touched():
    model = keras.Sequential(
        [
            keras.Input((3,), dtype="int32"),
            keras.layers.Embedding(8, 4, mask_zero=True),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(1),
        ]
    )
    model.compile(touched_rows(keras.optimizers.SGD(RATE)), "mse")
    before = to_numpy(model.layers[0].embeddings)
    model.fit(np.array([[1, 0, 0], [1, 2, 0]]), np.ones((2, 1)), verbose=0)
    after = to_numpy(model.layers[0].embeddings)
    changed = np.any(after != before, axis=1)
    np.testing.assert_array_equal(changed, np.isin(np.arange(8), [1, 2]))


def test_accumulated_gradients_are_refused():
    inner = keras.optimizers.SGD(RATE, gradient_accumulation_steps=2)
    with pytest.raises(ValueError, match="TouchedRowsDecay around an optimizer that"):
        touched_rows(inner)
