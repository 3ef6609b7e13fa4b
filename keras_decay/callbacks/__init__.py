"""Keras callbacks that belong to this library.

The public names are `LearningCurve`, `StopOnOverfit` and `BackupAndRestore`. For the
rooms above:

- `splitter`: a model's `compute_loss` that tells the data's loss and the penalty apart.
"""

from keras_decay.callbacks.backup import BackupAndRestore
from keras_decay.callbacks.learning_curve import LearningCurve
from keras_decay.callbacks.measure.loss_parts import splitter
from keras_decay.callbacks.stop_on_overfit import StopOnOverfit
from keras_decay.ground.naming import name_by_room

__all__ = ["BackupAndRestore", "LearningCurve", "StopOnOverfit", "splitter"]

name_by_room(__name__)
