"""Tools that act on a model that exists."""

from keras_decay.ground.naming import name_by_room
from keras_decay.tools._audit import audit
from keras_decay.tools._decouple import decouple
from keras_decay.tools._prune import prune
from keras_decay.tools._regularize import regularize
from keras_decay.tools._regularized import Regularized
from keras_decay.tools._report import Audit
from keras_decay.tools._sparsity import Sparsity, sparsity
from keras_decay.tools._track_strength import track_strength

__all__ = [
    "Audit",
    "Regularized",
    "Sparsity",
    "audit",
    "decouple",
    "prune",
    "regularize",
    "sparsity",
    "track_strength",
]

name_by_room(__name__)
