"""One language for strength: what λ means in different places, and `convert`."""

from keras_decay.conventions.conversion import convert

__all__ = ["convert"]
