"""Readers of training logs, whoever wrote them."""

from keras_decay.curves.data.readers.names import canonical
from keras_decay.curves.data.readers.reading import as_run, read, read_curves
from keras_decay.curves.data.readers.runs import Run

__all__ = ["Run", "as_run", "canonical", "read", "read_curves"]
