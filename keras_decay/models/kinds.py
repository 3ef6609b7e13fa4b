"""What a model's variables are: biases, scales, embeddings, tokens, other weights."""

import re
from typing import NamedTuple

import keras

from keras_decay.models.walk import holders_by_id

BIAS, SCALE, EMBEDDING, WEIGHT = "bias", "scale", "embedding", "weight"
NORM, BATCH_NORM, LAYER_SCALE, SLOPE = "norm", "batch norm", "layer scale", "slope"
TOKEN, MASK_TOKEN, STATE_SPACE = "token", "mask token", "state space"
POSITION, RELATIVE_POSITION = "position", "relative position"

SCALES = (NORM, BATCH_NORM, SCALE, LAYER_SCALE, SLOPE)
EMBEDDINGS = (EMBEDDING, POSITION, TOKEN, MASK_TOKEN)

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
# Kernels are decayed by default. Variables that shift or scale a layer's output are
# not, whatever their rank: biases and scales of some layers have rank 2.
SPARED_NAMES = frozenset(n for n, r in ROLES.items() if r in (*SPARED_ROLES, "slope"))

NORMALIZATIONS = {
    keras.layers.BatchNormalization: BATCH_NORM,
    keras.layers.GroupNormalization: BATCH_NORM,
    keras.layers.LayerNormalization: NORM,
    keras.layers.RMSNormalization: NORM,
}
# Names of variables and attributes, in lower case, whatever the layer; the first that
# is found decides. They are PyTorch's and Keras' for the same things.
NAMES = {
    RELATIVE_POSITION: r"rel(ative)?_?(pos|attention|attn|bias|embed)|attention_biases",
    STATE_SPACE: r"^a_logs?$|^dt_bias$",
    MASK_TOKEN: r"(^|_)mask_?tokens?",
    TOKEN: r"(^|_)(cls|class|dist|distillation|reg|register)_?tokens?|class_embedding",
    LAYER_SCALE: r"layer_?scale|^lambda_?\d?$|^ls_?\d?$|^gamma_\d$",
}
POSITION_NAME = re.compile(r"pos(ition(al)?)?_?(emb|enc|table)|^wpe$")
# Names of tables in layers outside Keras: "embeddings", "token_embed".
EMBEDDING_NAME = re.compile(r"embed(ding)?s?(\b|_|\d)")
TEMPERATURE_NAME = re.compile(r"temperature|logit_scale")
# What `keras.layers.ReversibleEmbedding` calls a head that is not tied to its table.
HEAD_OF_TABLE = "reverse_embeddings"
# What Keras calls a variable that was added without a name.
UNNAMED = re.compile(r"variable(_\d+)?")


class Described(NamedTuple):
    """A trainable variable as rules see it.

    Attributes:
        kind: Its kind, one of the constants of this file.
        rank: The number of its axes.
        names: Its path without the model's name, then the same with each public
            attribute that holds it, as PyTorch names parameters, as last component.
    """

    kind: str
    rank: int
    names: tuple[str, ...]


def described(model, variables=None):
    """The `Described` of each trainable variable of a model, in the model's order.

    With `variables`, that of each of these variables of the model instead.
    """
    holders = holders_by_id(model)
    return [
        _described(variable, holders.get(id(variable), ()), f"{model.name}/")
        for variable in (model.trainable_variables if variables is None else variables)
    ]


def variable_kinds(model, variables=None):
    """The kind of each trainable variable of a model, in the model's order.

    With `variables`, the kind of each of these variables of the model instead.

    The layer that owns a variable decides: a normalisation's variables are scales, an
    `Embedding`'s are embeddings, whatever their rank and name. In layers that are not
    Keras' own, the class' name and the variable's name decide; without a name, the
    attribute that holds it. What is still unknown is a scale if its rank is at most 1,
    else a weight.
    """
    return [variable.kind for variable in described(model, variables)]


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


def is_head_of_table(variable):
    """Whether it makes the logits in the layer of a table, and is not tied to it."""
    return variable.path.rsplit("/", 1)[-1] == HEAD_OF_TABLE


def decays_by_default(path, rank):
    """Whether a variable that no rule matches is decayed.

    Its optimizer knows neither model nor layer: path and rank decide.
    """
    name = path.rsplit("/", 1)[-1]
    return rank >= 2 and name not in SPARED_NAMES and role_of(path) != "statistic"


def _described(variable, holders, prefix):
    path, rank = variable.path.removeprefix(prefix), len(variable.shape)
    layer, _, _ = path.rpartition("/")
    names = [f"{layer}/{attribute}" for _, attribute in holders if attribute[0] != "_"]
    kind = _kind(variable, rank, holders)
    return Described(kind, rank, tuple(dict.fromkeys([path, *names])))


def _kind(variable, rank, holders):
    layers = [layer for layer, _ in holders]
    attributes = [attribute.lower().strip("_") for _, attribute in holders]
    classes = [type(layer).__name__.lower() for layer in layers]
    name = variable.path.rsplit("/", 1)[-1].lower()
    names = attributes if UNNAMED.fullmatch(name) else [name]
    if is_head_of_table(variable):
        return WEIGHT
    # A table that also makes the logits has two owners.
    if any(isinstance(layer, keras.layers.Embedding) for layer in layers):
        return _kind_of_table(layers, [*names, *attributes])
    for cls, kind in NORMALIZATIONS.items():
        if any(isinstance(layer, cls) for layer in layers):
            return kind
    is_kernel = any("kernel" in name for name in names)
    for kind, expression in NAMES.items():
        found = any(re.search(expression, name) for name in [*names, *attributes])
        if found and not is_kernel:
            return kind
    if any("bias" in re.split(r"[^a-z]+", name) for name in names):
        return BIAS
    if is_kernel:
        return WEIGHT
    if any("layerscale" in c.replace("_", "") for c in classes):
        return LAYER_SCALE
    if any("norm" in c for c in classes) or not {"gamma", "beta"}.isdisjoint(names):
        over_batch = any("batch" in c or "group" in c for c in classes)
        return BATCH_NORM if over_batch else NORM
    if "alpha" in names:
        return SLOPE
    if not SPARED_NAMES.isdisjoint(names) or any(map(TEMPERATURE_NAME.search, names)):
        return SCALE
    if any(map(EMBEDDING_NAME.search, names)) or any(
        "embed" in c and "patch" not in c for c in classes
    ):
        return _kind_of_table(layers, [*names, *attributes])
    if any(map(POSITION_NAME.search, names)):
        return POSITION
    return SCALE if rank <= 1 else WEIGHT


def _kind_of_table(layers, names):
    """The kind of a table, by its name, its layer's name and its layer's class."""
    texts = [*names, *(layer.name.lower() for layer in layers)]
    if any(re.search(NAMES[RELATIVE_POSITION], text) for text in texts):
        return RELATIVE_POSITION
    texts += [type(layer).__name__.lower() for layer in layers]
    return POSITION if any(map(POSITION_NAME.search, texts)) else EMBEDDING
