"""Penalties: loss terms, proximal steps and their sums."""

from keras_decay.regularizers._base import Penalty
from keras_decay.regularizers._composition import Scaled, Sum
from keras_decay.regularizers._concave import MCP, SCAD, LogSum
from keras_decay.regularizers._elastic_net import L1, L2, ElasticNet
from keras_decay.regularizers._group import GroupLasso, SparseGroupLasso
from keras_decay.regularizers._huber import HuberL1
from keras_decay.regularizers._lp import Lp
from keras_decay.regularizers._priors import (
    GaussianPrior,
    HorseshoePrior,
    LaplacePrior,
    StudentTPrior,
)

__all__ = [
    "L1",
    "L2",
    "MCP",
    "SCAD",
    "ElasticNet",
    "GaussianPrior",
    "GroupLasso",
    "HorseshoePrior",
    "HuberL1",
    "LaplacePrior",
    "LogSum",
    "Lp",
    "Penalty",
    "Scaled",
    "SparseGroupLasso",
    "StudentTPrior",
    "Sum",
]
