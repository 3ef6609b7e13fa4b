"""Presets and layer-wise rules on the models of keras_hub itself.

What each preset decays is written down by the path, as in `test_presets.py`, and held
to the published rule on the name that the variable has in PyTorch. The groups of
layer-wise rates are written down from the originals that `test_layerwise_rates.py`
names, and from `get_swin_layer` in the optimizer.py of microsoft/SimMIM, but that a
stage's downsampling has a depth of its own, as in timm's `group_matcher`.
"""

import functools
import re

import pytest
from models import hub_models
from oracles import published_recipes
from oracles.published_recipes import LETTERS, USUAL

import keras_decay as kd

pytestmark = [pytest.mark.slow, pytest.mark.needs("keras_hub")]
RATE = 0.5

# A regular expression of the whole path without the model's name; what is decayed; in
# PyTorch the name and the number of axes.
TOKENS = "token_embedding/embeddings             DTHNSO embeddings.weight 2"
POSITIONS = "position_embedding/embeddings          D.HN.O pos_embed.weight 2"
RMS_NORM = (
    r".*norm/scale                         ...... layers.0.input_layernorm.weight 1"
)
HEAD = "token_embedding/reverse_embeddings     DTHNSO lm_head.weight 2"
BATCH_NORM = r".*_bn\d?/gamma                        ..H... blocks.0.bn.weight 1"
TABLES = {
    "bert": [
        TOKENS,
        POSITIONS,
        "segment_embedding/embeddings DTHNSO token_type_embeddings.weight 2",
    ],
    "electra": [
        TOKENS,
        POSITIONS,
        "segment_embedding/embeddings DTHNSO token_type_embeddings.weight 2",
    ],
    "deberta": [
        TOKENS,
        "rel_embedding/rel_embedding  D.HN.O deberta.encoder.rel_embeddings.weight 2",
    ],
    "gpt2": [TOKENS, POSITIONS],
    "llama": [TOKENS, HEAD, RMS_NORM],
    "qwen": [
        TOKENS,
        HEAD,
        RMS_NORM,
        r".*/linear_attn/conv1d_kernel DTHNSO layers.0.linear_attn.conv1d.weight 3",
        r".*/linear_attn/dt_bias       .....O layers.0.linear_attn.dt_bias 1",
        r".*/linear_attn/A_log         ..H..O layers.0.linear_attn.A_log 1",
    ],
    "t5": [
        TOKENS,
        HEAD,
        r"self_attention/embeddings    D..N.O \
            block.0.SelfAttention.relative_attention_bias.weight 2",
        r".*norm(_\d+)?/weight         ...... block.0.layer.0.layer_norm.weight 1",
    ],
    "vit": [
        ".*/class_token                D.HNSO cls_token 3",
        ".*/position_embedding/embeddings  D.HN.O pos_embed 3",
    ],
    "deit": [
        ".*/class_token                D.HNSO cls_token 3",
        ".*/distillation_token         D.HNSO dist_token 3",
        ".*/position_embedding         D.HN.O pos_embed 3",
    ],
    "dinov2": [
        "embeddings/cls_token          D.HNSO cls_token 3",
        "embeddings/mask_token         DTHN.O mask_token 2",
        "embeddings/register_tokens    D.HNSO reg_token 3",
        "embeddings/interpolated_position_embeddings  D.HN.O pos_embed 3",
        ".*/layer_scale[12]/lambda1    ..H... blocks.0.ls1.gamma 1",
    ],
    "swin": [
        r".*/relative_position_bias_table  D..N.O \
            layers.0.blocks.0.attn.relative_position_bias_table 2",
    ],
    "mobilenet": [
        # keras_hub's name, by which the Trainer's rule goes.
        "input_batch_norm/gamma        ...... input_batch_norm.weight 1",
        BATCH_NORM,
    ],
    "efficientnet": [BATCH_NORM],
}
# The models to which a recipe is applied by its own project, or by name alone, and what
# departs there. timm and Swin list tables by the names that they have there.
VISION = ["vit", "deit", "dinov2", "swin", "mobilenet", "efficientnet"]
HELD = {
    "timm": VISION,
    "hf_trainer": list(TABLES),
    "nanogpt": list(TABLES),
    "swin": ["swin", "mobilenet", "efficientnet"],
    "dinov2": [name for name in TABLES if name not in ("mobilenet", "efficientnet")],
}

# By a part of the path, the depth of the group.
BLOCKS = {r"layer_0/|layers_0/|block_1/": 2, r"layer_1/|layers_1/|block_2/": 1}
EMBEDDINGS = {"^(token|position|segment|rel)_embedding|^embeddings": 3}
SWIN = {
    "patch_embedding": 6,
    "stage_0/blocks_0": 5,
    "stage_0/blocks_1": 4,
    "stage_0/downsample": 3,
    "stage_1/blocks_0": 2,
    "stage_1/blocks_1": 1,
    "^norm/": 1,  # without a head there is no group for it
}


def without_head(table):
    """The depths of a backbone alone: the last normalisation goes with the last block.

    Nothing then is in the group of the head.
    """
    return {part: max(depth - 1, 0) for part, depth in table.items()}


DEPTHS = {
    "bert": {"pooled_dense": 1, "logits": 0}
    | {part: depth + 1 for part, depth in (BLOCKS | EMBEDDINGS).items()},
    "electra": BLOCKS | EMBEDDINGS | {"pooled_dense": 0},
    "deberta": {"pooled_dense": 1, "logits": 0}
    | {part: depth + 1 for part, depth in (BLOCKS | EMBEDDINGS).items()},
    "gpt2": BLOCKS | EMBEDDINGS | {"^layer_norm": 0},
    "llama": {"reverse_embeddings": 0} | BLOCKS | EMBEDDINGS | {"^sequence_output": 0},
    "qwen": without_head(BLOCKS | EMBEDDINGS | {"^sequence_output": 0}),
    "vit": {"patching_and_embedding": 3} | BLOCKS | {"encoder/ln/|predictions": 0},
    "deit": without_head({"patching": 3} | BLOCKS | {"encoder/ln/": 0}),
    "dinov2": without_head(EMBEDDINGS | BLOCKS | {"^layernorm": 0}),
    "swin": without_head(SWIN),
    "mobilenet": {
        "input_": 6,
        "block_0_0/": 5,
        "block_1_0/": 4,
        "block_2_0/": 3,
        "block_3_0/": 2,
        "classifier_conv": 1,
        "predictions": 0,
    },
    "efficientnet": {
        "stem_": 5,
        "block1a_/": 4,
        "block2a_/": 3,
        "block2b_/": 2,
        "top_": 1,
        "predictions": 0,
    },
}


@functools.cache
def built(name):
    """A model and its lines (path, letters, *PyTorch's), once for all tests."""
    model = getattr(hub_models, name)()
    lines = [line.replace("\\\n", "").split() for line in TABLES[name]]
    used, found = set(), []
    for variable in model.trainable_variables:
        path = variable.path.removeprefix(f"{model.name}/")
        matches = [line for line in lines if re.fullmatch(line[0], path)]
        if matches:
            pattern, letters, name_there, axes = matches[0]
            used.add(pattern)
            found.append((path, letters, name_there, int(axes), False))
        else:
            found.append((path, *USUAL[path.split("/")[-1]]))
    assert used == {line[0] for line in lines}
    return model, found


@pytest.mark.parametrize("preset", LETTERS)
@pytest.mark.parametrize("name", TABLES)
def test_a_preset_decays_what_is_written_down(name, preset):
    model, lines = built(name)
    rules = dict(kd.preset_rules(preset, model, 0.1))
    found = {
        variable.path: rules[f"^{re.escape(variable.path)}$"] is not None
        for variable in model.trainable_variables
    }
    pairs = zip(model.trainable_variables, lines, strict=True)
    assert found == {
        v.path: LETTERS[preset] in letters for v, (_, letters, *_) in pairs
    }


@pytest.mark.parametrize("name", TABLES)
def test_what_is_written_down_is_the_published_rule(name):
    _, lines = built(name)
    for preset in (each for each in HELD if name in HELD[each]):
        rule = getattr(published_recipes, preset)
        for path, letters, *parameter in lines:
            expected = LETTERS[preset] in letters
            assert rule(*parameter) == expected, (preset, path)


def depth_in(table, path):
    return next(depth for part, depth in table.items() if re.search(part, path))


@pytest.mark.parametrize("name", DEPTHS)
def test_rates_are_those_of_the_original(name):
    model, lines = built(name)
    rules = kd.layerwise_rules(model, 0.1, 1, rate_factor=RATE)
    found = {
        path: rule.learning_rate for (path, *_), rule in zip(lines, rules, strict=True)
    }
    assert found == {path: RATE ** depth_in(DEPTHS[name], path) for path, *_ in lines}


def test_paths_that_two_layers_of_t5_share_need_groups():
    """Both tables of relative positions are called `self_attention/embeddings`."""
    model, _ = built("t5")
    with pytest.raises(ValueError, match=r"share the path .*give `groups`"):
        kd.layerwise_rules(model, 0.1, 1, rate_factor=RATE)
    groups = ["token_embedding|^self_attention/", "encoder", "decoder"]
    rules = kd.layerwise_rules(model, 0.1, 1, rate_factor=RATE, groups=groups)
    rates = {rule.pattern: rule.learning_rate for rule in rules}
    assert rates["^self_attention/embeddings$"] == RATE**2
    assert set(rates.values()) == {1, RATE, RATE**2}
