"""Remedies that more than one finding of the audit has."""

MOVE = (
    "Move the penalty into the optimizer: kd.decouple(model, optimizer) takes it out "
    "of the loss and returns the optimizer, which must have no decay of its own, in a "
    "kd.DecoupledWeightDecay to compile the model with."
)
KEEP_ONE = (
    "Keep one of the two: kd.regularize(model, [('path regex', None)]) removes the "
    "penalty."
)
