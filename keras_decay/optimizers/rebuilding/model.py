"""A model whose optimizer goes on with the variables that are trainable now."""

import contextlib
from typing import Any

import keras

from keras_decay.ground import backend, validation
from keras_decay.models import parts_of
from keras_decay.optimizers.rebuilding.wrapper import (
    Rebuilds,
    checked,
    let_know,
    replacing,
    same,
)


def rebuild(model):
    """Go on with the variables of a model that are trainable now.

    For a model whose layers were thawed or frozen, that has a new head on a trained
    backbone, or whose layers have LoRA enabled: Keras' optimizers then end in "Unknown
    variable". Call it between two `fit`s, or in a callback between two epochs.

    The optimizer goes on as `DecoupledWeightDecay.rebuild` says: for the variables that
    it knows with their moments, averages and rules, bit for bit, with its steps, rate
    and λ. It is found in a `LossScaleOptimizer`, which keeps its scale, and in a
    `MultiOptimizer`. Keras makes the compiled training step anew.

    Adam's moments of a new variable start at zero, but the count of steps goes on. The
    variable's first steps are then longer than the rate says: begin at a lower rate.

    Args:
        model: A Keras model that is built, and compiled with a `DecoupledWeightDecay`.

    Raises:
        TypeError, ValueError: If `model` is not as described, has no trainable
            variables, or a rule matches none of them. Nothing has changed then.

    Example:

    ```python
    backbone.trainable = False
    model.compile(kd.AdamW(1e-3, 0.1), "mse")
    model.fit(x, y)  # the head
    backbone.trainable = True
    kd.rebuild(model)
    model.optimizer.learning_rate = 1e-5
    model.fit(x, y)  # all of it; the head goes on with its moments
    ```
    """
    _check(model)
    backend.current().sync(model)
    variables = model.trainable_variables
    if not variables:
        raise ValueError(
            "`model` must have trainable variables to go on with. Received: "
            f"model={model.name}, in which all layers are frozen"
        )
    variables = checked(variables)
    strategy = getattr(model, "distribute_strategy", None)
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        with contextlib.ExitStack() as stack:
            for part, given in _shares(model.optimizer, variables):
                if isinstance(part, Rebuilds):
                    stack.enter_context(replacing(part, given))
                elif part.built and not same(part._trainable_variables, given):
                    raise ValueError(
                        f"The part {part.name!r} of the optimizer is a "
                        f"{type(part).__name__} and cannot go on with other variables. "
                        "Wrap it: kd.DecoupledWeightDecay(optimizer, 0.0)"
                    )
        _let_outer_know(model.optimizer, variables)
    # `fit` calls what stands here at each step, and so does a `fit` that is running.
    if model.train_function is not None:
        model.train_function = None
        model.make_train_function()
    model.test_function = model.predict_function = None


def _check(model):
    if not isinstance(model, keras.Model):
        raise TypeError(validation.received("model", model, "a Keras model"))
    if getattr(model, "optimizer", None) is None:
        must = "compiled with a DecoupledWeightDecay"
        raise ValueError(validation.received("model", model.name, must))
    if not model.built:
        remedy = "Call it on one batch first."
        raise ValueError(validation.received("model", model.name, "built", remedy))
    parts = parts_of(model.optimizer)
    if not any(isinstance(part, Rebuilds) for part in parts):
        raise TypeError(
            "`model` must be compiled with a DecoupledWeightDecay, since Keras' own "
            "optimizers cannot go on with other variables. Received: "
            f"optimizer={', '.join(type(part).__name__ for part in parts)}. Wrap it "
            "from the start: kd.DecoupledWeightDecay(optimizer, 0.0)"
        )


def _shares(optimizer, variables):
    """The pairs (part, its variables) of the parts of an optimizer."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return _shares(optimizer.inner_optimizer, variables)
    if parts_of(optimizer) == [optimizer]:
        return [(optimizer, variables)]
    shares: list[tuple[Any, list]] = [(part, []) for part in optimizer.optimizers]
    for variable in variables:
        chosen = optimizer._optimizer_map(variable)
        share = next((given for part, given in shares if part is chosen), None)
        if share is None:
            known = [v for part in optimizer.optimizers for v in _weights(part)]
            if any(variable is v for v in known):
                raise ValueError(
                    "`optimizer_map` of a MultiOptimizer must give the same optimizer "
                    f"for {variable.path!r} as before, to go on with it. Make the "
                    "optimizers once, outside of the function."
                )
            share = []
            shares.append((chosen, share))
        share.append(variable)
    return shares


def _weights(part):
    return part._trainable_variables


def _let_outer_know(optimizer, variables):
    """Have the optimizers around the parts know the variables."""
    if parts_of(optimizer) == [optimizer]:
        return
    if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer.built = False  # it then distributes the variables once more
        optimizer.build(variables)
        return
    _let_outer_know(optimizer.inner_optimizer, variables)
    if optimizer.built:
        let_know(optimizer, variables)
    else:
        optimizer.build(variables)
