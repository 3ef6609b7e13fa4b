"""The settings of Keras' optimizers on the wrapper: they are the wrapped optimizer's.

What is read or set on the wrapper is read or set on the optimizer inside it, as the
learning rate is. What can no longer act is refused.
"""

from keras_decay.ground import validation
from keras_decay.optimizers.step import ema_settings

CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")
ACCUMULATION = "gradient_accumulation_steps"
AVERAGE = ("use_ema", "ema_momentum", "ema_overwrite_frequency")


def inner_setting(name, checked, doc):
    """A property that reads and sets `name` on the wrapped optimizer.

    Args:
        name: The setting's name.
        checked: Function of (wrapper, name, value) that returns the value, or raises.
        doc: The property's docstring.
    """

    def read(wrapper):
        inner = _inner_of(wrapper)
        # While the wrapper is built the base class would make its own accumulators.
        return None if inner is None or wrapper._is_building else getattr(inner, name)

    def write(wrapper, value):
        inner = _inner_of(wrapper)
        if inner is not None:  # the base class' constructor sets it before
            setattr(inner, name, checked(wrapper, name, value))

    return property(read, write, doc=doc)


def any_value(wrapper, name, value):
    """`value` as it is."""
    del wrapper, name
    return value


def clipping(wrapper, name, value):
    """A bound of gradients, checked: at most one kind of bound acts."""
    if value is None:
        return None
    value = validation.number(name, value, minimum=0)
    inner = _inner_of(wrapper)
    others = [n for n in CLIPPING if n != name and getattr(inner, n) is not None]
    if others:
        raise ValueError(
            f"`{name}` must not be set beside `{others[0]}`, since one kind of "
            f"clipping acts at a time. Received: {name}={value!r}, "
            f"{others[0]}={getattr(inner, others[0])!r}. Set `{others[0]}` to None "
            "first."
        )
    return value


def accumulation(wrapper, name, value):
    """A number of steps, checked; the accumulators are made when building."""
    if value is not None:
        value = validation.integer(name, value, minimum=2)
    if wrapper.built and value != getattr(_inner_of(wrapper), name):
        raise ValueError(
            f"`{name}` must be set before the optimizer is built, since it makes its "
            f"accumulators then. Received: {name}={value!r}. Give it to the wrapped "
            "optimizer at construction."
        )
    return value


def average(wrapper, name, value):
    """A setting of the moving average, checked; its variables are made on building."""
    settings = {key: getattr(wrapper, key) for key in AVERAGE}
    value = ema_settings(**{**settings, name: value})[name]
    makes_none = wrapper.built and not hasattr(wrapper, "_ema_count")
    if name == "use_ema" and value and makes_none:
        raise ValueError(
            "`use_ema` must be set before the optimizer is built, since it makes the "
            f"averages then. Received: use_ema={value!r}. Give it to "
            "DecoupledWeightDecay at construction."
        )
    return value


class InnerSettings:
    """The part of `DecoupledWeightDecay` that hands settings to its `optimizer`."""

    loss_scale_factor = inner_setting(
        "loss_scale_factor",
        any_value,
        "The wrapped optimizer's loss scale factor.",
    )
    clipnorm = inner_setting(
        "clipnorm",
        clipping,
        "The norm to which the wrapped optimizer clips each gradient.",
    )
    clipvalue = inner_setting(
        "clipvalue",
        clipping,
        "The value to which the wrapped optimizer clips the entries of gradients.",
    )
    global_clipnorm = inner_setting(
        "global_clipnorm",
        clipping,
        "The norm to which the wrapped optimizer clips all gradients together.",
    )
    gradient_accumulation_steps = inner_setting(
        "gradient_accumulation_steps",
        accumulation,
        "Over how many steps the wrapped optimizer accumulates gradients.",
    )

    def __getattr__(self, name):
        # For what the wrapper does not have, such as the momentum of SGD.
        inner = self.__dict__.get("optimizer")
        if inner is None or name.startswith("_") or not hasattr(inner, name):
            kind = type(self).__name__
            raise AttributeError(f"{kind!r} object has no attribute {name!r}")
        return getattr(inner, name)

    def __setattr__(self, name, value):
        if _belongs_to_inner(self, name):
            setattr(self.optimizer, name, value)
            return
        if name in AVERAGE and "optimizer" in self.__dict__:
            value = average(self, name, value)
        super().__setattr__(name, value)


def _belongs_to_inner(wrapper, name):
    """Whether a public attribute is one that only the wrapped optimizer has."""
    inner = _inner_of(wrapper)
    return (
        inner is not None
        and not name.startswith("_")
        and name not in vars(wrapper)
        and not hasattr(type(wrapper), name)
        and hasattr(inner, name)
    )


def _inner_of(wrapper):
    return vars(wrapper).get("optimizer")
