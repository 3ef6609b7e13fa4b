"""Faults of decay that show in settings: outside, exclusions, layers' regularizers."""

import re
from typing import Any

import keras

from keras_decay.models import layers_of, optimizers_within, parts_of
from keras_decay.tools._finding import about
from keras_decay.tools._penalties import same


def exclusions_not_saved(model, subjects, views):
    return about(
        "exclusion-not-saved",
        [s for s in subjects if is_excluded(s)],
        "These variables are spared by exclude_from_weight_decay, which is not saved: "
        "in the loaded model they are decayed.",
        "Use the rules of kd.DecoupledWeightDecay, which are saved: "
        "rules=[('path regex', None)].",
    )


def is_excluded(subject):
    """Whether Keras' optimizer would decay the variable, were it not excluded."""
    view = subject.view
    return view is not None and view.decays() and view.is_excluded(subject.variable)


def exclusions_by_backend(model, subjects, views):
    found = []
    for view in views:
        if not view.decays():
            continue
        mine = [s for s in subjects if s.view is view]
        for pattern in view.exclusion_patterns():
            by_path = [s for s in mine if re.search(pattern, s.path)]
            by_name = [s for s in mine if re.search(pattern, s.variable.name)]
            if not by_path:
                found += about(
                    "exclusion-matches-nothing",
                    mine,
                    f"exclude_from_weight_decay(var_names=[{pattern!r}]) matches none "
                    "of the variables.",
                    "Compare the pattern with the variables' paths.",
                )
                continue
            found += about(
                "exclusion-depends-on-backend",
                [s for s in by_path if s not in by_name],
                f"exclude_from_weight_decay(var_names=[{pattern!r}]) spares these "
                "variables on TensorFlow only, where it is searched for in the path; "
                "JAX and PyTorch search in the bare name and decay them.",
                "Use the rules of kd.DecoupledWeightDecay, which are matched to the "
                "path on every backend.",
            )
    return found


def regularizers_of_layers(model, subjects, views):
    late: list[Any] = []
    unsaved: list[Any] = []
    by_variable = {id(s.variable): s for s in subjects}
    for layer in layers_of(model):
        for attribute, weight in regularized(layer):
            subject = by_variable.get(id(weight))
            present = getattr(layer, attribute)
            if subject is None or same(present, weight.regularizer):
                continue
            (late if present is not None else unsaved).append(subject)
    return [
        *about(
            "regularizer-assigned-too-late",
            late,
            "The layer's regularizer was assigned after its weights were built, and "
            "has no effect: the variable keeps the one that it was built with.",
            "Attach it with kd.regularize(model, [('path regex', penalty)]), or give "
            "it to the layer's constructor.",
        ),
        *about(
            "penalty-not-saved",
            unsaved,
            "The variable has a penalty that its layer does not know of: in the "
            "loaded model it is gone.",
            "Attach it with kd.regularize(model, [('path regex', penalty)]), which "
            "sets the layer's regularizer as well.",
        ),
    ]


def regularized(layer):
    """Pairs (name of a regularizer of the layer, the variable it should be on)."""
    for attribute in dir(type(layer)) + list(vars(layer)):
        if not attribute.endswith("_regularizer") or attribute.startswith("_"):
            continue
        prefix = attribute.removesuffix("_regularizer")
        names = (prefix, f"{prefix}_kernel")
        weights = [w for w in layer.weights if w.name in names]
        if len(weights) == 1:
            yield attribute, weights[0]


# What every optimizer of Keras' has, and those that pass weights on keep without use.
UNUSED = (
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "gradient_accumulation_steps",
    "use_ema",
)


def settings_of_outer_optimizers(model, subjects, views):
    found = []
    optimizer = getattr(model, "optimizer", None)  # none before `compile`
    within = [] if optimizer is None else optimizers_within(optimizer)
    for outer in within:
        if isinstance(outer, keras.optimizers.LossScaleOptimizer):
            code = "setting-of-loss-scaling"
            inside = "the optimizer inside nothing but the learning rate"
            where = "inside: model.optimizer.inner_optimizer"
        elif parts_of(outer) != [outer]:
            code = "setting-of-multi-optimizer"
            inside = "the optimizers inside nothing but the loss scale factor"
            where = "on the parts: model.optimizer.optimizers[i]"
        else:
            continue
        for name in UNUSED:
            value = getattr(outer, name)
            if value is None or value is False:
                continue
            remedy = f"Set it {where}.{name} = {value!r}."
            if name == "weight_decay" and any(v.carries_rounding for v in views):
                remedy += f" Or call kd.set_weight_decay(model, {value!r})."
            found += about(
                code,
                subjects,
                f"{type(outer).__name__}.{name} is set to {value!r}, which has no "
                f"effect: Keras hands {inside}.",
                remedy,
            )
    return found


def rules_that_act_elsewhere(model, subjects, views):
    ids = {id(v) for view in views for v in view.misplaced_rules()}
    return about(
        "rule-acts-elsewhere",
        [s for s in subjects if id(s.variable) in ids],
        "Their decay is not that of the first rule whose pattern is found in their "
        "paths, but what the file says that the optimizer was loaded from.",
        "Compile the model with a fresh optimizer, which matches the rules anew: "
        "type(optimizer).from_config(optimizer.get_config()).",
    )


ON_SETTINGS = (
    exclusions_not_saved,
    exclusions_by_backend,
    regularizers_of_layers,
    settings_of_outer_optimizers,
    rules_that_act_elsewhere,
)
