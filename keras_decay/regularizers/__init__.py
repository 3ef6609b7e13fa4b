"""Penalties: loss terms, proximal steps and their sums."""

from keras_decay.regularizers._base import Penalty
from keras_decay.regularizers._composition import Scaled, Sum
from keras_decay.regularizers._concave import MCP, SCAD, LogSum
from keras_decay.regularizers._elastic_net import L1, L2, ElasticNet
from keras_decay.regularizers._group import GroupLasso, SparseGroupLasso
from keras_decay.regularizers._hoyer import HoyerSquare
from keras_decay.regularizers._huber import HuberL1
from keras_decay.regularizers._lp import Lp
from keras_decay.regularizers._priors import (
    GaussianPrior,
    HorseshoePrior,
    LaplacePrior,
    StudentTPrior,
)
from keras_decay.regularizers._reference import L2SP
from keras_decay.regularizers._spectral import Nuclear, Orthogonal, SpectralNorm
from keras_decay.regularizers._total_variation import TotalVariation

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
