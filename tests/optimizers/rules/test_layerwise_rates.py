"""`layerwise_rules(rate_factor=…)`: the groups of fine-tuning recipes, by path.

The expected groups are written down from the originals:

- BEiT: `get_num_layer_for_vit`, beit/optim_factory.py of microsoft/unilm. Tokens,
  positions and the patch projection are the first group, each block is one, and all
  else (the last norms, the head) is the last. MAE's `num_layer_for_vit`,
  util/lr_decay.py of facebookresearch/mae, has the same.
- ELECTRA: `_get_layer_lrs`, model/optimization.py of google-research/electra: all under
  "embeddings", each layer of the encoder, and what is specific to the task.
- ConvNeXt: `get_num_layer_for_convnext`, optim_factory.py of facebookresearch/ConvNeXt.
"""

import re

import keras
import numpy as np
import pytest
from keras import layers, ops
from support import apply_as_fit_does, mostly_slow

import keras_decay as kd

RATE = 0.5
DIM = 4


class Block(layers.Layer):
    """Two norms, attention with a table of relative positions, an MLP in a list."""

    def build(self, shape):
        self.norm1 = layers.LayerNormalization(name="norm1")
        self.attn = layers.MultiHeadAttention(1, DIM, name="attn")
        self.rel_pos_bias = self.add_weight(shape=(2, 2), name="relative_bias_table")
        self.norm2 = layers.LayerNormalization(name="norm2")
        self.mlp = [layers.Dense(DIM, name="fc1"), layers.Dense(DIM, name="fc2")]

    def call(self, x):
        y = self.norm1(x)
        x = x + self.attn(y, y)
        y = self.norm2(x)
        for layer in self.mlp:
            y = layer(y)
        return x + y


class Tokens(layers.Layer):
    """A class token and positions, as everyone writes them."""

    def build(self, shape):
        self.cls_token = self.add_weight(shape=(1, 1, DIM), name="cls_token")
        self.pos_embed = self.add_weight(shape=(1, shape[1] + 1, DIM), name="pos_embed")

    def call(self, x):
        token = ops.broadcast_to(self.cls_token, (ops.shape(x)[0], 1, DIM))
        return ops.concatenate([token, x], axis=1) + self.pos_embed


def images():
    return np.zeros((2, 4, 4, 3), "float32")


class ViT(keras.Model):
    """Subclassed, with a list of blocks and variables of its own, as in timm."""

    def __init__(self, head=True, depth=3, **kwargs):
        super().__init__(**kwargs)
        self.patch_embed = layers.Conv2D(DIM, 2, 2, name="patch_embed")
        self.cls_token = self.add_weight(shape=(1, 1, DIM), name="cls_token")
        self.pos_embed = self.add_weight(shape=(1, 5, DIM), name="pos_embed")
        self.blocks = [Block(name=f"blocks_{i}") for i in range(depth)]
        self.norm = layers.LayerNormalization(name="norm")
        self.head = layers.Dense(2, name="head") if head else None

    def call(self, x):
        x = ops.reshape(self.patch_embed(x), (-1, 4, DIM))
        token = ops.broadcast_to(self.cls_token, (ops.shape(x)[0], 1, DIM))
        x = ops.concatenate([token, x], axis=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return x if self.head is None else self.head(x[:, 0])


def vit_subclassed():
    model = ViT(name="vit")
    model(images())
    return model


def vit_functional():
    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(DIM, 2, 2, name="patch_embed")(inputs)
    x = Tokens(name="tokens")(layers.Reshape((4, DIM))(x))
    for i in range(3):
        x = Block(name=f"blocks_{i}")(x)
    x = layers.LayerNormalization(name="norm")(x)
    return keras.Model(inputs, layers.Dense(2, name="head")(x[:, 0]))


def vit_nested():
    """A backbone in a functional model with a head, as for fine-tuning."""
    inputs = keras.Input((4, 4, 3))
    x = layers.Rescaling(0.5)(inputs)
    x = ViT(head=False, name="backbone")(x)
    return keras.Model(inputs, layers.Dense(2, name="head")(x[:, 0]))


def vit_nested_twice():
    inputs = keras.Input((4, 4, 3))
    return keras.Sequential([inputs, vit_functional_backbone(), layers.Dense(2)])


def vit_functional_backbone():
    model = vit_functional()
    return keras.Model(model.input, model.layers[-1].input, name="backbone")


# By a part of the path, the group of BEiT, counted from the head.
BEIT = {
    "patch_embed|cls_token|pos_embed": 4,
    "blocks_0/": 3,
    "blocks_1/": 2,
    "blocks_2/": 1,
    "norm/|head/|dense": 0,
}


def bert():
    """A functional backbone with three tables, and a head of two layers."""
    ids = keras.Input((5,), dtype="int32", name="ids")
    kinds = keras.Input((5,), dtype="int32", name="kinds")
    word = layers.Embedding(7, DIM, name="word_embeddings")(ids)
    kind = layers.Embedding(2, DIM, name="token_type_embeddings")(kinds)
    where = layers.Embedding(5, DIM, name="position_embeddings")(
        ops.cumsum(ops.ones_like(ids), axis=1) - 1
    )
    x = layers.LayerNormalization(name="embeddings_norm")(word + kind + where)
    for i in range(2):
        x = Block(name=f"layer_{i}")(x)
    backbone = keras.Model([ids, kinds], x, name="backbone")
    outputs = layers.Dense(3, name="classifier")(backbone([ids, kinds])[:, 0])
    return keras.Model([ids, kinds], outputs)


ELECTRA = {"embeddings": 3, "layer_0/": 2, "layer_1/": 1, "classifier": 0}


class GPT(keras.Model):
    """Tables after the list, which makes them no less the input side."""

    def __init__(self):
        super().__init__(name="gpt")
        self.h = [Block(name=f"h_{i}") for i in range(2)]
        self.wte = layers.Embedding(7, DIM, name="wte")
        self.wpe = layers.Embedding(5, DIM, name="wpe")
        self.ln_f = layers.LayerNormalization(name="ln_f")
        self.lm_head = layers.Dense(7, use_bias=False, name="lm_head")

    def call(self, ids):
        x = self.wte(ids) + self.wpe(ops.arange(5))
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))


def gpt():
    model = GPT()
    model(np.zeros((2, 5), "int32"))
    return model


class ConvBlock(layers.Layer):
    def build(self, shape):
        self.dwconv = layers.DepthwiseConv2D(3, padding="same", name="dwconv")
        self.norm = layers.LayerNormalization(name="norm")
        self.pwconv1 = layers.Dense(DIM, name="pwconv1")
        self.pwconv2 = layers.Dense(DIM, name="pwconv2")
        self.gamma = self.add_weight(shape=(DIM,), name="layer_scale")

    def call(self, x):
        y = self.pwconv2(self.pwconv1(self.norm(self.dwconv(x))))
        return x + self.gamma * y


def convnext():
    """Nested Sequential models: a stem, stages of blocks, and what joins them."""
    norm, conv = layers.LayerNormalization, layers.Conv2D

    def stage(i, depth):
        blocks = [ConvBlock(name=f"stage_{i}_block_{k}") for k in range(depth)]
        return keras.Sequential(blocks, name=f"stage_{i}")

    stem = keras.Sequential([conv(DIM, 1, name="stem_conv"), norm(name="stem_norm")])
    join = keras.Sequential([norm(name="join_norm"), conv(DIM, 1, name="join_conv")])
    pool = [layers.GlobalAveragePooling2D(), norm(name="last_norm")]
    parts = [stem, stage(0, 2), join, stage(1, 3), *pool, layers.Dense(2, name="head")]
    return keras.Sequential([keras.Input((4, 4, 3)), *parts])


CONVNEXT = {
    "stem_conv|stem_norm": 7,
    "stage_0_block_0": 6,
    "stage_0_block_1": 5,
    "join_norm": 5,  # it does not count, so it goes with what is before it
    "join_conv": 4,
    "stage_1_block_0": 3,
    "stage_1_block_1": 2,
    "stage_1_block_2": 1,
    "last_norm": 1,  # the same
    "head": 0,
}


class Stages(keras.Model):
    """A list of stages, each of which holds a list of blocks: Swin's."""

    class Stage(layers.Layer):
        def __init__(self, i):
            super().__init__(name=f"stages_{i}")
            self.blocks = [ConvBlock(name=f"blocks_{k}") for k in range(2)]
            self.downsample = layers.Dense(DIM, name="downsample")

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return self.downsample(x)

    def __init__(self):
        super().__init__(name="swin")
        self.embed = layers.Conv2D(DIM, 2, name="embed")
        self.stages = [Stages.Stage(i) for i in range(2)]
        self.head = layers.Dense(2, name="head")

    def call(self, x):
        x = self.embed(x)
        for stage in self.stages:
            x = stage(x)
        return self.head(x)


def stages():
    model = Stages()
    model(images())
    return model


STAGES = {
    "/embed/": 7,
    "stages_0/blocks_0": 6,
    "stages_0/blocks_1": 5,
    "stages_0/downsample": 4,
    "stages_1/blocks_0": 3,
    "stages_1/blocks_1": 2,
    "stages_1/downsample": 1,
    "head": 0,
}


def stages_in_a_row():
    """The same in a functional model, as keras_hub's Swin."""
    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(DIM, 2, name="embed")(inputs)
    for i in range(2):
        x = Stages.Stage(i)(x)
    return keras.Model(inputs, layers.Dense(2, name="head")(x), name="swin")


def reversible(tie_weights):
    """A table that makes the logits, or whose layer holds what makes them."""
    ids = keras.Input((5,), dtype="int32")
    table = layers.ReversibleEmbedding(7, DIM, tie_weights=tie_weights, name="table")
    where = layers.Embedding(5, DIM, name="positions")(
        ops.cumsum(ops.ones_like(ids), axis=1) - 1
    )
    x = table(ids) + where
    for i in range(2):
        x = Block(name=f"h_{i}")(x)
    x = layers.LayerNormalization(name="ln_f")(x)
    return keras.Model(ids, table(x, reverse=True))


REVERSIBLE = {"embeddings": 3, "h_0/": 2, "h_1/": 1, "ln_f": 0}


def deberta():
    """A table of relative positions for all blocks, and ELECTRA's projection."""
    ids = keras.Input((5,), dtype="int32")
    x = layers.Embedding(7, 2, name="word_embeddings")(ids)
    x = layers.Dense(DIM, name="embeddings_project")(x)
    x = Relative(name="relative")(x)
    for i in range(2):
        x = Block(name=f"layer_{i}")(x)
    return keras.Model(ids, layers.Dense(3, name="classifier")(x[:, 0]))


class Relative(layers.Layer):
    def build(self, shape):
        self.table = self.add_weight(shape=(5, DIM), name="rel_embeddings")

    def call(self, x):
        return x + self.table


DEBERTA = {"embeddings": 3, "layer_0/": 2, "layer_1/": 1, "classifier": 0}


def a_layer_after_the_blocks():
    """EfficientNet's: the normalisation after it is that layer's, not the head's."""
    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(DIM, 1, name="stem")(inputs)
    for i in range(2):
        x = ConvBlock(name=f"block_{i}")(x)
    x = layers.LayerNormalization(name="top_bn")(layers.Conv2D(3, 1, name="top")(x))
    return keras.Model(inputs, layers.Dense(2, name="head")(x))


TOP = {"stem": 4, "block_0": 3, "block_1": 2, "top": 1, "head": 0}


def towers():
    """Two tables that no projection leads to, each with a network of its own."""
    inputs = [keras.Input((2,), dtype="int32") for _ in range(2)]
    outputs = []
    for name, x in zip(("user", "item"), inputs, strict=True):
        x = layers.Flatten()(layers.Embedding(5, DIM, name=f"{name}_table")(x))
        outputs.append(layers.Dense(DIM, name=f"{name}_dense")(x))
    outputs = layers.Dense(1, name="head")(layers.Concatenate()(outputs))
    return keras.Model(inputs, outputs)


TOWERS = {"table": 3, "user_dense": 2, "item_dense": 1, "head": 0}


def residual_blocks():
    """Nested functional models of one kind: each is a block of one depth."""

    def block(i):
        x = keras.Input((DIM,))
        y = layers.Dense(DIM, "relu", name=f"block_{i}_a")(x)
        y = layers.Dense(DIM, name=f"block_{i}_b")(y)
        return keras.Model(x, x + y, name=f"block_{i}")

    parts = [layers.Dense(DIM, name="stem"), *map(block, range(3))]
    return keras.Sequential([keras.Input((3,)), *parts, layers.Dense(1, name="head")])


RESIDUAL = {"stem": 4, "block_0": 3, "block_1": 2, "block_2": 1, "head": 0}
MODELS = {
    "ViT, subclassed": (vit_subclassed, BEIT),
    "ViT, functional": (vit_functional, BEIT),
    "ViT, a backbone in a model": (vit_nested, BEIT),
    "ViT, a functional backbone in a model": (vit_nested_twice, BEIT),
    "BERT": (bert, ELECTRA),
    "GPT": (gpt, {"wte|wpe": 3, "h_0/": 2, "h_1/": 1, "ln_f|lm_head": 0}),
    "ConvNeXt": (convnext, CONVNEXT),
    "Swin": (stages, STAGES),
    "Swin, functional": (stages_in_a_row, {"embed/": 7} | STAGES),
    "DeBERTa": (deberta, DEBERTA),
    "a layer after the blocks": (a_layer_after_the_blocks, TOP),
    "two towers": (towers, TOWERS),
    "residual blocks": (residual_blocks, RESIDUAL),
}


def depth_in(table, path):
    found = [depth for part, depth in table.items() if re.search(part, path)]
    assert found, path
    return found[0]


QUICK = ["ViT, subclassed", "ViT, a functional backbone in a model", "BERT", "GPT"]
QUICK += ["two towers", "residual blocks", "a layer after the blocks"]
QUICK += ["DeBERTa"]
if hasattr(layers, "ReversibleEmbedding"):  # Keras 3.12 may lack it
    MODELS |= {
        "GPT, tied": (lambda: reversible(True), REVERSIBLE),
        "GPT, a head in the table's layer": (
            lambda: reversible(False),
            {"reverse": 0} | REVERSIBLE,
        ),
    }
    QUICK += ["GPT, a head in the table's layer"]


@pytest.mark.parametrize("name", mostly_slow(MODELS, QUICK))
def test_rates_are_those_of_the_original(name):
    make, table = MODELS[name]
    model = make()
    rules = kd.layerwise_rules(model, 0.1, 1, rate_factor=RATE)
    plain = kd.layerwise_rules(model, 0.1, RATE)
    paths = [variable.path for variable in model.trainable_variables]
    assert [rule.pattern for rule in rules] == [f"^{re.escape(p)}$" for p in paths]
    for path, rule, (_, strength) in zip(paths, rules, plain, strict=True):
        depth = depth_in(table, path)
        assert rule.learning_rate == RATE**depth, path
        assert rule.strength == (None if strength is None else 0.1)
        assert strength in (None, 0.1 * RATE**depth)
        assert (strength is None) == bool(
            re.search(r"(bias|gamma|beta|layer_scale)$", path)
        )


def test_frozen_layers_leave_the_depths():
    model = vit_subclassed()
    rules = kd.layerwise_rules(model, 0.1, 1, rate_factor=RATE)
    rates = {rule.pattern: rule.learning_rate for rule in rules}
    model.patch_embed.trainable = model.blocks[1].trainable = False
    fewer = kd.layerwise_rules(model, 0.1, 1, rate_factor=RATE)
    assert 0 < len(fewer) < len(rules)
    assert all(rates[rule.pattern] == rule.learning_rate for rule in fewer)


@pytest.mark.slow
def test_a_model_trains_by_its_rates():
    """Oracle: SGD without momentum moves in proportion to the rate."""
    moved = []
    for rate_factor in (1.0, RATE):
        keras.utils.set_random_seed(0)
        model = residual_blocks()
        rules = kd.layerwise_rules(model, 0.0, 1, rate_factor=rate_factor)
        optimizer = kd.DecoupledWeightDecay(keras.optimizers.SGD(0.1), rules=rules)
        model.compile(optimizer, "mse")
        before = model.get_weights()
        x = np.sin(np.arange(24.0)).reshape(8, 3)
        model.fit(x, x[:, :1], batch_size=8, verbose=0)
        pairs = zip(model.get_weights(), before, strict=True)
        moved.append([after - start for after, start in pairs])
    paths = [variable.path for variable in model.trainable_variables]
    for path, full, scaled in zip(paths, *moved, strict=True):
        rate = RATE ** depth_in(RESIDUAL, path)
        np.testing.assert_allclose(scaled, rate * full, 1e-3, 1e-7, err_msg=path)


STRENGTHS = {
    "form": lambda: kd.DecayToward(0.1),
    "penalty": lambda: kd.L1(0.1),
    "schedule": lambda: keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9),
    "default": lambda: "default",
}


@pytest.mark.parametrize("rate_factor", [None, RATE])
@pytest.mark.parametrize("name", STRENGTHS)
def test_a_strength_that_is_no_number_is_every_layers(name, rate_factor):
    """Oracle: the rules of a number, with another strength."""
    model, strength = residual_blocks(), STRENGTHS[name]()
    rules = kd.layerwise_rules(model, strength, 1, rate_factor=rate_factor)
    numbers = kd.layerwise_rules(model, 0.5, 1, rate_factor=RATE)
    for rule, number in zip(rules, numbers, strict=True):
        if not isinstance(rule, kd.Rule):
            assert name != "default"
            rule = kd.Rule(*rule)
        assert rule.pattern == number.pattern
        assert rule.learning_rate == (number.learning_rate if rate_factor else 1)
        assert rule.strength is (None if number.strength is None else strength)


def test_rules_of_the_default_decay_as_the_optimizer_says():
    """Oracle: the same form in each rule."""
    moved = []
    for strength, default in (("default", kd.DecayToward(0.5)), (kd.L2(0.5), None)):
        model = residual_blocks()
        model.set_weights([0.1 * np.ones_like(w) for w in model.get_weights()])
        rules = kd.layerwise_rules(model, strength, 1, rate_factor=RATE)
        inner = keras.optimizers.SGD(0.1)
        optimizer = kd.DecoupledWeightDecay(inner, default, rules=rules)
        optimizer.build(model.trainable_variables)
        model.set_weights([3 * w for w in model.get_weights()])
        zeros = [np.zeros(v.shape, "float32") for v in model.trainable_variables]
        apply_as_fit_does(optimizer, zeros, model.trainable_variables)
        moved.append([0.3 - w.mean() for w in model.get_weights()])
    paths = [variable.path for variable in model.trainable_variables]
    for path, toward, prox in zip(paths, *moved, strict=True):
        c = 0.1 * RATE ** depth_in(RESIDUAL, path) * path.endswith("kernel")
        np.testing.assert_allclose(toward, c * 0.5 * 0.2, 1e-3, 1e-7, err_msg=path)
        share = 1 - 1 / (1 + 2 * 0.5 * c)
        np.testing.assert_allclose(prox, share * 0.3, 1e-3, 1e-7, err_msg=path)


class TwoLists(keras.Model):
    """ConvNeXt's own code: two lists, whose members alternate."""

    def __init__(self):
        super().__init__(name="net")
        self.downsample_layers = [
            layers.Conv2D(DIM, 1, name=f"downsample_layers_{i}") for i in range(4)
        ]
        self.stages = [
            [ConvBlock(name=f"stages_{i}_{k}") for k in range(depth)]
            for i, depth in enumerate((1, 1, 6, 1))
        ]
        self.norm = layers.LayerNormalization(name="norm")
        self.head = layers.Dense(2, name="head")

    def call(self, x):
        for downsample, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = downsample(x)
            for block in stage:
                x = block(x)
        return self.head(self.norm(ops.mean(x, axis=(1, 2))))


def built(model, x=None):
    model(images() if x is None else x)
    return model


def test_the_groups_of_convnext_are_given_by_hand():
    model = built(TwoLists())
    with pytest.raises(ValueError, match=r"`groups` must be given.*downsample_layers"):
        kd.layerwise_rules(model, 0.1, 1, rate_factor=RATE)
    groups = [
        "downsample_layers_0",
        "stages_0",
        "downsample_layers_1|stages_1",
        "downsample_layers_2|stages_2_[012]",
        "stages_2_[345]",
        "downsample_layers_3|stages_3",
        "norm|head",
    ]
    # Blocks have norms of their own; the first group that is found decides.
    rules = kd.layerwise_rules(model, 0.1, 1, rate_factor=RATE, groups=groups)
    for variable, rule in zip(model.trainable_variables, rules, strict=True):
        path = variable.path
        depth = next(6 - i for i, g in enumerate(groups) if re.search(g, path))
        assert rule.learning_rate == RATE**depth


class NoList(keras.Model):
    def __init__(self):
        super().__init__(name="net")
        self.second = layers.Dense(2)
        self.first = layers.Dense(DIM)

    def call(self, x):
        return self.second(self.first(x))


class Experts(NoList):
    def __init__(self):
        super().__init__()
        self.experts = [layers.Dense(2) for _ in range(3)]

    def call(self, x):
        return sum(expert(super(Experts, self).call(x)) for expert in self.experts)


class HeadFirst(keras.Model):
    def __init__(self):
        super().__init__(name="net")
        self.head = layers.Dense(2)
        self.blocks = [layers.Dense(DIM) for _ in range(2)]

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


UNKNOWN = {
    "no list": (NoList, r"holds \['second', 'first'\] and the lists of blocks \[\]"),
    "side by side": (Experts, r"holds \['second', 'first', 'experts'\] and the lists"),
    "a head before the blocks": (HeadFirst, "assigns 'head' before its list of blocks"),
}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("name", UNKNOWN)
def test_what_does_not_tell_the_depth_is_an_error(name, nested):
    make, found = UNKNOWN[name]
    model = make()
    if nested:
        inputs = keras.Input((3,))
        model = keras.Model(inputs, layers.Dense(1)(model(inputs)))
    else:
        model(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=f"`groups` must be given for.*{found}") as e:
        kd.layerwise_rules(model, 0.1, 1, rate_factor=RATE)
    assert "Give regular expressions for its parts, from input to output" in str(
        e.value
    )


@pytest.mark.parametrize("value", [0, 1.5, "0.65", float("nan")])
def test_bad_rate_factors(value):
    kind = TypeError if isinstance(value, str) else ValueError
    with pytest.raises(kind, match="`rate_factor` must be a finite number greater"):
        kd.layerwise_rules(residual_blocks(), 0.1, 1, rate_factor=value)


def test_every_rate_needs_a_group():
    model = residual_blocks()
    groups = ["kernel"]
    kd.layerwise_rules(model, 0.1, 1, groups=groups)
    with pytest.raises(
        ValueError, match=r"(?s)every variable whose rate is changed.*bias"
    ):
        kd.layerwise_rules(model, 0.1, 1, groups=groups, rate_factor=0.5)
