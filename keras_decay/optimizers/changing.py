"""`set_weight_decay`: λ of a model that is being trained, wherever its optimizer is."""

import keras

from keras_decay.ground import backend, validation
from keras_decay.models import parts_of
from keras_decay.optimizers.decoupled import DecoupledWeightDecay
from keras_decay.optimizers.rules import Rule


def set_weight_decay(model, strength, rule=None):
    """Change λ of a model's `DecoupledWeightDecay` from the next step on.

    The optimizer is found through `LossScaleOptimizer`, which is what
    `model.optimizer` is in mixed float16, and through `MultiOptimizer`, where λ of
    every part is changed that has it. On JAX it acts from the next step on, too, when
    it is called by a callback within an epoch.

    Convention of λ: "decoupled", as in `DecoupledWeightDecay`.

    Args:
        model: A compiled `keras.Model`.
        strength: λ, a non-negative number.
        rule: The pattern of a rule, as it was given, or that `Rule`: λ of this rule is
            changed. By default that of `weight_decay`, which rules with the strength
            `"default"` have, too.

    Raises:
        TypeError, ValueError: If an argument is not as described, there is no
            `DecoupledWeightDecay`, no such rule, or nothing that can be set: λ was
            given as a schedule, or a penalty or nothing decays there.

    Example:

    ```python
    model.compile(kd.AdamW(1e-3, 0.1, rules=[("embedding", 0.01)]), loss="mse")
    kd.set_weight_decay(model, 0.05)
    kd.set_weight_decay(model, 0.0, rule="embedding")
    ```
    """
    if not isinstance(model, keras.Model):
        raise TypeError(validation.received("model", model, "a compiled keras.Model"))
    strength = validation.number("strength", strength, minimum=0)
    if isinstance(rule, Rule):
        rule = rule.pattern
    if rule is not None and not isinstance(rule, str):
        must = "the pattern of a rule, a kd.Rule, or None"
        raise TypeError(validation.received("rule", rule, must))
    optimizer = getattr(model, "optimizer", None)
    parts = [] if optimizer is None else parts_of(optimizer)
    ours = [part for part in parts if isinstance(part, DecoupledWeightDecay)]
    if not ours:
        must = "compiled with a DecoupledWeightDecay"
        remedy = (
            "Compile it with kd.DecoupledWeightDecay(optimizer, weight_decay=…). A "
            "MultiOptimizer with a function knows its parts once it is built."
        )
        raise ValueError(validation.received("model", model, must, remedy))
    strengths = _defaults(ours) if rule is None else _of_rule(ours, rule)
    for found in strengths:
        found.check_settable(strength)
    # Within an epoch JAX has the values elsewhere, and would overwrite what is set.
    backend.current().sync(model)
    for found in strengths:
        found.set(strength)


def _defaults(optimizers):
    defaults = [optimizer._plan.default for optimizer in optimizers]
    found = [d.strength for d in defaults if d is not None and d.strength is not None]
    if not found:
        patterns = [p for each in optimizers for p in each._plan.patterns]
        must = f"one of the patterns {patterns}, since no λ was given as `weight_decay`"
        raise ValueError(validation.received("rule", None, must))
    return found


def _of_rule(optimizers, expression):
    rules = [rule for each in optimizers for rule in each._plan.rules]
    mine = [rule for rule in rules if rule.pattern == expression]
    if not mine:
        must = f"the pattern of a rule, as it was given: {[r.pattern for r in rules]}"
        raise ValueError(validation.received("rule", expression, must))
    if all(rule.is_default for rule in mine):
        must = "a rule with a λ of its own"
        remedy = "That one has the default's: call set_weight_decay without `rule`."
        raise ValueError(validation.received("rule", expression, must, remedy))
    own = [rule.own_decay for rule in mine]
    found = [d.strength for d in own if d is not None and d.strength is not None]
    if not found:
        must = "a rule with a λ"
        remedy = (
            "That one spares its variables or has a penalty, whose strength is changed "
            "by assigning to a keras.Variable that it was given."
        )
        raise ValueError(validation.received("rule", expression, must, remedy))
    return found
