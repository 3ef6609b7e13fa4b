"""Tools that act on a model that exists."""

from keras_decay.tools._audit import audit
from keras_decay.tools._prune import prune
from keras_decay.tools._report import Audit
from keras_decay.tools._sparsity import Sparsity, sparsity

__all__ = ["Audit", "Sparsity", "audit", "prune", "sparsity"]
