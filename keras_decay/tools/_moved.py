"""What a penalty in the loss becomes in the optimizer."""

import math

from keras_decay.regularizers import L1, L2, ElasticNet, Penalty, plain
from keras_decay.tools._penalties import elastic_net


def moved(regularizer):
    """A decay λ' or a `Penalty` that does in the optimizer what this does in the loss.

    An L2 penalty λ Σw² of plain strength has the gradient 2λw, and becomes the decay
    2λ. All else stays a penalty, and acts by its proximal step; also an L2 penalty
    whose strength is a variable, which goes on acting then.

    Returns:
        A number, a `Penalty`, or None if neither is equal to the regularizer.
    """
    penalty = Penalty.of(regularizer)
    if penalty is None or penalty.variables:
        return penalty
    if penalty is not regularizer:
        if not type(regularizer).__module__.startswith("keras."):
            return None  # a class derived from Keras' own may do anything
        l1, l2 = elastic_net(penalty)
        if l1:
            return penalty if l2 else L1(l1)
        return 2 * l2
    terms = penalty.flatten()
    strengths = [
        math.prod(map(plain, factors)) * plain(term.parts().l2)
        for factors, term in terms
        if _is_ridge(term)
    ]
    if len(strengths) == len(terms):
        return 2 * math.fsum(strengths)
    return penalty


def _is_ridge(term):
    return type(term) is L2 or (type(term) is ElasticNet and plain(term.l1) == 0)
