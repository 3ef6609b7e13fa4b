"""What variables are: by their owner, and by their path."""

import keras
import pytest
from keras import layers

from keras_decay.models import (
    BIAS,
    EMBEDDING,
    SCALE,
    SPARED_ROLES,
    WEIGHT,
    role_of,
    variable_kinds,
)


def test_the_owner_decides_whatever_the_rank():
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(7, 4)(inputs)
    x = layers.MultiHeadAttention(2, 3, use_bias=True)(x, x)
    x = layers.LayerNormalization(axis=[1, 2])(x)
    model = keras.Model(inputs, layers.GRU(2)(x))
    kinds = dict(
        zip(
            [v.path for v in model.trainable_variables],
            variable_kinds(model),
            strict=True,
        )
    )
    for path, kind in kinds.items():
        name = path.rsplit("/", 1)[-1]
        expected = {"embeddings": EMBEDDING, "gamma": SCALE, "beta": SCALE}
        expected |= {"bias": BIAS}
        assert kind == expected.get(name, WEIGHT), path
    ranks = {
        kind: {len(v.shape) for v in model.trainable_variables if kinds[v.path] == kind}
        for kind in (BIAS, SCALE)
    }
    assert ranks[BIAS] == {1, 2} and ranks[SCALE] == {2}


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("kernel", "kernel"),
        ("recurrent_kernel", "recurrent kernel"),
        ("bias", "bias"),
        ("query_bias", "bias"),
        ("gamma", "norm scale"),
        ("beta", "norm shift"),
        ("moving_mean", "statistic"),
        ("embeddings", "embedding"),
        ("alpha", "slope"),
        ("anything", "other"),
    ],
)
def test_roles_by_the_last_component_of_the_path(name, role):
    assert role_of(f"model/layer/{name}") == role_of(name) == role


def test_roles_that_are_spared_are_roles():
    assert {role_of(name) for name in ("bias", "gamma", "beta")} == set(SPARED_ROLES)
