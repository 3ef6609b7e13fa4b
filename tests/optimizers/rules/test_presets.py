"""Presets against the recipes that they are named after.

What each preset decays is written down for each variable by its path, and held to the
published rule (`oracles/published_recipes.py`) on the name and rank that the variable
has in PyTorch.
"""

import keras
import pytest
from models import skeletons
from oracles import published_recipes
from oracles.published_recipes import ALL, LETTERS, NOTHING, USUAL
from support import once

import keras_decay as kd
from keras_decay.models import decays_by_default

TABLES = {
    "vit": """
        vit_patching_and_embedding/class_token                    D.HNSO cls_token 3
        vit_patching_and_embedding/position_embedding/embeddings  D.HN.O pos_embed 3
        """,
    "swin": """
        absolute_pos_embed                     D.HN.O absolute_pos_embed 3
        mask_token                             DTHN.O mask_token 3
        stage_0/blocks_0/attn/relative_position_bias_table  D..N.O \
            layers.0.blocks.0.attn.relative_position_bias_table 2
        stage_0/blocks_0/attn/logit_scale      D.HN.O layers.0.attn.logit_scale 3
        stage_0/blocks_0/attn/cpb_mlp/dense/kernel  DTHN.O \
            layers.0.blocks.0.attn.cpb_mlp.0.weight 2
        """,
    "convnext": """
        layer_scale/gamma                      ..H... stages.0.blocks.0.gamma 1
        """,
    "dinov2": """
        embeddings/cls_token                   D.HNSO cls_token 3
        embeddings/mask_token                  DTHN.O mask_token 2
        embeddings/register_tokens             D.HNSO register_tokens 3
        embeddings/interpolated_position_embeddings  D.HN.O pos_embed 3
        encoder/layers_0/layer_scale1/lambda1  ..H... blocks.0.ls1.gamma 1
        encoder/layers_0/layer_scale2/lambda1  ..H... blocks.0.ls2.gamma 1
        """,
    "bert": """
        token_embedding/embeddings     DTHNSO bert.embeddings.word_embeddings.weight 2
        position_embedding/embeddings  D.HN.O \
            bert.embeddings.position_embeddings.weight 2
        segment_embedding/embeddings   DTHNSO \
            bert.embeddings.token_type_embeddings.weight 2
        """,
    "gpt2": """
        token_embedding/embeddings             DTHNSO transformer.wte.weight 2
        position_embedding/embeddings          D.HN.O transformer.wpe.weight 2
        """,
    "t5": """
        token_embedding/embeddings             DTHNSO shared.weight 2
        transformer_encoder_layer_0/self_attention/embeddings  D..N.O \
            encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight 2
        transformer_encoder_layer_0/t5_layer_norm/weight  ...... \
            encoder.block.0.layer.0.layer_norm.weight 1
        transformer_encoder_layer_0/t5_layer_norm_1/weight  ...... \
            encoder.block.0.layer.1.layer_norm.weight 1
        """,
    "llama": """
        token_embedding/embeddings             DTHNSO model.embed_tokens.weight 2
        token_embedding/reverse_embeddings     DTHNSO lm_head.weight 2
        transformer_layer_0/self_attention_layernorm/scale  ...... \
            model.layers.0.input_layernorm.weight 1
        transformer_layer_0/feedforward_layernorm/scale     ...... \
            model.layers.0.post_attention_layernorm.weight 1
        """,
    "mamba": """
        embeddings/embeddings                  DTHNSO backbone.embeddings.weight 2
        layers_0/norm/weight                   ...... backbone.layers.0.norm.weight 1
        layers_0/mixer/A_log                   DTHNSO backbone.layers.0.mixer.A_log 2
        layers_0/mixer/D                       ..H..O backbone.layers.0.mixer.D 1
        layers_0/mixer/dt_bias                 .....O backbone.layers.0.mixer.dt_bias 1
        norm_f/weight                          ...... backbone.norm_f.weight 1
        """,
    "mobilenet": """
        conv_bn/gamma                          ..H... features.0.1.weight 1
        conv_bn/beta                           ...... features.0.1.bias 1
        group_norm/gamma                       ...... features.1.group_norm.weight 1
        group_norm/beta                        ...... features.1.group_norm.bias 1
        prelu/alpha                            ..H..O features.2.weight 1
        """,
}
# The models to which a recipe is applied by its own project, or by name alone. timm and
# Swin list tables by the names that they have there.
HELD = {
    "timm": ["vit", "swin", "convnext", "dinov2", "mobilenet"],
    "hf_trainer": list(TABLES),
    "nanogpt": list(TABLES),
    "swin": ["swin", "convnext", "mobilenet"],
    "dinov2": ["vit", "swin", "convnext", "dinov2", "bert", "t5", "llama"],
}
# Where a preset departs from the letter of the rule, and why.
DEPARTURES = {
    ("timm", "absolute_pos_embed"): "timm's Swin has no such table",
    ("timm", "layers.0.attn.logit_scale"): "timm lists modules, and it is a parameter",
    ("timm", "register_tokens"): "timm's name is reg_token",
    ("hf_trainer", "backbone.norm_f.weight"): "an RMS norm whose name is no norm's",
}


@pytest.fixture(scope="module", params=TABLES)
def case(request):
    """A model's name, the model, and its lines (path, letters, *PyTorch's)."""
    lines = {}
    for line in TABLES[request.param].strip().splitlines():
        path, letters, name, axes = line.split()
        lines[path] = letters, name, int(axes), False
    model = getattr(skeletons, request.param)()
    paths = [v.path.removeprefix(f"{model.name}/") for v in model.trainable_variables]
    assert set(lines) <= set(paths)
    return (
        request.param,
        model,
        [(path, *lines.get(path, USUAL.get(path.split("/")[-1]))) for path in paths],
    )


@pytest.mark.parametrize("preset", LETTERS)
def test_a_preset_decays_what_is_written_down(case, preset):
    _, model, lines = case
    letter = LETTERS[preset]
    rules = kd.preset_rules(preset, model, 0.1)
    decayed = [strength is not None for _, strength in rules]
    found = {path: yes for (path, *_), yes in zip(lines, decayed, strict=True)}
    assert found == {path: letter in letters for path, letters, *_ in lines}


def test_the_default_decays_what_it_did(case):
    _, model, lines = case
    found = [decays_by_default(v.path, len(v.shape)) for v in model.trainable_variables]
    assert found == ["D" in letters for _, letters, *_ in lines]


def test_what_is_written_down_is_the_published_rule(case):
    model, _, lines = case
    for preset in (each for each in HELD if model in HELD[each]):
        rule = getattr(published_recipes, preset)
        for path, letters, name, *parameter in lines:
            as_published = rule(name, *parameter) == (LETTERS[preset] in letters)
            assert as_published != ((preset, name) in DEPARTURES), (preset, path)


def paths_decayed(rules):
    return [pattern for pattern, strength in rules if strength is not None]


def test_scales_and_state_are_spared_where_scales_are():
    rules = kd.preset_rules("no_bias_norm", skeletons.mamba(), 1)
    assert [path.rsplit("/", 1)[-1] for path in paths_decayed(rules)] == [
        *["embeddings$", "kernel$", "kernel$", "kernel$", "kernel$"]
    ]
    rules = kd.preset_rules("no_bias_norm", skeletons.dinov2(), 1)
    spared = [pattern for pattern, strength in rules if strength is None]
    assert sum("lambda1" in pattern for pattern in spared) == 2
    assert not any("token" in pattern for pattern in spared)


class Unknown(keras.layers.Layer):
    def build(self, shape):
        for rank in range(4):
            self.add_weight(shape=(2,) * rank, name=f"thing_{rank}")

    def call(self, x):
        return x


def test_what_is_unknown_is_a_scale_if_its_rank_is_at_most_1():
    x = keras.Input((2,))
    model = keras.Model(x, Unknown(name="own")(x))
    for preset in ("no_bias_norm", "no_bias_norm_embedding", "timm", "nanogpt", "swin"):
        rules = kd.preset_rules(preset, model, 1)
        assert paths_decayed(rules) == ["^own/thing_2$", "^own/thing_3$"], preset
    # These recipes go by names alone.
    for preset in ("hf_trainer", "dinov2", "everything"):
        assert len(paths_decayed(kd.preset_rules(preset, model, 1))) == 4


def test_a_models_own_name_is_no_part_of_a_parameters_name():
    layers = [keras.Input((2,)), keras.layers.Dense(2, name="dense")]
    model = keras.Sequential(layers, name="bias_norm_gamma")
    for preset in ("hf_trainer", "dinov2"):
        rules = kd.preset_rules(preset, model, 1)
        assert paths_decayed(rules) == ["^bias_norm_gamma/dense/kernel$"]


def test_the_trainer_knows_a_batch_normalisation_by_its_name():
    names = {
        "norm": NOTHING,
        "norm_1": NOTHING,
        "depthwise_norm": NOTHING,
        "expand_bn": ALL,
        "normalization": ALL,
        "normal": ALL,
    }
    stack = [keras.layers.BatchNormalization(name=name) for name in names]
    model = keras.Sequential([keras.Input((2,)), *stack], name="net")
    assert paths_decayed(kd.preset_rules("hf_trainer", model, 1)) == [
        f"^net/{name}/gamma$" for name, letters in names.items() if letters == ALL
    ]


@pytest.mark.parametrize(
    ("names", "ends"),
    [
        (["class_token"], {"class_token"}),
        (("*/position_embedding/*",), {"position_embedding/embeddings"}),
        ({"mlp/dense_?/bias"}, {"mlp/dense_1/bias", "mlp/dense_2/bias"}),
        (["ln"], None),
        (["Class_token"], None),
    ],
)
def test_no_weight_decay_spares_names_and_patterns(names, ends):
    model = skeletons.vit()
    if ends is None:
        with pytest.raises(ValueError, match=r"matches none.*\n  vit/vit_patching"):
            kd.preset_rules("everything", model, 1, no_weight_decay=names)
        return
    every = paths_decayed(kd.preset_rules("everything", model, 1))
    kept = paths_decayed(kd.preset_rules("everything", model, 1, names))
    spared = [p.strip("^$").replace("\\", "") for p in every if p not in kept]
    assert len(spared) == len(ends)
    assert all(path.endswith(tuple(ends)) for path in spared)


def test_no_weight_decay_may_name_what_is_frozen():
    model = skeletons.vit()
    model.embedding.trainable = False
    rules = kd.preset_rules("timm", model, 1, no_weight_decay=["class_token"])
    assert not any("class_token" in pattern for pattern, _ in rules)


@pytest.mark.parametrize("names", ["cls_token", [1], None])
def test_no_weight_decay_is_a_list_of_names(names):
    with pytest.raises(TypeError, match="`no_weight_decay` must be a list of names"):
        kd.preset_rules("timm", skeletons.vit(), 1, no_weight_decay=names)


APPLICATIONS = {
    "MobileNetV3Small": {"input_shape": (32, 32, 3), "minimalistic": True},
    "EfficientNetB0": {"input_shape": (32, 32, 3)},
    "ConvNeXtTiny": {"input_shape": (32, 32, 3)},
}


@once
@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_applications_of_keras(name):
    make = getattr(keras.applications, name)
    model = make(weights=None, classes=2, **APPLICATIONS[name])
    variables = model.trainable_variables
    # In each of them what has more than one axis is a kernel.
    kernels = [v.path.endswith("kernel") for v in variables]
    assert kernels == [len(v.shape) > 1 for v in variables] and True in kernels
    over_batch = [
        v.path.endswith("gamma") and name != "ConvNeXtTiny" for v in variables
    ]
    scaled = ["layer_scale" in v.path for v in variables]
    extra = {"hf_trainer": [a or b for a, b in zip(over_batch, scaled, strict=True)]}
    for preset in (*LETTERS, "no_bias_norm"):
        rules = dict(kd.preset_rules(preset, model, 1))
        found = [strength is not None for strength in rules.values()]
        more = extra.get(preset, [False] * len(variables))
        assert found == [a or b for a, b in zip(kernels, more, strict=True)], preset
