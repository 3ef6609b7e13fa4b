"""The exponential moving average of the weights, taken after decay."""

from keras import ops

from keras_decay.ground import backend
from keras_decay.optimizers.step.residual import parted, whole


class MovingAverages:
    """The moving averages of an optimizer's weights.

        average ← β average + (1 − β) w

    The first step sets an average to its weight, as Keras' own optimizers do. That of a
    weight which is frozen then, and thawed later, starts at the weight of `begin`.

    Args:
        weights: The weights' variables.
        averages: One variable for each of them; None for a weight without an average.
        residuals: For each of them the variable of what rounding takes from an average
            of half precision, or None.
        count: A variable that counts the updates; the wrapped optimizer may have made
            steps before there were averages.
    """

    def __init__(self, weights, averages, residuals, count):
        self._slots = list(zip(weights, averages, residuals, strict=True))
        self._count = count

    def update(self, present, momentum, overwrite_frequency, step, is_real):
        """Move each average towards its weight; overwrite weights when that is due.

        Args:
            present: The weights of this step. The average of another one, which has
                been frozen, moves on except on JAX, which empties the variable.
            momentum: β, in [0, 1].
            overwrite_frequency: Every how many steps the averages replace the weights,
                or None for never.
            step: The number of the optimizer's steps with this one.
            is_real: A boolean scalar, whether the weights moved; None for true.
        """
        native = backend.current()
        present = {id(variable) for variable in present}
        is_first = ops.equal(self._count, 0)
        due = None
        if overwrite_frequency:
            due = ops.equal(step % overwrite_frequency, 0)
            if is_real is not None:
                due = ops.logical_and(due, is_real)
        for variable, average, residual in self._slots:
            if average is None:
                continue
            if id(variable) not in present and not native.has_value(variable):
                continue
            weight, old = (
                ops.convert_to_tensor(variable),
                ops.convert_to_tensor(average),
            )
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
                native.assign(variable, ops.where(due, new, weight))
        moved = ops.cast(True if is_real is None else is_real, self._count.dtype)
        self._count.assign_add(moved)

    def begin(self):
        """Set each average to the present value of its weight."""
        for weight, average, _ in self._slots:
            if average is not None:
                average.assign(ops.copy(weight))

    def carry_on(self, before, known):
        """Take over the averages of an optimizer that had others.

        Args:
            before: Its `MovingAverages`.
            known: The number there of each of the weights here, or None. The average of
                a weight without one starts at the weight's present value.
        """
        self._count.assign(ops.copy(before._count))
        self.begin()
        for (_, average, residual), number in zip(self._slots, known, strict=True):
            if average is None or number is None:
                continue
            _, old, old_residual = before._slots[number]
            average.assign(ops.copy(old))
            if residual is not None:
                residual.assign(ops.copy(old_residual))

    def variables(self):
        """The averages' variables and what goes with them."""
        slots = [v for _, *pair in self._slots for v in pair if v is not None]
        return [*slots, self._count]

    def put_into(self, variables, index_of):
        """Set weights to their averages.

        Args:
            variables: The weights' variables, not all of them where layers are frozen.
            index_of: Function of a variable that gives its number.
        """
        for variable in variables:
            _, average, _ = self._slots[index_of(variable)]
            if average is not None and backend.current().has_value(average):
                # A copy: JAX reuses the memory of weights and averages at the next
                # step, and one array in both places would be reused twice.
                variable.assign(ops.copy(average))
