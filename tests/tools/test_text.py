"""What a user reads in a terminal."""

import re
from pathlib import Path

import keras
import pytest

import keras_decay as kd
from keras_decay.tools._text import count, render


@pytest.fixture(scope="module")
def report():
    """The audit of a block of a transformer under Keras' own AdamW."""
    layers = keras.layers
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 8, name="tokens")(inputs)
    y = layers.LayerNormalization(name="encoder_block_0_normalization_1")(x)
    attention = layers.MultiHeadAttention(2, 4, name="encoder_block_0_attention")
    x = x + attention(y, y)
    x = layers.Dense(8, kernel_regularizer="l2", name="encoder_block_0_mlp")(x)
    model = keras.Model(inputs, layers.Dense(2, name="head")(x))
    model.compile(keras.optimizers.AdamW(1e-3, weight_decay=0.1), "mse")
    return kd.audit(model, steps_per_epoch=100, epochs=30)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_text_fits_and_says_what_matters(report, width):
    text = render(report, width)
    assert max(map(len, text.splitlines())) <= width
    for word in ("per step", "0.0001", "decay λ", "as promised", "L2 0.01"):
        assert word in text
    for warning in report.warnings:
        assert f"! {warning.code}" in text
        assert warning.remedy.split()[0] in text
    assert ("shape" in text) == (width >= 120)


def test_the_example_in_the_readme():
    """What README.md shows is what its model gives."""
    layers = [
        keras.layers.Dense(64, "relu", kernel_regularizer="l2", name="hidden"),
        keras.layers.Dense(1, name="head"),
    ]
    model = keras.Sequential([keras.Input((10,)), *layers], name="example")
    model.compile(keras.optimizers.AdamW(1e-3, weight_decay=0.1), "mse")
    found = render(kd.audit(model, steps_per_epoch=100, epochs=20), 80)
    readme = (Path(kd.__file__).parent.parent / "README.md").read_text()
    (shown,) = re.findall(r"```text\n(variable +in the loss.*?)```", readme, re.S)
    table = found[found.index("variable ") :]
    assert shown == table + "\n"


def test_text_without_warnings():
    layer = keras.layers.Dense(1, name="head")
    model = keras.Sequential([keras.Input((2,)), layer])
    model.compile(kd.AdamW(1e-3, 0.1), "mse")
    text = str(kd.audit(model))
    assert "No warnings." in text and "half-life" in text


def test_counts_are_short():
    found = [count(v) for v in (0.5, 9.4, 12.3, 950, 1234, 56_789, 3.21e6, 4e9)]
    assert found == ["0.5", "9.4", "12", "950", "1.2k", "57k", "3.2M", "4.0G"]
