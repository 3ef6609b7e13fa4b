"""Which optimizers can be wrapped, and what to use in place of the others."""

import keras

from keras_decay.ground import validation

# These rebuild the weight at every step from state of their own, so that a decay of the
# weight alone is lost (Ftrl) or halved (ScheduleFreeAdamW).
REBUILDING = ("Ftrl", "ScheduleFreeAdamW")
# Their displacement is not proportional to η: Adafactor bounds η by 1/√t.
NOT_PROPORTIONAL = ("Adafactor",)


def check_inner(optimizer, wrapper):
    """Refuse an optimizer that cannot be wrapped, with the remedy.

    Args:
        optimizer: What the user gave as the inner optimizer.
        wrapper: The wrapping class, which must not be nested.
    """
    must = "a Keras optimizer"
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        remedy = "Construct one, such as keras.optimizers.Adam(1e-3)."
        raise TypeError(validation.received("optimizer", optimizer, must, remedy))

    def refuse(reason):
        raise ValueError(
            f"`optimizer` cannot be wrapped: {reason} "
            f"Received: optimizer={type(optimizer).__name__}"
        )

    if isinstance(optimizer, wrapper):
        refuse("it is a DecoupledWeightDecay already. Use one wrapper, with `rules`.")
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        refuse("loss scaling goes outside. Use LossScaleOptimizer(DecoupledWeight…).")
    if is_one_of(optimizer, ["MultiOptimizer"]):
        refuse(
            "MultiOptimizer has no learning rate of its own. It goes outside: wrap "
            "each of its optimizers instead."
        )
    for name in REBUILDING:
        if is_one_of(optimizer, [name]):
            refuse(
                f"{name} rebuilds the weight at every step from state of its own, so "
                "a decay of the weight would be lost. Use another optimizer."
            )
    for attribute in ("weight_decay", "adam_weight_decay"):
        value = getattr(optimizer, attribute, None)
        if value is not None and value != 0:
            refuse(
                f"it decays weights itself, with {attribute}={value!r}, and both "
                f"would act. Give it {attribute}=0, or use the optimizer without decay "
                "(Adam for AdamW)."
            )
    if optimizer.use_ema:
        refuse(
            "it averages weights itself, before they are decayed. Give `use_ema` and "
            "its settings to DecoupledWeightDecay instead."
        )


def check_rates(optimizer, named_rates):
    """Refuse factors on the rate of an optimizer whose step is not proportional to it.

    Args:
        optimizer: The inner optimizer.
        named_rates: Pairs (name of the argument, factor).
    """
    if not is_one_of(optimizer, NOT_PROPORTIONAL):
        return
    for name, factor in named_rates:
        if factor != 1:
            kind = type(optimizer).__name__
            must = f"1 around {kind}, whose steps are not proportional to its rate"
            remedy = (
                f"Use Adam, or MultiOptimizer with {kind} for these variables alone."
            )
            raise ValueError(validation.received(name, factor, must, remedy))


def serialize_inner(optimizer):
    """Serialise the wrapped optimizer, to the same config on every backend.

    On PyTorch the class is one of Keras' PyTorch backend, whose config could be read on
    PyTorch only. The config names the public class instead.
    """
    config = keras.saving.serialize_keras_object(optimizer)
    public = getattr(keras.optimizers, config["class_name"], None)
    if public is not None and config["module"].startswith("keras.src."):
        config = {**config, "module": "keras.optimizers", "registered_name": None}
    return config


def is_one_of(optimizer, names):
    """Whether it is one of Keras' optimizers of these names.

    A name that the installed version of Keras lacks is skipped.
    """
    kinds = (getattr(keras.optimizers, name, None) for name in names)
    return any(kind is not None and isinstance(optimizer, kind) for kind in kinds)
