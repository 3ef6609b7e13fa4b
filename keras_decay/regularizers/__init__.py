"""Penalties: loss terms, proximal steps and their sums."""

from keras_decay.regularizers.concave import MCP, SCAD, LogSum
from keras_decay.regularizers.elastic_net import L1, L2, ElasticNet
from keras_decay.regularizers.groups import GroupLasso, SparseGroupLasso
from keras_decay.regularizers.hoyer import HoyerSquare
from keras_decay.regularizers.huber import HuberL1
from keras_decay.regularizers.lp import Lp
from keras_decay.regularizers.penalty.algebra import Penalty
from keras_decay.regularizers.penalty.sums import Scaled, Sum
from keras_decay.regularizers.priors import (
    GaussianPrior,
    HorseshoePrior,
    LaplacePrior,
    StudentTPrior,
)
from keras_decay.regularizers.reference import L2SP
from keras_decay.regularizers.spectral import Nuclear, Orthogonal, SpectralNorm
from keras_decay.regularizers.total_variation import TotalVariation

__all__ = [
    "L1",
    "L2",
    "L2SP",
    "MCP",
    "SCAD",
    "ElasticNet",
    "GaussianPrior",
    "GroupLasso",
    "HorseshoePrior",
    "HoyerSquare",
    "HuberL1",
    "LaplacePrior",
    "LogSum",
    "Lp",
    "Nuclear",
    "Orthogonal",
    "Penalty",
    "Scaled",
    "SparseGroupLasso",
    "SpectralNorm",
    "StudentTPrior",
    "Sum",
    "TotalVariation",
]
