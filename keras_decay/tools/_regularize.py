"""`regularize`: penalties for a model that exists."""

import keras

from keras_decay.ground import backend, validation
from keras_decay.models import (
    all_layers,
    decays_by_default,
    first_matches,
    owners_by_id,
    pattern,
)
from keras_decay.regularizers import Penalty
from keras_decay.tools._attachment import Attachment
from keras_decay.tools._layer_axes import attention_roles, axis_of
from keras_decay.tools._regularized import Regularized

FORM = "a list of tuples (path regex, penalty or None), or one penalty"
PENALTY = "a penalty of keras_decay or Keras, or None to remove one"


def regularize(model, rules, *, allow_unsaved=False):
    """Attach penalties to a model that exists: built, pretrained, or trained before.

        loss = data loss + Σ_w Ω_w(w)

    Assigning `layer.kernel_regularizer` to a built layer does nothing. This does what
    it takes: the variable gets the penalty Ω_w, and so does the attribute of the layer
    that its config is written from; the compiled training step is made anew at the next
    `fit`. Weights, optimizer and what else was compiled stay as they are.

    What would be lost when the model is saved is refused, with the variables and the
    reasons, before anything is changed. It is found by trying: the layers concerned are
    made anew from their configs, one at a time. Lost are penalties in subclassed models
    whose config does not hold them, and different ones where a layer has one argument
    for several variables, such as the four kernels of `MultiHeadAttention`.

    Frozen variables are not matched. Another model that shares layers with this one
    must be compiled anew. Strengths that are a `keras.Variable` become state of the
    layer, by `track_strength`.

    Args:
        model: A built `keras.Model`, compiled or not.
        rules: A list of `(path regex, penalty)`. The first rule whose regex is found
            (`re.search`) in the path of a trainable variable decides for it; None
            removes its penalty; variables that no rule matches stay as they are. A
            penalty is a `Penalty`, in its own convention, or a regularizer of Keras, or
            what `keras.regularizers.get` takes. An `axis` may be `"input"`, `"output"`
            or `"head"`: it is resolved for each layer, as docs/axes.md says. Or one
            penalty alone, for every kernel and embedding.
        allow_unsaved: Whether to attach also what saving would lose.

    Returns:
        A `Regularized`, the report of what matched: print it.

    Raises:
        TypeError, ValueError: If an argument is not as described, the model is not
            built, a rule matches nothing, a penalty does not fit the variable or would
            be lost. Nothing is changed then.

    Example:

    ```python
    model = keras.applications.MobileNetV2(weights=None, classes=10)
    report = kd.regularize(
        model,
        [
            ("depthwise", None),
            ("predictions/kernel", kd.L2(1e-3)),
            ("kernel", kd.GroupLasso(1e-5, axis="output")),
        ],
    )
    print(report)
    ```
    """
    check_model(model)
    allow_unsaved = validation.boolean("allow_unsaved", allow_unsaved)
    variables = model.trainable_variables
    names, chosen = _chosen(rules, variables)
    owners, roles = owners_by_id(model), attention_roles(all_layers(model))
    penalties = [
        (variable, _resolved(name, penalty, variable, owners, roles))
        for variable, name, penalty in zip(variables, names, chosen, strict=True)
        if name is not None
    ]
    attachment = Attachment(model, penalties)
    if not allow_unsaved:
        attachment.refuse_lost(
            "`rules` must not give what is lost when the model is saved, the penalties",
            "Change the rules, or pass allow_unsaved=True and call regularize again "
            "whenever the model was loaded.",
        )
    attachment.apply()
    return Regularized.of(attachment, len(variables))


def check_model(model):
    """Refuse what is no built model."""
    if not isinstance(model, keras.Model):
        raise TypeError(validation.received("model", model, "a keras.Model"))
    if not model.built or not model.weights:
        must = "built, so that it has variables"
        remedy = "Call `model.build(input_shape)`, or the model on one batch, first."
        raise ValueError(validation.received("model", model, must, remedy))


def _chosen(rules, variables):
    """For each variable the name of the argument that decides, and its penalty."""
    paths = [variable.path for variable in variables]
    if isinstance(rules, (str, keras.regularizers.Regularizer, dict)):
        penalty = _penalty("rules", rules)
        meant = [
            decays_by_default(path, len(variable.shape))
            for path, variable in zip(paths, variables, strict=True)
        ]
        if not any(meant):
            listing = "".join(f"\n  {path}" for path in paths)
            raise ValueError(
                "`rules` is one penalty, for every trainable kernel and embedding, but "
                f"the model has none. The trainable variables are:{listing}"
            )
        return ["rules" if is_meant else None for is_meant in meant], [penalty] * len(
            paths
        )
    if not isinstance(rules, (list, tuple)) or not rules:
        raise TypeError(validation.received("rules", rules, FORM))
    patterns, penalties = [], []
    for index, rule in enumerate(rules):
        name = f"rules[{index}]"
        if not isinstance(rule, (list, tuple)) or len(rule) != 2:
            raise TypeError(validation.received(name, rule, "in `rules`, " + FORM))
        patterns.append(pattern(f"{name}[0]", rule[0]))
        penalties.append(_penalty(f"{name}[1]", rule[1]))
    numbers = first_matches(patterns, paths)
    names = [None if n is None else f"rules[{n}][1]" for n in numbers]
    return names, [None if n is None else penalties[n] for n in numbers]


def _penalty(name, value):
    if value is None or isinstance(value, keras.regularizers.Regularizer):
        return value
    found = None
    if isinstance(value, (str, dict)):
        try:
            found = keras.regularizers.get(value)
        except (TypeError, ValueError) as error:
            raise ValueError(validation.received(name, value, PENALTY)) from error
    if not isinstance(found, keras.regularizers.Regularizer):
        raise TypeError(validation.received(name, value, PENALTY))
    return found


def _resolved(name, penalty, variable, owners, roles):
    """The penalty with axes that are numbers, after it was tried on the variable."""
    if isinstance(penalty, Penalty):
        of = owners.get(id(variable), [])
        penalty = penalty.resolved(lambda axis: axis_of(axis, variable, of, roles))
    if penalty is not None:
        try:
            with backend.current().no_grad():
                penalty(keras.ops.convert_to_tensor(variable))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`{name}` must fit the variables that it is given to, and fails on "
                f"{variable.path!r} of the shape {tuple(variable.shape)}: {error}"
            ) from error
    return penalty
