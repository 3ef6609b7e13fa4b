"""λ chosen in one compiled run: sweeps and cross-validation."""

from typing import TYPE_CHECKING

from keras_decay.ground.naming import name_by_room
from keras_decay.search._result import SweepResult
from keras_decay.search._strength_grid import strength_grid
from keras_decay.search._sweep import sweep
from keras_decay.search._work import epoch_order

if TYPE_CHECKING:
    from keras_decay.search._cv import DecaySearchCV

__all__ = ["DecaySearchCV", "SweepResult", "epoch_order", "strength_grid", "sweep"]

name_by_room(__name__)


def __getattr__(name):
    if name != "DecaySearchCV":
        raise AttributeError(f"module 'keras_decay.search' has no attribute {name!r}")
    # It is a scikit-learn estimator, and that library is loaded with it.
    from keras_decay.search._cv import DecaySearchCV

    globals()[name] = DecaySearchCV
    name_by_room(__name__)
    return DecaySearchCV
