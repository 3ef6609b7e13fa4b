"""What a model's variables are: biases, scales, embeddings or other weights."""

import re

import keras

from keras_decay.models.paths import SPARED_NAMES
from keras_decay.models.walk import holders_by_id

BIAS, SCALE, EMBEDDING, WEIGHT = "bias", "scale", "embedding", "weight"

NORMALIZATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.RMSNormalization,
)
# Names of tables and tokens in layers outside Keras: "pos_embed", "embeddings",
# "cls_token". They are learned as they are, and multiply no input.
EMBEDDING_NAME = re.compile(
    r"embed(ding)?s?(\b|_|\d)|(^|_)(cls|class|dist|distillation|mask|register)_tokens?"
)
# What Keras calls a variable that was added without a name.
UNNAMED = re.compile(r"variable(_\d+)?")

# What a variable does in its layer, by the name that Keras gives it.
ROLES = {
    "kernel": "kernel",
    "bias": "bias",
    "gamma": "norm scale",
    "scale": "norm scale",
    "beta": "norm shift",
    "offset": "norm shift",
    "embeddings": "embedding",
    "position_embeddings": "position embedding",
    "alpha": "slope",
}
SPARED_ROLES = ("bias", "norm scale", "norm shift")


def variable_kinds(model, variables=None):
    """The kind of each trainable variable of a model, in the model's order.

    With `variables`, the kind of each of these variables of the model instead.

    The layer that owns a variable decides: a normalisation's variables are scales, an
    `Embedding`'s are embeddings, whatever their rank and name. In layers that are not
    Keras' own, the class' name and the variable's name decide; without a name, the
    attribute that holds it.
    """
    holders = holders_by_id(model)
    variables = model.trainable_variables if variables is None else variables
    return [_kind(v, holders.get(id(v), ())) for v in variables]


def role_of(path):
    """What a variable is in its layer, by the last component of its path."""
    name = path.rsplit("/", 1)[-1]
    if name.startswith("moving_"):
        return "statistic"
    if name in ROLES:
        return ROLES[name]
    if name.endswith("_bias"):
        return "bias"
    if name.endswith("kernel"):
        return name.replace("_", " ")
    return "other"


def _kind(variable, holders):
    layers = [layer for layer, _ in holders]
    # A table that also makes the logits has two owners.
    if any(isinstance(layer, keras.layers.Embedding) for layer in layers):
        return EMBEDDING
    if any(isinstance(layer, NORMALIZATIONS) for layer in layers):
        return SCALE
    names = [variable.path.rsplit("/", 1)[-1].lower()]
    if UNNAMED.fullmatch(names[0]):
        names = [attribute.lower() for _, attribute in holders]
    classes = [type(layer).__name__.lower() for layer in layers]
    if any("bias" in re.split(r"[^a-z]+", name) for name in names):
        return BIAS
    if any("kernel" in name for name in names):
        return WEIGHT
    if not SPARED_NAMES.isdisjoint(names) or any("norm" in c for c in classes):
        return SCALE
    if any(EMBEDDING_NAME.search(name) for name in names) or any(
        "embed" in c and "patch" not in c for c in classes
    ):
        return EMBEDDING
    return WEIGHT
