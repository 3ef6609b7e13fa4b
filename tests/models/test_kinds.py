"""What variables are: by their owner, and by their path."""

import keras
import pytest
from keras import layers

from keras_decay.models import (
    BATCH_NORM,
    BIAS,
    EMBEDDING,
    LAYER_SCALE,
    MASK_TOKEN,
    NORM,
    POSITION,
    RELATIVE_POSITION,
    SCALE,
    SCALES,
    SLOPE,
    SPARED_ROLES,
    STATE_SPACE,
    TOKEN,
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
        expected = {"embeddings": EMBEDDING, "gamma": NORM, "beta": NORM}
        expected |= {"bias": BIAS}
        assert kind == expected.get(name, WEIGHT), path
    ranks = {
        kind: {len(v.shape) for v in model.trainable_variables if kinds[v.path] == kind}
        for kind in (BIAS, NORM)
    }
    assert ranks[BIAS] == {1, 2} and ranks[NORM] == {2}


class Held(layers.Layer):
    """A layer outside Keras with one variable, held as an attribute of another name."""

    def __init__(self, name, attribute, shape):
        super().__init__()
        self.given = name, attribute, shape

    def build(self, _):
        name, attribute, shape = self.given
        setattr(self, attribute, self.add_weight(name=name, shape=shape))


@pytest.mark.parametrize(
    ("name", "attribute", "rank", "kind"),
    [
        ("cls_token", "x", 3, TOKEN),
        ("class_token", "x", 1, TOKEN),
        ("dist_token", "x", 3, TOKEN),
        ("reg_tokens", "x", 3, TOKEN),
        (None, "class_embedding", 2, TOKEN),
        ("mask_token", "x", 2, MASK_TOKEN),
        ("pos_embed", "x", 3, POSITION),
        ("positional_embedding", "x", 2, POSITION),
        ("embeddings", "position_embeddings", 2, POSITION),
        ("absolute_pos_enc", "x", 3, POSITION),
        ("wpe", "x", 2, POSITION),
        ("composition", "x", 2, WEIGHT),
        ("relative_position_bias_table", "x", 2, RELATIVE_POSITION),
        ("embeddings", "relative_attention_bias", 2, RELATIVE_POSITION),
        ("rel_pos_h", "x", 2, RELATIVE_POSITION),
        ("attention_biases", "x", 2, RELATIVE_POSITION),
        ("layer_scale_parameter", "x", 1, LAYER_SCALE),
        ("lambda1", "x", 1, LAYER_SCALE),
        ("gamma_1", "x", 3, LAYER_SCALE),
        ("A_log", "x", 2, STATE_SPACE),
        ("A_logs", "x", 1, STATE_SPACE),
        ("dt_bias", "x", 1, STATE_SPACE),
        ("q_bias", "x", 2, BIAS),
        ("gamma", "x", 2, NORM),
        ("alpha", "x", 3, SLOPE),
        ("logit_scale", "x", 3, SCALE),
        ("temperature", "x", 3, SCALE),
        ("word_embed", "x", 2, EMBEDDING),
        ("relative_kernel", "rel_pos_kernel", 2, WEIGHT),
        ("anything", "x", 0, SCALE),
        ("anything", "x", 1, SCALE),
        ("anything", "x", 2, WEIGHT),
    ],
)
def test_names_of_layers_outside_keras(name, attribute, rank, kind):
    x = keras.Input((2,))
    layer = Held(name, attribute, (1,) * rank)
    layer.build(None)
    layer.call = lambda y: y
    assert variable_kinds(keras.Model(x, layer(x))) == [kind]


def test_a_table_of_labels_is_no_token():
    x = keras.Input((), dtype="int32")
    table = layers.Embedding(3, 2, name="class_embedding")
    assert variable_kinds(keras.Model(x, table(x))) == [EMBEDDING]


def test_normalisations_of_batches_and_groups_are_apart():
    x = keras.Input((4, 4, 2))
    y = layers.GroupNormalization(1)(layers.BatchNormalization()(x))
    y = layers.RMSNormalization()(layers.LayerNormalization()(y))
    kinds = variable_kinds(keras.Model(x, y))
    assert kinds == [BATCH_NORM] * 4 + [NORM] * 3
    assert set(kinds) < set(SCALES)


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
