"""Penalties: loss terms, proximal steps and their sums."""

from keras_decay.regularizers._base import Penalty
from keras_decay.regularizers._composition import Scaled, Sum
from keras_decay.regularizers._elastic_net import L1, L2, ElasticNet
from keras_decay.regularizers._group import GroupLasso, SparseGroupLasso

__all__ = [
    "L1",
    "L2",
    "ElasticNet",
    "GroupLasso",
    "Penalty",
    "Scaled",
    "SparseGroupLasso",
    "Sum",
]
