"""One language for strength: what λ means in different places, and `convert`."""

from keras_decay.conventions._convert import convert

__all__ = ["convert"]
