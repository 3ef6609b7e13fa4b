"""What a penalty in the loss becomes in the optimizer."""

import math

import keras

from keras_decay.regularizers import L1, L2, ElasticNet, Penalty, plain
from keras_decay.tools._penalties import elastic_net

KERAS_OWN = (
    keras.regularizers.L1,
    keras.regularizers.L2,
    keras.regularizers.L1L2,
)


def moved(regularizer):
    """A decay λ' or a `Penalty` that does in the optimizer what this does in the loss.

    An L2 penalty λ Σw² of plain strength has the gradient 2λw, and becomes the decay
    2λ. All else stays a penalty, and acts by its proximal step; also an L2 penalty
    whose strength is a variable, which goes on acting then.

    Returns:
        A number, a `Penalty`, or None if neither is equal to the regularizer.
    """
    if type(regularizer) in KERAS_OWN:
        # A subclass may do anything; these are sums of two terms.
        l1, l2 = elastic_net(regularizer)
        if not l1:
            return 2 * l2
        return ElasticNet(l1, l2) if l2 else L1(l1)
    if not isinstance(regularizer, Penalty):
        return None
    if regularizer.variables:
        return regularizer
    strengths = [
        math.prod(map(plain, factors)) * plain(term.parts().l2)
        for factors, term in regularizer.flatten()
        if _is_ridge(term)
    ]
    if len(strengths) == len(regularizer.flatten()):
        return 2 * math.fsum(strengths)
    return regularizer


def _is_ridge(term):
    return type(term) is L2 or (type(term) is ElasticNet and plain(term.l1) == 0)
