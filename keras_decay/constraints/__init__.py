"""Constraints: norms held within a radius by exact projections."""

from keras_decay.constraints.norm_ball import NormBall

__all__ = ["NormBall"]
