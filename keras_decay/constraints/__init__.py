"""Constraints: norms held within a radius by exact projections."""

from keras_decay.constraints.norm_ball import NormBall
from keras_decay.ground.naming import name_by_room

__all__ = ["NormBall"]

name_by_room(__name__)
