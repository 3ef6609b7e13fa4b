"""The settings of Keras' optimizers, read and set on the wrapper.

They are the wrapped optimizer's, but for λ and the moving average, which are the
wrapper's own. Setting one that could no longer act is refused.
"""

from keras_decay.ground import validation
from keras_decay.optimizers.inner import is_one_of

CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")
# Settings for which an optimizer makes variables in `build` unless they are off, and
# settings that nothing reads after `build`.
SWITCHED_ON = {
    "SGD": ("momentum",),
    "RMSprop": ("momentum", "centered"),
    "Adam": ("amsgrad",),
}
FIXED = {
    "Adagrad": ("initial_accumulator_value",),
    "Muon": ("exclude_layers", "exclude_embeddings"),
}
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
        # If the base class saw it in `build` it would make accumulators of its own.
        return None if inner is None or wrapper._is_building else getattr(inner, name)

    def write(wrapper, value):
        inner = _inner_of(wrapper)
        if inner is not None:  # the base class' constructor sets it earlier
            setattr(inner, name, checked(wrapper, name, value))

    return property(read, write, doc=doc)


def any_value(wrapper, name, value):
    """Take any value."""
    del wrapper, name
    return value


def clipping(wrapper, name, value):
    """Check a bound on gradients. At most one kind of bound acts."""
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
    """Check a number of steps. The accumulators are made in `build`."""
    if value is not None:
        value = validation.integer(name, value, minimum=2)
    if wrapper.built and value != getattr(_inner_of(wrapper), name):
        raise ValueError(
            f"`{name}` must be set before the optimizer is built, since it makes its "
            f"accumulators then. Received: {name}={value!r}. Give it to the wrapped "
            "optimizer at construction."
        )
    return value


def check_hyperparameter(wrapper, name, value):
    """Refuse a value of an inner setting that could not act, or acts as decay."""
    inner = _inner_of(wrapper)
    if name == "adam_weight_decay" and value:
        raise ValueError(
            f"`{name}` must be 0, since decay is the wrapper's. Received: "
            f"{name}={value!r}. Set `weight_decay` of the wrapper, or give `rules`."
        )
    if not wrapper.built:
        return
    present = getattr(inner, name)
    turned_on = _is_among(SWITCHED_ON, inner, name) and value and not present
    if turned_on or (_is_among(FIXED, inner, name) and value != present):
        kind = type(inner).__name__
        raise ValueError(
            f"`{name}` must be set before the optimizer is built, which is when {kind} "
            f"looks at it. Received: {name}={value!r}. Give it to {kind} at "
            "construction."
        )


def _is_among(names_by_kind, inner, name):
    return any(
        name in names and is_one_of(inner, [kind])
        for kind, names in names_by_kind.items()
    )


def average(wrapper, name, value):
    """Check a setting of the moving average. Its variables are made when building."""
    settings = {key: getattr(wrapper, key) for key in AVERAGE}
    value = ema_settings(**{**settings, name: value})[name]
    makes_none = wrapper.built and wrapper._averages is None
    if name == "use_ema" and value and makes_none:
        raise ValueError(
            "`use_ema` must be set before the optimizer is built, since it makes the "
            f"averages then. Received: use_ema={value!r}. Give it to "
            "DecoupledWeightDecay at construction."
        )
    return value


def ema_settings(use_ema, ema_momentum, ema_overwrite_frequency):
    """The arguments of the moving average, checked, by their names."""
    if ema_overwrite_frequency is not None:
        ema_overwrite_frequency = validation.integer(
            "ema_overwrite_frequency", ema_overwrite_frequency, minimum=1
        )
    return {
        "use_ema": validation.boolean("use_ema", use_ema),
        "ema_momentum": validation.number(
            "ema_momentum", ema_momentum, minimum=0, maximum=1
        ),
        "ema_overwrite_frequency": ema_overwrite_frequency,
    }


class InnerSettings:
    """The settings of `DecoupledWeightDecay`, most of them of the optimizer inside."""

    _is_building = False

    @property
    def learning_rate(self):
        """The wrapped optimizer's learning rate η_t; it can be set."""
        return self.optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        self.optimizer.learning_rate = learning_rate

    @property
    def iterations(self):
        """The number of steps that the wrapped optimizer has made."""
        return self.optimizer.iterations

    @property
    def weight_decay(self):
        """λ as a variable, schedule or callable; None if only penalties or rules act.

        Setting a number changes λ from the next step on.
        """
        strength = self._default_strength()
        return None if strength is None else strength.source

    @weight_decay.setter
    def weight_decay(self, value):
        if "_plan" not in self.__dict__:
            return  # set by the base class' constructor, before there is a plan
        strength = self._default_strength()
        if strength is None:
            raise ValueError(
                "`weight_decay` cannot be set on an optimizer that was constructed "
                f"without one. Received: weight_decay={value!r}"
            )
        strength.set(value)

    def _default_strength(self):
        plan = self.__dict__.get("_plan")
        return plan.default.strength if plan and plan.default else None

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """Refused, because it would not be saved: use `rules`."""
        raise ValueError(
            "DecoupledWeightDecay spares variables by `rules`, which are saved with "
            "the model: rules=[('path regex', None)]. Received: "
            f"var_list={var_list!r}, var_names={var_names!r}"
        )

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
        # Called for what the wrapper does not have, such as the momentum of SGD.
        inner = self.__dict__.get("optimizer")
        if inner is None or name.startswith("_") or not hasattr(inner, name):
            kind = type(self).__name__
            raise AttributeError(f"{kind!r} object has no attribute {name!r}")
        return getattr(inner, name)

    def __setattr__(self, name, value):
        if _belongs_to_inner(self, name):
            check_hyperparameter(self, name, value)
            setattr(self.optimizer, name, value)
            return
        if name in AVERAGE and "optimizer" in self.__dict__:
            value = average(self, name, value)
        super().__setattr__(name, value)


def _belongs_to_inner(wrapper, name):
    """Whether a public attribute exists on the wrapped optimizer alone."""
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
