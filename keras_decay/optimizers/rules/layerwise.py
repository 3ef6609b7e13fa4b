"""`layerwise_rules`: rules whose λ, or rate, falls from layer to layer."""

import re

import keras

from keras_decay.ground import validation
from keras_decay.models import pattern
from keras_decay.optimizers.forms import DecayForm
from keras_decay.optimizers.rules.depths import Unknown, depths_by_structure
from keras_decay.optimizers.rules.model_rules import (
    check_model,
    check_preset,
    decayed,
    rules_by_path,
)
from keras_decay.optimizers.rules.rule import DEFAULT, Rule, checked_strength
from keras_decay.regularizers import Penalty

# Strengths that have no multiples.
NO_NUMBERS = (
    DecayForm,
    Penalty,
    keras.optimizers.schedules.LearningRateSchedule,
)


def layerwise_rules(
    model, weight_decay, factor, *, rate_factor=None, groups=None, preset="kernels"
):
    """Rules whose strength, or learning rate, falls from layer to layer.

    A variable of depth d, counted from the output, is decayed with the strength λ_d,
    and its learning rate is m_d times that of the optimizer:

        λ_d = λ s^d        m_d = r^d

    where λ is `weight_decay`, s is `factor` and r is `rate_factor`. Layer-wise rates
    for fine-tuning, as those of ELECTRA, BEiT and timm, are `factor=1` and
    `rate_factor=0.65` or so: biases and scales follow them, too. Where decay is coupled
    to the learning rate, c_t λ then falls with r.

    The depth is found from the structure of the model:

    - The layers of Sequential and functional models count, in Keras' order, each that
      has a weight which `DecoupledWeightDecay` would decay by default, frozen or not.
      The last has depth 0, the one before it depth 1. Nested models are gone into.
      What is inside any other layer, such as attention, has the layer's depth. A layer
      that does not count, such as a normalisation, goes with the one before it.
      Layers side by side have different depths, in the order in which Keras lists them.
    - Models, or layers of one class, that are beside each other are blocks, and each
      has one depth; but a stage, which holds a row of blocks itself, is gone into.
    - A subclassed model or layer that holds one list of blocks is that list; what it
      assigns before the list is one group, and what it assigns after it another.
    - All embedding tables and tokens, of words, positions and segments, are one group,
      the deepest, along with a patch projection that leads to them, and with a layer
      named `embedding_projection`, as ELECTRA's, that they lead to.

    Where the structure does not tell the depth there is an error that says what was
    found. With `groups` the last group has depth 0, the first the greatest.

    Convention of λ: "decoupled", as in `DecoupledWeightDecay`.

    Args:
        model: The built `keras.Model` that is then trained: the rules hold its paths.
        weight_decay: λ, a non-negative number, the strength at depth 0. Where `factor`
            is 1, also a form of decay such as `DecayToward`, a `Penalty`, a schedule,
            or `"default"`, as in `Rule`: the decay that a variable has without rules.
        factor: s, a number greater than 0 and at most 1.
        rate_factor: r, a number greater than 0 and at most 1, or None for no factors on
            the learning rate.
        groups: Regular expressions from input to output; a variable belongs to the
            first that is found in its path. By default the structure decides.
        preset: Which variables are decayed at all, as in `preset_rules`; by default
            biases and scales are spared.

    Returns:
        A list for `DecoupledWeightDecay(rules=...)`, with one entry for each trainable
        variable: tuples, or `Rule`s where `rate_factor` is given or λ is `"default"`.

    Raises:
        TypeError, ValueError: If an argument is not as described, the model is not
            built or has nothing to train, its structure does not tell the depths, a
            group matches nothing, or a variable that is to be decayed, or to have a
            rate, belongs to no group.

    Example:

    ```python
    layers = [keras.layers.Dense(4, name=name) for name in ("first", "second", "head")]
    model = keras.Sequential([keras.Input((8,)), *layers])
    rules = kd.layerwise_rules(model, 0.1, 0.5)
    print([strength for _, strength in rules])  # [0.025, None, 0.05, None, 0.1, None]
    blocks = kd.layerwise_rules(model, 0.1, 0.5, groups=["first|second", "head"])
    model.compile(kd.DecoupledWeightDecay(keras.optimizers.Adam(), rules=rules), "mse")
    ```

    References: Bao et al., BEiT, arXiv 2106.08254; Clark et al., ELECTRA, arXiv
    2003.10555. For a transformer the groups and rates are those of
    `get_num_layer_for_vit` in `beit/optim_factory.py` of microsoft/unilm. ELECTRA's
    `_get_layer_lrs`, in `model/optimization.py` of google-research/electra, has the
    same groups, and all but the head one power of r lower. timm's
    `param_groups_layer_decay` puts the last normalisation with the last block.
    """
    check_preset(preset)
    check_model(model)
    factor = validation.number("factor", factor, above=0, maximum=1)
    weight_decay = _strength(weight_decay, factor)
    if rate_factor is not None:
        rate_factor = validation.number("rate_factor", rate_factor, above=0, maximum=1)
    if groups is None:
        depth_of = _depths_by_structure(model)
    else:
        depth_of = _depths_by_group(model, groups)
    variables, chosen = model.trainable_variables, decayed(preset, model)
    depths = [depth_of(variable) for variable in variables]
    homeless = [
        variable.path
        for variable, depth, yes in zip(variables, depths, chosen, strict=True)
        if depth is None and (yes or rate_factor is not None)
    ]
    if homeless:
        what = "in none of its layers" if groups is None else "matched by no group"
        which = "that is decayed" if rate_factor is None else "whose rate is changed"
        raise ValueError(
            f"`groups` must match every variable {which}. Received: groups="
            f"{groups!r}. These variables are {what}:{_listing(homeless)}"
        )
    rules = rules_by_path(
        model,
        [
            _at_depth(weight_decay, factor, depth) if yes else None
            for depth, yes in zip(depths, chosen, strict=True)
        ],
    )
    if rate_factor is None:
        # A tuple cannot leave the decay to the optimizer.
        return [Rule(*rule) for rule in rules] if _is_default(weight_decay) else rules
    rates = rules_by_path(model, [rate_factor**depth for depth in depths])
    return [
        Rule(expression, strength, learning_rate=rate)
        for (expression, strength), (_, rate) in zip(rules, rates, strict=True)
    ]


def _strength(weight_decay, factor):
    """`weight_decay`, checked: a number where it falls from layer to layer."""
    if factor == 1 and isinstance(weight_decay, (str, *NO_NUMBERS)):
        return checked_strength("weight_decay", weight_decay)
    if isinstance(weight_decay, NO_NUMBERS) or _is_default(weight_decay):
        must = f"1 where `weight_decay` is no number but {weight_decay!r}"
        raise ValueError(validation.received("factor", factor, must))
    return validation.number("weight_decay", weight_decay, minimum=0)


def _is_default(weight_decay):
    return isinstance(weight_decay, str) and weight_decay == DEFAULT


def _at_depth(weight_decay, factor, depth):
    return weight_decay if factor == 1 else weight_decay * factor**depth


def _depths_by_structure(model):
    try:
        found = depths_by_structure(model)
    except Unknown as problem:
        must = (
            "given for a subclassed model whose structure does not tell the depth of "
            "each layer"
        )
        remedy = (
            f"{problem} Give regular expressions for its parts, from input to output."
        )
        raise ValueError(validation.received("groups", None, must, remedy)) from problem
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
