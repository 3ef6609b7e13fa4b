"""Rules that are built for a model: exactly which variables, and by how much.

The lists of paths are written out by hand. What a rule does is measured: without
gradients, SGD at rate η moves nothing, and a step leaves w (1 − ηλ) of a variable that
is decayed by λ and all of one that is spared.
"""

import inspect
import re
import time

import keras
import numpy as np
import pytest
from keras import layers, ops
from support import apply_as_fit_does, decisions, to_numpy

import keras_decay as kd
from keras_decay.models import first_matches

ETA, LAMBDA, FACTOR = 0.5, 0.4, 0.5


class Positions(layers.Layer):
    """What everyone writes for learned positions and a class token."""

    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, shape[-1]), name="cls_token")
        self.table = self.add_weight(shape=(shape[1] + 1, shape[-1]), name="pos_embed")

    def call(self, x):
        token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1]))
        return ops.concatenate([token, x], axis=1) + self.table


def transformer():
    tokens = keras.Input((5,), dtype="int32")
    x = layers.Embedding(11, 8, name="tokens")(tokens)
    x = Positions(name="positions")(x)
    y = layers.LayerNormalization(name="norm_1")(x)
    x = x + layers.MultiHeadAttention(2, 4, name="attention")(y, y)
    y = layers.LayerNormalization(axis=[1, 2], name="norm_2")(x)
    y = layers.Dense(16, "gelu", name="up")(y)
    x = x + layers.Dense(8, name="down")(y)
    return keras.Model(tokens, layers.Dense(3, name="head")(x[:, 0]))


def convolutional():
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="conv"),
            layers.BatchNormalization(name="batch_norm"),
            layers.PReLU(name="slopes"),
            layers.SeparableConv2D(4, 3, name="separable"),
            layers.GroupNormalization(2, name="group_norm"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.Flatten(),
            layers.Dense(2, name="head"),
        ],
        name="net",
    )


def recurrent():
    model = keras.Sequential(
        [
            layers.Embedding(11, 4, name="tokens"),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="both"),
            layers.GRU(3, reset_after=True, name="gru"),
            layers.Dense(2, name="head"),
        ],
        name="net",
    )
    model.build((None, 6))
    return model


class Subclassed(keras.Model):
    """Weights of its own, without a name, and layers in lists and dictionaries."""

    def __init__(self, **kwargs):
        super().__init__(name="own", **kwargs)
        self.token = self.add_weight(shape=(1, 4), name="class_token")
        self.bias = self.add_weight(shape=(1, 4))
        self.blocks = [layers.Dense(4, name=f"block_{i}") for i in range(2)]
        self.parts = {"norm": layers.LayerNormalization(name="last_norm")}
        self.table = layers.Embedding(3, 4, name="lookup")
        self.head = layers.TimeDistributed(layers.Dense(2, name="inner"), name="head")

    def call(self, x):
        for block in self.blocks:
            x = block(x) + self.token + self.bias
        x = self.parts["norm"](x + self.table(ops.zeros((1,), "int32")))
        return self.head(x[:, None, :])


def subclassed():
    model = Subclassed()
    model(np.zeros((2, 4), "float32"))
    return model


def nested():
    def tower(name):
        x = keras.Input((4,))
        y = layers.BatchNormalization(name=f"{name}_norm")(x)
        return keras.Model(x, layers.Dense(3, name=f"{name}_dense")(y), name=name)

    x = keras.Input((4,))
    y = tower("inner")(layers.Dense(4, name="stem")(x))
    return keras.Model(x, layers.Dense(1, name="head")(y))


# One line for each trainable variable: its path, its kind, whether it is decayed by
# default, and where that is so its depth, counted from the output.
TABLES = {
    transformer: """
        tokens/embeddings                       embedding  yes  4
        positions/cls_token                     embedding  yes  4
        positions/pos_embed                     embedding  yes  4
        norm_1/gamma                            scale      no
        norm_1/beta                             scale      no
        attention/query/kernel                  weight     yes  3
        attention/query/bias                    bias       no
        attention/key/kernel                    weight     yes  3
        attention/key/bias                      bias       no
        attention/value/kernel                  weight     yes  3
        attention/value/bias                    bias       no
        attention/attention_output/kernel       weight     yes  3
        attention/attention_output/bias         bias       no
        norm_2/gamma                            scale      no
        norm_2/beta                             scale      no
        up/kernel                               weight     yes  2
        up/bias                                 bias       no
        down/kernel                             weight     yes  1
        down/bias                               bias       no
        head/kernel                             weight     yes  0
        head/bias                               bias       no
        """,
    convolutional: """
        net/conv/kernel                         weight     yes  3
        net/conv/bias                           bias       no
        net/batch_norm/gamma                    scale      no
        net/batch_norm/beta                     scale      no
        net/slopes/alpha                        scale      no
        net/separable/depthwise_kernel          weight     yes  2
        net/separable/pointwise_kernel          weight     yes  2
        net/separable/bias                      bias       no
        net/group_norm/gamma                    scale      no
        net/group_norm/beta                     scale      no
        net/depthwise/kernel                    weight     yes  1
        net/depthwise/bias                      bias       no
        net/head/kernel                         weight     yes  0
        net/head/bias                           bias       no
        """,
    recurrent: """
        net/tokens/embeddings                               embedding  yes  3
        net/both/forward_lstm/lstm_cell/kernel              weight     yes  2
        net/both/forward_lstm/lstm_cell/recurrent_kernel    weight     yes  2
        net/both/forward_lstm/lstm_cell/bias                bias       no
        net/both/backward_lstm/lstm_cell/kernel             weight     yes  2
        net/both/backward_lstm/lstm_cell/recurrent_kernel   weight     yes  2
        net/both/backward_lstm/lstm_cell/bias               bias       no
        net/gru/gru_cell/kernel                             weight     yes  1
        net/gru/gru_cell/recurrent_kernel                   weight     yes  1
        net/gru/gru_cell/bias                               bias       no
        net/head/kernel                                     weight     yes  0
        net/head/bias                                       bias       no
        """,
    subclassed: """
        own/class_token                         embedding  yes  2
        own/variable                            bias       yes  2
        own/block_0/kernel                      weight     yes  2
        own/block_0/bias                        bias       no
        own/block_1/kernel                      weight     yes  1
        own/block_1/bias                        bias       no
        own/last_norm/gamma                     scale      no
        own/last_norm/beta                      scale      no
        own/lookup/embeddings                   embedding  yes  2
        own/head/inner/kernel                   weight     yes  0
        own/head/inner/bias                     bias       no
        """,
    nested: """
        stem/kernel                             weight     yes  2
        stem/bias                               bias       no
        inner_norm/gamma                        scale      no
        inner_norm/beta                         scale      no
        inner_dense/kernel                      weight     yes  1
        inner_dense/bias                        bias       no
        head/kernel                             weight     yes  0
        head/bias                               bias       no
        """,
}
GROUPS = {subclassed: ["token|variable|lookup|block_0", "block_1", "head"]}
DECAYED_KINDS = {
    "no_bias_norm": {"weight", "embedding"},
    "no_bias_norm_embedding": {"weight"},
    "everything": {"weight", "embedding", "scale", "bias"},
}


@pytest.fixture(scope="module", params=TABLES, ids=lambda make: make.__name__)
def model_and_lines(request):
    lines = [line.split() for line in TABLES[request.param].strip().splitlines()]
    model = request.param()
    return model, lines, GROUPS.get(request.param)


def expected(lines, preset):
    """The strength of each path, by the table."""
    if preset == "layerwise":
        depths = {path: int(rest[0]) for path, _, _, *rest in lines if rest}
        return {
            path: LAMBDA * FACTOR ** depths[path] if path in depths else None
            for path, *_ in lines
        }
    if preset == "kernels":
        decayed = [yes == "yes" for _, _, yes, *_ in lines]
    else:
        decayed = [kind in DECAYED_KINDS[preset] for _, kind, *_ in lines]
    return {
        path: LAMBDA if yes else None
        for (path, *_), yes in zip(lines, decayed, strict=True)
    }


@pytest.mark.parametrize("preset", ["kernels", *DECAYED_KINDS, "layerwise"])
def test_exactly_the_listed_variables_shrink(model_and_lines, preset):
    model, lines, groups = model_and_lines
    if preset == "layerwise":
        rules = kd.layerwise_rules(model, LAMBDA, FACTOR, groups=groups)
    else:
        rules = kd.preset_rules(preset, model, LAMBDA)
    strengths = expected(lines, preset)
    assert rules == [(f"^{re.escape(path)}$", λ) for path, λ in strengths.items()]

    # The wrapper's own λ would show on a variable that no rule decides.
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(ETA), 0.9, rules=rules, jit_compile=False
    )
    variables = model.trainable_variables
    optimizer.build(variables)
    rng = np.random.default_rng(0)
    for variable in variables:
        variable.assign(rng.uniform(1, 2, size=tuple(variable.shape)))
    before = [to_numpy(v) for v in variables]
    zeros = [ops.zeros(v.shape, v.dtype) for v in variables]
    apply_as_fit_does(optimizer, zeros, variables)
    for variable, was in zip(variables, before, strict=True):
        factor = np.float64(1 - ETA * (strengths[variable.path] or 0))
        np.testing.assert_allclose(
            to_numpy(variable), was * factor, rtol=1e-6, err_msg=variable.path
        )


def test_kernels_is_the_default_made_explicit(model_and_lines):
    model, *_ = model_and_lines
    outcomes = []
    for arguments in (
        {"weight_decay": LAMBDA},
        {"rules": kd.preset_rules("kernels", model, LAMBDA)},
    ):
        optimizer = kd.DecoupledWeightDecay(keras.optimizers.SGD(ETA), **arguments)
        optimizer.build(model.trainable_variables)
        rules = arguments.get("rules")
        outcomes.append(
            [
                e["rule"] is not None
                and (rules is None or rules[e["rule"]][1] == LAMBDA)
                for e in decisions(optimizer)
            ]
        )
    assert outcomes[0] == outcomes[1] and True in outcomes[0] and False in outcomes[0]


def small(names=("a", "b", "c"), **arguments):
    stack = [layers.Dense(2, name=name, **arguments) for name in names]
    return keras.Sequential([keras.Input((2,)), *stack], name="net")


def strengths_of(rules):
    return [strength for _, strength in rules]


def test_groups_are_depths_whatever_the_layers():
    model = small()
    rules = kd.layerwise_rules(model, 1, 0.5, groups=["/a/", "/[bc]/"])
    assert strengths_of(rules) == [0.5, None, 1.0, None, 1.0, None]
    rules = kd.layerwise_rules(model, 1, 0.5, preset="everything")
    assert strengths_of(rules) == [0.25, 0.25, 0.5, 0.5, 1.0, 1.0]


def test_freezing_a_layer_takes_its_rules_away_and_leaves_the_depths():
    model = small()
    model.layers[1].trainable = False
    by_layer = kd.layerwise_rules(model, 1, 0.5)
    by_group = kd.layerwise_rules(model, 1, 0.5, groups=["/a/", "/b/", "/c/"])
    assert by_layer == by_group and strengths_of(by_layer) == [0.25, None, 1.0, None]
    assert len(kd.preset_rules("everything", model, 1)) == 4


def test_a_layer_without_kernels_goes_with_the_one_before_it():
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(2),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dense(2),
        ]
    )
    rules = kd.layerwise_rules(model, 1, 0.5, preset="everything")
    assert strengths_of(rules) == [0.5, 0.5, 0.5, 0.5, 1.0, 1.0]


def test_a_shared_layer_counts_once_and_a_shared_table_is_an_embedding():
    class Logits(layers.Layer):
        def __init__(self, table):
            super().__init__()
            self.kernel = table

        def call(self, x):
            return ops.matmul(x, ops.transpose(self.kernel))

    table = layers.Embedding(5, 2, name="table")
    tokens = keras.Input((3,), dtype="int32")
    x = table(tokens)
    again = layers.Dense(2, name="again")
    model = keras.Model(tokens, Logits(table.embeddings)(again(again(x))))
    assert kd.preset_rules("no_bias_norm_embedding", model, 1) == [
        ("^table/embeddings$", None),
        ("^again/kernel$", 1.0),
        ("^again/bias$", None),
    ]
    # The head has the table for its weight: depth 0. The table goes by its input end.
    assert strengths_of(kd.layerwise_rules(model, 1, 0.5)) == [0.25, 0.5, None]


class Plain(layers.Layer):
    def call(self, x):
        return x


def test_layers_outside_keras_are_judged_by_names():
    class RMSNorm(Plain):
        def build(self, shape):
            self.weight = self.add_weight(shape=(1, shape[-1]), name="weight")

    class Whitening(layers.LayerNormalization):
        def build(self, shape):
            super().build(shape)
            self.mix = self.add_weight(shape=(2, 2), name="mix")

    class Attention(Plain):
        def build(self, shape):
            self.relative = self.add_weight(shape=(3, 3), name="relative_bias_table")
            self.debiased = self.add_weight(shape=(3, 3), name="debiased")
            self.attention_bias = [self.add_weight(shape=(2, 2))]

    class PatchEmbedding(Plain):
        def build(self, shape):
            self.project = self.add_weight(shape=(2, 2), name="project")
            self.register_tokens = self.add_weight(shape=(2, 2))

    class PositionEmbedding(Plain):
        def build(self, shape):
            self.table = self.add_weight(shape=(2, 2), name="table")
            self.kernel = self.add_weight(shape=(2, 2), name="kernel")

    class Codes(layers.Embedding):
        def __init__(self, name):
            super().__init__(3, 2, name=name)

        def build(self, shape):
            super().build(shape)
            self.book = self.add_weight(shape=(2, 2), name="book")

    x = y = keras.Input((2,))
    kinds = (RMSNorm, Whitening, Attention, PatchEmbedding, PositionEmbedding, Codes)
    for kind in kinds:
        y = kind(name=kind.__name__)(y)
    rules = dict(kd.preset_rules("no_bias_norm_embedding", keras.Model(x, y), 1))
    decayed = [path for path, strength in rules.items() if strength]
    assert len(rules) == 13
    assert decayed == [
        "^Attention/debiased$",
        "^PatchEmbedding/project$",
        "^PositionEmbedding/kernel$",
    ]


def twins():
    """Two nested models whose layers have the same name, so the same path."""
    x = y = keras.Input((2,))
    for name in ("first", "second"):
        inner = keras.Input((2,))
        y = keras.Model(inner, layers.Dense(2, name="dense")(inner), name=name)(y)
    return keras.Model(x, y)


def test_variables_of_one_path_share_one_rule_or_are_refused():
    model = twins()
    assert len(model.trainable_variables) == 4
    rules = kd.preset_rules("kernels", model, 0.1)
    assert rules == [("^dense/kernel$", 0.1), ("^dense/bias$", None)]
    optimizer = kd.DecoupledWeightDecay(keras.optimizers.SGD(), rules=rules)
    optimizer.build(model.trainable_variables)
    with pytest.raises(ValueError, match=r"share the path 'dense/kernel'.*names"):
        kd.layerwise_rules(model, 0.1, 0.5)


def test_names_are_no_expressions():
    model = small(("a+b", "aab", "a-b"))
    rules = kd.layerwise_rules(model, 0.1, 0.5)
    optimizer = kd.DecoupledWeightDecay(keras.optimizers.SGD(), rules=rules)
    optimizer.build(model.trainable_variables)
    matched = [entry["rule"] for entry in decisions(optimizer)]
    assert matched == [0, 1, 2, 3, 4, 5]


def test_what_is_overwritten_with_its_gradient_is_spared():
    model = small(("a",))
    model.trainable_variables[0].overwrite_with_gradient = True
    rules = kd.preset_rules("everything", model, 0.1)
    assert rules == [("^net/a/kernel$", None), ("^net/a/bias$", 0.1)]


def test_every_rule_gets_the_strength_as_it_was_given():
    model, λ = small(), keras.Variable(0.1)
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.9)
    for value in (λ, schedule):
        strengths = strengths_of(kd.preset_rules("kernels", model, value))
        assert all(s is value for s in strengths[::2])
        assert strengths[1::2] == [None] * 3
    strength = kd.preset_rules("kernels", model, np.float32(0.5))[0][1]
    assert strength == 0.5 and type(strength) is float


def test_rules_for_very_many_variables_are_matched_at_once():
    paths = [f"block_{i}/kernel" for i in range(800)]
    patterns = [f"^{path}$" for path in paths]
    start = time.perf_counter()
    assert first_matches(patterns, paths) == list(range(800))
    # It took 14 s while `re` compiled each pattern for each path.
    assert time.perf_counter() - start < 5


def preset(preset="kernels", model=None, weight_decay=0.1):
    return kd.preset_rules(preset, small() if model is None else model, weight_decay)


def layerwise(model=None, weight_decay=0.1, factor=0.5, **arguments):
    model = small() if model is None else model
    return kd.layerwise_rules(model, weight_decay, factor, **arguments)


def unbuilt():
    return keras.Sequential([layers.Dense(1)])


def frozen():
    return small(trainable=False)


BAD = {
    "an unknown preset": (
        lambda: preset("kernel"),
        ValueError,
        "`preset` must be one of 'kernels', 'no_bias_norm', 'no_bias_norm_embedding', "
        "'everything', 'timm', 'hf_trainer', 'nanogpt', 'swin', 'dinov2'. Received: "
        "preset='kernel'",
    ),
    "no preset": (lambda: preset(None), TypeError, "`preset` must be one of"),
    "not a model": (lambda: preset(model=[1]), TypeError, "`model` must be a built"),
    "an unbuilt model": (
        lambda: preset(model=unbuilt()),
        ValueError,
        "`model` must be built. Received: model=<Sequential",
    ),
    "how to build it": (lambda: layerwise(unbuilt()), ValueError, "`model.build("),
    "a frozen model": (lambda: preset(model=frozen()), ValueError, "are frozen"),
    "a negative strength": (
        lambda: preset(weight_decay=-1),
        ValueError,
        "`weight_decay` must be a finite number of at least 0. Received: "
        "weight_decay=-1",
    ),
    "a penalty": (
        lambda: preset(weight_decay=kd.L1(0.1)),
        TypeError,
        "`weight_decay` must be a non-negative number",
    ),
    "no strength": (
        lambda: preset(weight_decay=None),
        TypeError,
        "`weight_decay` must be a non-negative number",
    ),
    "a variable, layer-wise": (
        lambda: layerwise(weight_decay=keras.Variable(0.1)),
        TypeError,
        "`weight_decay` must be a finite number",
    ),
    "a form that falls": (
        lambda: layerwise(weight_decay=kd.DecayToward(0.1)),
        ValueError,
        "`factor` must be 1 where `weight_decay` is no number but DecayToward(",
    ),
    "a default that falls": (
        lambda: layerwise(weight_decay="default"),
        ValueError,
        "`factor` must be 1 where `weight_decay` is no number but 'default'",
    ),
    "another word": (
        lambda: layerwise(weight_decay="defaults", factor=1),
        ValueError,
        "`weight_decay` must be a non-negative number",
    ),
    "nothing, layer-wise": (
        lambda: layerwise(weight_decay=None, factor=1),
        TypeError,
        "`weight_decay` must be a finite number",
    ),
    "a factor of 0": (
        lambda: layerwise(factor=0),
        ValueError,
        "`factor` must be a finite number greater than 0 and at most 1. Received: "
        "factor=0",
    ),
    "a factor above 1": (lambda: layerwise(factor=2), ValueError, "`factor` must be"),
    "a subclassed model": (
        lambda: layerwise(subclassed()),
        ValueError,
        "These variables are in none of its layers:\n  own/variable",
    ),
    "groups in a string": (
        lambda: layerwise(groups="a"),
        TypeError,
        "`groups` must be a list of regular expressions, from input to output",
    ),
    "a bad expression": (
        lambda: layerwise(groups=["("]),
        ValueError,
        "`groups[0]` must be a regular expression",
    ),
    "a group for nothing": (
        lambda: layerwise(groups=["a", "b", "c", "z"]),
        ValueError,
        "`groups[3]` must be the first that matches some variable",
    ),
    "a group that comes too late": (
        lambda: layerwise(groups=[".", "c"]),
        ValueError,
        "`groups[1]` must be the first that matches some variable",
    ),
    "a variable without a group": (
        lambda: layerwise(groups=["/a/", "/b/"]),
        ValueError,
        "are matched by no group:\n  net/c/kernel",
    ),
    "no group at all": (
        lambda: layerwise(groups=[]),
        ValueError,
        "Received: groups=[]. These variables are matched by no group:\n  net/a/kernel",
    ),
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_arguments_are_refused_in_one_sentence(problem):
    call, kind, text = BAD[problem]
    with pytest.raises(kind) as error:
        call()
    assert text in str(error.value)


@pytest.mark.parametrize("builder", [kd.preset_rules, kd.layerwise_rules])
def test_the_example_runs(builder, capsys):
    (example,) = re.findall(r"```python\n(.*?)```", builder.__doc__, re.S)
    exec(inspect.cleandoc(example), {"keras": keras, "kd": kd})
    shown = re.findall(r"print\(.*\)  # (.*)", example)
    assert shown == capsys.readouterr().out.strip().splitlines()
