"""Penalties: loss terms, proximal steps and their sums.

For users: `Penalty`, and the classes of the families. For the rooms above:

- `Sum`, `Scaled`: what `a + b` and `0.5 * a` make.
- `plain`: a strength as a float, for a config.
- `axis_config`, `checked_axis`, `kept_axes`, `root_of_group_size`: what `axis` means.
- `group_norms`: ‖w_g‖ of each group.
- `claim`, `release`, `refuse_second`, `LAYER`, `OPTIMIZER`: who holds a strength's
  variable as state.
"""

from keras_decay.ground.naming import name_by_room
from keras_decay.regularizers.concave import MCP, SCAD, LogSum
from keras_decay.regularizers.elastic_net import L1, L2, ElasticNet
from keras_decay.regularizers.groups import GroupLasso, SparseGroupLasso
from keras_decay.regularizers.hoyer import HoyerSquare
from keras_decay.regularizers.huber import HuberL1
from keras_decay.regularizers.lp import Lp
from keras_decay.regularizers.maths.axes import (
    axis_config,
    checked_axis,
    kept_axes,
    root_of_group_size,
)
from keras_decay.regularizers.maths.l1_l2_group import group_norms
from keras_decay.regularizers.ownership import (
    LAYER,
    OPTIMIZER,
    claim,
    refuse_second,
    release,
)
from keras_decay.regularizers.penalty import Penalty, Scaled, Sum
from keras_decay.regularizers.priors import (
    GaussianPrior,
    HorseshoePrior,
    LaplacePrior,
    StudentTPrior,
)
from keras_decay.regularizers.reference import L2SP
from keras_decay.regularizers.spectral import Nuclear, Orthogonal, SpectralNorm
from keras_decay.regularizers.strengths import plain
from keras_decay.regularizers.total_variation import TotalVariation

__all__ = [
    "L1",
    "L2",
    "L2SP",
    "LAYER",
    "MCP",
    "OPTIMIZER",
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
    "axis_config",
    "checked_axis",
    "claim",
    "group_norms",
    "kept_axes",
    "plain",
    "refuse_second",
    "release",
    "root_of_group_size",
]

name_by_room(__name__)
