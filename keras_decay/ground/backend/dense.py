"""What JAX and PyTorch have in common, such as dense gradients of embeddings."""

from keras import ops


def assign(variable, value):
    """Set `variable` to `value`, an array that carries its placement on devices."""
    variable.assign(value)


def is_tracing():
    """Whether a function is being traced. Never: a step is in no other program."""
    return False


def sparse_rows(grad):
    """None: gradients are dense."""
    del grad


def touched_rows(grad, size):
    """Which of the `size` rows have a gradient that is not zero, as booleans."""
    flat = ops.reshape(grad, (size, -1))
    return ops.any(ops.not_equal(flat, 0), axis=1)


def untrack(optimizer, variables):
    """Take variables out of those that an optimizer tracks."""
    for variable in variables:
        optimizer._untrack_variable(variable)


def feed(train, validation, batch_size):
    """Small arrays as arguments of `fit`, shuffled anew in every epoch.

    Args:
        train, validation: Pairs (x, y) of arrays.
        batch_size: Of training; validation is one batch.
    """
    return {
        "x": train[0],
        "y": train[1],
        "batch_size": batch_size,
        "validation_data": validation,
        "validation_batch_size": len(validation[0]),
    }


def svd(a):
    """U, σ, Vᵀ of a matrix."""
    return ops.svd(a, full_matrices=False)
