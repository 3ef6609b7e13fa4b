"""One step of decoupled decay, as pure functions of tensors."""

from keras import ops


def decayed(before, after, pull, c, penalty, cautious):
    """The weight after decay, from the weights around the inner optimizer's step.

        w ← w − u − rate · direction,   then   w ← prox_{cΩ}(w)

    Decay is taken at the weight before the step and the penalty's proximal step after
    it, which is what the papers write and is exact for optimizers whose step depends
    on the weight. All tensors are of one dtype, float32 or higher.

    Args:
        before: The weight w before the step.
        after: The weight w − u that the inner optimizer made of it.
        pull: The `Pull` at w, or None if only the penalty acts. In the plain form its
            rate is c_t λ_t and its direction w.
        c: The coupling's factor c_t, a scalar tensor.
        penalty: The `Penalty` Ω, or None.
        cautious: Pull at an entry only where u · direction ≥ 0.

    Returns:
        A tensor like `after`.
    """
    result = after
    if pull is not None:
        decay = pull.rate * pull.direction
        if cautious:
            agrees = (before - after) * pull.direction >= 0
            decay = ops.where(agrees, decay, ops.zeros_like(decay))
        result = after - decay
    if penalty is not None:
        result = penalty.prox(result, c)
    return result


def scaled_step(before, after, rate_factor):
    """The weight w − m u, from the weights w and w − u around the inner step.

    Args:
        before: The weight w.
        after: The weight w − u.
        rate_factor: m, a number. At 1 the result is `after` itself.
    """
    if rate_factor == 1:
        return after
    return before + rate_factor * (after - before)
