"""Rules for a model that exists: what a preset decays, and one rule for each path."""

import fnmatch
import re

import keras

from keras_decay.ground import validation
from keras_decay.models import decays_by_default, described
from keras_decay.optimizers.rules.recipes import RECIPES

PRESETS = ("kernels", *RECIPES)


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


def decayed(preset, model, no_weight_decay=()):
    """Whether the preset decays each trainable variable, as a list of booleans."""
    variables = model.trainable_variables
    if preset == "kernels":
        yes = [decays_by_default(v.path, len(v.shape)) for v in variables]
    else:
        yes = [not RECIPES[preset](variable) for variable in described(model)]
    # The scales of float8 layers are overwritten with their "gradients", not trained.
    return [
        y
        and not getattr(v, "overwrite_with_gradient", False)
        and not any(matches_name(each, v.path) for each in no_weight_decay)
        for v, y in zip(variables, yes, strict=True)
    ]


def check_no_weight_decay(patterns, model):
    """Refuse anything but shell patterns that each match a variable of the model."""
    must = "a list of names or shell patterns"
    is_list = isinstance(patterns, (list, tuple, set, frozenset))
    if not is_list or not all(isinstance(each, str) for each in patterns):
        raise TypeError(validation.received("no_weight_decay", patterns, must))
    # Frozen variables count, so that the list of a model outlives freezing.
    paths = [weight.path for weight in model.weights]
    for each in patterns:
        if not any(matches_name(each, path) for path in paths):
            must = f"{must}, each of which matches a variable; {each!r} matches none"
            remedy = "The variables are:" + "".join(f"\n  {path}" for path in paths)
            raise ValueError(
                validation.received("no_weight_decay", patterns, must, remedy)
            )


def matches_name(pattern, path):
    """Whether a shell pattern matches a path or its last components."""
    parts = path.split("/")
    ends = ("/".join(parts[i:]) for i in range(len(parts)))
    return any(fnmatch.fnmatchcase(end, pattern) for end in ends)


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
                "layers different names, or, for `layerwise_rules`, give `groups`."
            )
    return list(rules.items())
