"""Which variables the recipes of `preset_rules` spare.

Each function says whether a recipe spares a `Described` variable.
"""

import re

from keras_decay.models import (
    BATCH_NORM,
    BIAS,
    EMBEDDINGS,
    LAYER_SCALE,
    MASK_TOKEN,
    NORM,
    POSITION,
    RELATIVE_POSITION,
    SCALE,
    SCALES,
    SLOPE,
    STATE_SPACE,
    TOKEN,
)

# In PyTorch these have one axis: attention's biases are flat, and a PReLU has a slope
# for each channel.
ONE_AXIS = (BIAS, NORM, BATCH_NORM, LAYER_SCALE, SLOPE)
# What PyTorch names `bias`.
SHIFTS = ("bias", "beta", "offset")
# The digits are Keras': it numbers layers of one name.
TRAINER_NAMES = re.compile(
    r"bias|layernorm|rmsnorm|(^|/)norm(_\d+)?($|/)|_norm(_\d+)?($|/)", re.IGNORECASE
)
SWIN_NAMES = re.compile(r"relative_position_bias_table|cpb_mlp|logit_scale")
DINO_NAMES = re.compile("norm|gamma")


def no_bias_norm(variable):
    return variable.kind in (BIAS, *SCALES, STATE_SPACE, RELATIVE_POSITION)


def no_bias_norm_embedding(variable):
    return no_bias_norm(variable) or variable.kind in EMBEDDINGS


def everything(variable):
    return False


def has_one_axis(variable):
    return variable.rank <= 1 or variable.kind in ONE_AXIS


def timm(variable):
    listed = (POSITION, RELATIVE_POSITION, TOKEN, SCALE)
    return has_one_axis(variable) or variable.kind in listed


def swin(variable):
    listed = (POSITION, RELATIVE_POSITION, MASK_TOKEN)
    spared = has_one_axis(variable) or variable.kind in listed
    return spared or _is_named(SWIN_NAMES, variable)


def hf_trainer(variable):
    spared = variable.kind in (BIAS, NORM) or _shifts(variable)
    return spared or _is_named(TRAINER_NAMES, variable)


def dinov2(variable):
    spared = variable.kind in (BIAS, NORM, LAYER_SCALE) or _shifts(variable)
    return spared or _is_named(DINO_NAMES, variable)


def _shifts(variable):
    return variable.names[0].rsplit("/", 1)[-1] in SHIFTS


def _is_named(expression, variable):
    return any(expression.search(name) for name in variable.names)


RECIPES = {
    "no_bias_norm": no_bias_norm,
    "no_bias_norm_embedding": no_bias_norm_embedding,
    "everything": everything,
    "timm": timm,
    "hf_trainer": hf_trainer,
    "nanogpt": has_one_axis,
    "swin": swin,
    "dinov2": dinov2,
}
