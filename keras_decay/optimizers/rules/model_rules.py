"""Rules for a model that exists: what a preset decays, and one rule for each path."""

import re

import keras

from keras_decay.ground import validation
from keras_decay.models import (
    BIAS,
    EMBEDDING,
    SCALE,
    decays_by_default,
    variable_kinds,
)

# The kinds of variables that a preset spares; "kernels" goes by path and rank.
SPARED_KINDS: dict[str, tuple[str, ...]] = {
    "no_bias_norm": (BIAS, SCALE),
    "no_bias_norm_embedding": (BIAS, SCALE, EMBEDDING),
    "everything": (),
}
PRESETS = ("kernels", *SPARED_KINDS)


def check_preset(preset):
    """Refuse anything but the name of a preset."""
    if not isinstance(preset, str) or preset not in PRESETS:
        kind = ValueError if isinstance(preset, str) else TypeError
        names = ", ".join(repr(name) for name in PRESETS)
        raise kind(validation.received("preset", preset, f"one of {names}"))


def check_model(model):
    """Refuse anything but a built model with trainable variables."""
    if not isinstance(model, keras.Model):
        raise TypeError(validation.received("model", model, "a built keras.Model"))
    if not model.built:
        remedy = (
            "Give it a keras.Input, call it on data, or call `model.build(input_shape)`"
            ", so that its variables exist."
        )
        raise ValueError(validation.received("model", model, "built", remedy))
    if not model.trainable_variables:
        remedy = "All its layers are frozen or without weights."
        must = "a model with trainable variables"
        raise ValueError(validation.received("model", model, must, remedy))


def decayed(preset, model):
    """Whether the preset decays each trainable variable, as a list of booleans."""
    variables = model.trainable_variables
    if preset == "kernels":
        yes = [decays_by_default(v.path, len(v.shape)) for v in variables]
    else:
        yes = [kind not in SPARED_KINDS[preset] for kind in variable_kinds(model)]
    # The scales of float8 layers are overwritten with their "gradients", not trained.
    return [
        y and not getattr(v, "overwrite_with_gradient", False)
        for v, y in zip(variables, yes, strict=True)
    ]


def rules_by_path(model, strengths):
    """One rule for each path; variables that share one must share the strength."""
    rules: dict = {}
    for variable, value in zip(model.trainable_variables, strengths, strict=True):
        expression = f"^{re.escape(variable.path)}$"
        known = rules.setdefault(expression, value)
        # A strength may be a Variable, which `==` would compare entry by entry.
        same = known is value or (isinstance(known, float) and known == value)
        if not same:
            raise ValueError(
                "Rules decide by path, but several variables of the model share the "
                f"path {variable.path!r} and would be decayed differently. Give the "
                "layers different names."
            )
    return list(rules.items())
