"""What penalties share that are a strength times one function of the weights, λ · f(w).

Both compute in float32 at least, and take the strength as a penalty holds it.
"""

from keras import ops

from keras_decay.regularizers.penalty.algebra import computable, step_for, strength_for


def weighted_value(function, w, strength):
    """strength · function(w), a scalar."""
    w = computable(w)
    return strength_for(strength, w) * function(w)


def weighted_prox(shrink, w, step, strength):
    """shrink(w, step · strength), in the dtype of `w`."""
    wide = computable(w)
    cost = step_for(step, wide) * strength_for(strength, wide)
    return ops.cast(shrink(wide, cost), w.dtype)
