"""The exponential moving average of the weights, taken after decay."""

from keras import ops

from keras_decay.ground import backend, validation
from keras_decay.optimizers.step.residual import parted, whole


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


def update_averages(
    variables,
    averages,
    residuals,
    count,
    momentum,
    overwrite_frequency,
    step,
    is_real,
):
    """Move each average towards its weight; overwrite the weights when that is due.

        average ← β average + (1 − β) w

    The first step sets the average to the weight, as Keras' own optimizers do.

    Args:
        variables: The weights' variables.
        averages: One variable, or None, for each of them.
        residuals: For each of them the variable of what rounding takes from an average
            of half precision, or None.
        count: A variable that counts the updates; the wrapped optimizer may have made
            steps before there were averages.
        momentum: β, in [0, 1].
        overwrite_frequency: Every how many steps the averages replace the weights, or
            None for never.
        step: The number of the optimizer's steps with this one.
        is_real: A boolean scalar, whether the weights moved; None for true.
    """
    is_first = ops.equal(count, 0)
    due = None
    if overwrite_frequency:
        due = ops.equal(step % overwrite_frequency, 0)
        if is_real is not None:
            due = ops.logical_and(due, is_real)
    for variable, average, residual in zip(variables, averages, residuals, strict=True):
        if average is None:
            continue
        weight, old = ops.convert_to_tensor(variable), ops.convert_to_tensor(average)
        if residual is not None:
            weight = ops.cast(weight, "float32")
            old = whole(old, ops.convert_to_tensor(residual))
        beta = ops.convert_to_tensor(momentum, dtype=weight.dtype)
        beta = ops.where(is_first, ops.zeros_like(beta), beta)
        new = beta * old + (1 - beta) * weight
        if is_real is not None:
            new = ops.where(is_real, new, old)
        if residual is not None:
            new, rest = parted(new, variable.dtype)
            residual.assign(rest)
            weight = ops.convert_to_tensor(variable)
        average.assign(new)
        if due is not None:
            backend.current().assign(variable, ops.where(due, new, weight))
    count.assign_add(ops.cast(True if is_real is None else is_real, count.dtype))
