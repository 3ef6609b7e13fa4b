"""`layerwise_rules`: rules whose strength falls from layer to layer."""

import re

import keras

from keras_decay.ground import validation
from keras_decay.models import decays_by_default, pattern
from keras_decay.optimizers.rules.model_rules import (
    check_model,
    check_preset,
    decayed,
    rules_by_path,
)


def layerwise_rules(model, weight_decay, factor, *, groups=None, preset="kernels"):
    """Rules whose strength falls from layer to layer, away from the output.

    A variable of depth d is decayed with the strength

        λ_d = λ s^d

    where λ is `weight_decay` and s is `factor`. The depth counts from the output. Of
    the layers in `model.layers`, from input to output, those count that have a weight
    which `DecoupledWeightDecay` would decay by default, frozen or not; the last has
    depth 0, the one before it depth 1. Whatever is inside a layer, be it a nested
    model, attention or a wrapper, has that layer's depth. A layer that does not count,
    such as a normalisation, goes with the one before it. Layers side by side have
    different depths, in the order in which Keras lists them: give `groups` where that
    is not meant. With `groups` the last group has depth 0, the first the greatest.

    Fine-tuning recipes such as BEiT's scale the learning rate η in this way, with a
    group for the embeddings, one for each block and one for the head. Where decay is
    coupled to the learning rate that scales c_t λ by s^d too; here that alone is
    scaled, and the steps of the wrapped optimizer are left as they are.

    Convention of λ: "decoupled", as in `DecoupledWeightDecay`.

    Args:
        model: The built `keras.Model` that is then trained: the rules hold its paths.
        weight_decay: λ, a non-negative number, the strength at depth 0.
        factor: s, a number greater than 0 and at most 1.
        groups: Regular expressions from input to output; a variable belongs to the
            first that is found in its path. Needed for a subclassed model, whose
            layers Keras does not know the order of. By default each layer is a group.
        preset: Which variables are decayed at all, as in `preset_rules`; by default
            biases and scales are spared.

    Returns:
        A list of tuples for `DecoupledWeightDecay(rules=...)`, one for each trainable
        variable.

    Raises:
        TypeError, ValueError: If an argument is not as described, the model is not
            built or has nothing to train, a group matches nothing, or a variable that
            is to be decayed belongs to no group.

    Example:

    ```python
    layers = [keras.layers.Dense(4, name=name) for name in ("first", "second", "head")]
    model = keras.Sequential([keras.Input((8,)), *layers])
    rules = kd.layerwise_rules(model, 0.1, 0.5)
    print([strength for _, strength in rules])  # [0.025, None, 0.05, None, 0.1, None]
    blocks = kd.layerwise_rules(model, 0.1, 0.5, groups=["first|second", "head"])
    model.compile(kd.DecoupledWeightDecay(keras.optimizers.Adam(), rules=rules), "mse")
    ```

    Reference: Bao et al., BEiT, arXiv 2106.08254.
    """
    check_preset(preset)
    check_model(model)
    weight_decay = validation.number("weight_decay", weight_decay, minimum=0)
    factor = validation.number("factor", factor, above=0, maximum=1)
    if groups is None:
        depth_of = _depths_by_layer(model)
    else:
        depth_of = _depths_by_group(model, groups)
    variables, chosen = model.trainable_variables, decayed(preset, model)
    depths = [depth_of(variable) for variable in variables]
    homeless = [
        variable.path
        for variable, depth, yes in zip(variables, depths, chosen, strict=True)
        if yes and depth is None
    ]
    if homeless:
        what = "in none of its layers" if groups is None else "matched by no group"
        raise ValueError(
            f"`groups` must match every variable that is decayed. Received: groups="
            f"{groups!r}. These variables are {what}:{_listing(homeless)}"
        )
    return rules_by_path(
        model,
        [
            weight_decay * factor**depth if yes else None
            for depth, yes in zip(depths, chosen, strict=True)
        ],
    )


def _depths_by_layer(model):
    ordered = isinstance(model, keras.Sequential) or hasattr(model, "operations")
    if not ordered:
        must = "given for a subclassed model, since Keras knows no order of its layers"
        remedy = "Give regular expressions for its parts, from input to output."
        raise ValueError(validation.received("groups", None, must, remedy))
    depth, found = 0, dict[int, int]()
    for layer in reversed(model.layers):
        counts = any(decays_by_default(w.path, len(w.shape)) for w in layer.weights)
        # A shared variable has the depth of its layer nearest to the input.
        found |= {id(weight): depth for weight in layer.weights}
        depth += counts
    return lambda variable: found.get(id(variable))


def _depths_by_group(model, groups):
    if isinstance(groups, (str, bytes)) or not isinstance(groups, (list, tuple)):
        must = "a list of regular expressions, from input to output"
        raise TypeError(validation.received("groups", groups, must))
    groups = [pattern(f"groups[{i}]", g) for i, g in enumerate(groups)]

    def group_of(path):
        return next((i for i, g in enumerate(groups) if re.search(g, path)), None)

    # Frozen variables count too, so that freezing a block does not undo its group.
    paths = [weight.path for weight in model.weights]
    used = {group_of(path) for path in paths}
    for index, group in enumerate(groups):
        if index not in used:
            must = "the first that matches some variable of the model"
            remedy = f"The variables are:{_listing(paths)}"
            raise ValueError(
                validation.received(f"groups[{index}]", group, must, remedy)
            )

    def depth_of(variable):
        index = group_of(variable.path)
        return None if index is None else len(groups) - 1 - index

    return depth_of


def _listing(paths):
    return "".join(f"\n  {path}" for path in paths)
