"""Which conversions are refused, and why."""

from keras_decay.conventions import settings
from keras_decay.conventions.table import CONVENTIONS, L1, LOSS, STEP, branches, root
from keras_decay.ground import validation

UNLIKE = (
    "Σ|w| pulls every weight alike and Σw² in proportion to it, so no strength of the "
    "one is a strength of the other."
)
WHY = (
    "Adaptive steps divide a penalty's gradient by the history of gradients, and "
    "momentum β accumulates it 1/(1 − β) times; decay in the step undergoes neither."
)
CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")


class Missing(ValueError):
    """A conversion needs arguments that were not given: `names`."""

    def __init__(self, message, names):
        super().__init__(message)
        self.names = names


class Refused(ValueError):
    """A conversion between conventions that are not equivalent: `reason` says why."""

    def __init__(self, message, reason):
        super().__init__(message)
        self.reason = reason


def check(source, target, given):
    """Raise `Refused` or `Missing` unless `source` can be converted into `target`."""
    if root(source) != root(target):
        if L1 in (root(source), root(target)):
            refuse_target(source, target)
        if given.optimizer is not None:
            refuse_unlike_sgd(source, target, given.optimizer)
    names = missing(source, target, given)
    if names:
        refuse_incomplete(source, target, names, given)


def refuse_target(source, target):
    """Refuse to convert between a strength of Σ|w| and any other."""
    of_l1 = [name for name in CONVENTIONS if root(name) == L1]
    must = " or ".join(map(repr, of_l1))
    if source not in of_l1:
        must = f"neither {must.replace(' or ', ' nor ')}"
    must += f" if the source is {source!r}"
    raise Refused(validation.received("target", target, must, UNLIKE), UNLIKE)


def refuse_unlike_sgd(source, target, optimizer):
    """Refuse to convert between loss and step where the two differ."""
    reason = difference(optimizer)
    if reason is None:
        return
    sides = {LOSS: "a term of the loss", STEP: "decay in the step"}
    first, last = (f"{name!r}, {sides[root(name)]}" for name in (source, target))
    raise Refused(
        f"`optimizer` must be plain SGD to convert {first}, into {last}. {reason} "
        f"Received: optimizer={described(optimizer)}",
        reason,
    )


def difference(optimizer):
    """Why a penalty differs from decay under the optimizer; None under plain SGD."""
    if isinstance(optimizer, str):
        return None if optimizer.lower() == "sgd" else WHY
    import keras

    if not isinstance(optimizer, keras.optimizers.SGD):
        return WHY
    if not type(optimizer).__module__.startswith("keras."):
        return "What the step of a subclass does is not known."
    if optimizer.momentum:
        return (
            f"Momentum β = {optimizer.momentum:g} accumulates a penalty's gradient "
            "1/(1 − β) times, and decay in the step not at all."
        )
    for name in CLIPPING:
        if getattr(optimizer, name) is not None:
            return (
                f"With {name} a penalty's gradient is clipped together with the "
                "loss's, and decay in the step is not."
            )
    return None


def described(optimizer):
    """An optimizer for a message: its name, or its class and momentum."""
    if isinstance(optimizer, str):
        return repr(optimizer)
    momentum = getattr(optimizer, "momentum", None)
    return type(optimizer).__name__ + (f"(momentum={momentum:g})" if momentum else "")


def missing(source, target, given):
    """The names of needed arguments that were not given, in the order of `MEANINGS`."""
    up, down = branches(source, target)
    way = [CONVENTIONS[name] for name in (*up, *down)]
    needed = {need for convention in way for need in convention.needs}
    if root(source) != root(target):
        needed.add("optimizer")
    if given.varying_rate and any(convention.constant_rate for convention in way):
        needed.add("learning_rate")
    # A squared error is −log p of the targets only for a known variance of their noise.
    ends = [CONVENTIONS[source], CONVENTIONS[target]]
    if any(end.prior for end in ends) and any(end.squared_error for end in ends):
        needed.add("noise_variance")
    return [
        name
        for name in settings.MEANINGS
        if name in needed and getattr(given, name) is None
    ]


def refuse_incomplete(source, target, names, given):
    """Name all missing arguments in one message."""
    listed = [f"`{name}` ({settings.MEANINGS[name]})" for name in names]
    together = ", ".join(listed[:-1]) + " and " * (len(listed) > 1) + listed[-1]
    message = f"{together} must be given to convert {source!r} into {target!r}."
    if "optimizer" in names:
        message += f" {WHY}"
    if "learning_rate" in names and given.varying_rate:
        message += " It cannot be read from the optimizer, whose rate is not constant."
    shown = ", ".join(f"{name}=None" for name in names)
    raise Missing(f"{message} Received: {shown}", names)
