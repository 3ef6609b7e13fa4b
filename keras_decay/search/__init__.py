"""λ chosen in one compiled run: sweeps and cross-validation."""

from keras_decay.search._result import SweepResult
from keras_decay.search._sweep import sweep
from keras_decay.search._work import epoch_order

__all__ = ["SweepResult", "epoch_order", "sweep"]
