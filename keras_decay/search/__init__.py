"""λ chosen in one compiled run: sweeps and cross-validation."""

from keras_decay.search._work import epoch_order

__all__ = ["epoch_order"]
