"""The settings of a process that change what is trained in it."""

import contextlib
from typing import Any, NamedTuple

import keras

from keras_decay.ground.backend import programs


class Conditions(NamedTuple):
    """Keras, its backend, and the settings of both that enter the numbers."""

    keras: str
    backend: str
    floatx: str
    epsilon: float
    image_data_format: str
    policy: str
    precision: Any


def conditions():
    """Those of this process."""
    return Conditions(
        keras.version(),
        keras.backend.backend(),
        keras.config.floatx(),
        keras.config.epsilon(),
        keras.config.image_data_format(),
        keras.config.dtype_policy().name,
        programs.current().precision(),
    )


@contextlib.contextmanager
def under(wanted):
    """Make this process train under these conditions within the context.

    Raises:
        RuntimeError: If it has another version of Keras or another backend.
    """
    here = conditions()
    if (here.keras, here.backend) != (wanted.keras, wanted.backend):
        raise RuntimeError(
            "Workers must have the Keras and the backend of the process that searches: "
            f"it has Keras {wanted.keras} on {wanted.backend}, the worker Keras "
            f"{here.keras} on {here.backend}. Start workers with the environment "
            f"variable KERAS_BACKEND={wanted.backend}."
        )
    _impose(wanted)
    try:
        yield
    finally:
        _impose(here)


def _impose(wanted):
    programs.current().set_precision(wanted.precision)
    keras.config.set_floatx(wanted.floatx)
    keras.config.set_epsilon(wanted.epsilon)
    keras.config.set_image_data_format(wanted.image_data_format)
    keras.config.set_dtype_policy(wanted.policy)
