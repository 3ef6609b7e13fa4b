"""Keras callbacks that belong to this library."""

from keras_decay.callbacks.learning_curve import LearningCurve
from keras_decay.ground.naming import name_by_room

__all__ = ["LearningCurve"]

name_by_room(__name__)
