"""The decay that an optimizer applies at present, as plain numbers."""

import numpy as np
from keras import ops

from keras_decay.models import parts_of
from keras_decay.optimizers.decoupled import DecoupledWeightDecay
from keras_decay.optimizers.strength import coupling_factor


def effective_decay(optimizer, learning_rate):
    """c_t λ_t, the fraction of a weight that decay takes away in the present step.

    Args:
        optimizer: Any Keras optimizer; one within a `LossScaleOptimizer` is found.
        learning_rate: η_t, a number, or None if it is unknown.

    Returns:
        A dict of floats by the argument that gave λ, `"weight_decay"` or
        `"rules[i][1]"`; empty for other optimizers and where penalties act alone.
    """
    parts = parts_of(optimizer)
    if len(parts) != 1 or not isinstance(parts[0], DecoupledWeightDecay):
        return {}
    (optimizer,) = parts
    found = {}
    for name, decay in optimizer._plan.named_decays():
        needs_rate = decay.coupling != "independent"
        if decay.strength is None or (needs_rate and learning_rate is None):
            continue
        rate = 0.0 if learning_rate is None else learning_rate
        strength = decay.strength.at(optimizer.iterations)
        factor = coupling_factor(
            decay.coupling, rate, optimizer.base_learning_rate, decay.rate_factor
        )
        found[name] = float(np.asarray(ops.convert_to_numpy(strength)) * factor)
    return found
