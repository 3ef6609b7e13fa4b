"""Where an experiment runs, and on what versions of what."""

import contextlib
import platform
from importlib import import_module, metadata
from pathlib import Path

from keras_decay.ground import backend, validation

CHOICES = ("auto", "cpu", "gpu")


def resolve(device):
    """The kind and name of the device that `device`, one of `CHOICES`, stands for.

    Raises:
        ValueError: If it is none of them, or a GPU is asked for that is not there.
    """
    validation.choice("device", device, CHOICES)
    gpus = backend.current().gpus() if device != "cpu" else []
    if device == "gpu" and not gpus:
        raise ValueError(
            validation.received(
                "device",
                device,
                "'auto' or 'cpu' on this machine",
                f"The backend {backend_name()} finds no GPU.",
            )
        )
    if gpus:
        return {"kind": "gpu", "name": gpus[0]}
    return {"kind": "cpu", "name": cpu_name()}


def scope(device):
    """A context in which Keras computes on `device`; "auto" leaves it to Keras."""
    import keras

    if device == "auto":
        return contextlib.nullcontext()
    return keras.device(f"{device}:0")


def backend_name():
    """The name of the backend that Keras runs on."""
    import keras

    return keras.backend.backend()


def cpu_name():
    """The processor's name, as the system tells it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine() or "unknown"


def versions():
    """What the numbers were computed with: each package's name and version."""
    import keras

    import keras_decay

    return {
        "python": platform.python_version(),
        "keras_decay": keras_decay.__version__,
        "keras": keras.__version__,
        # Not by metadata: TensorFlow is distributed under several names.
        backend_name(): import_module(backend_name()).__version__,
        "numpy": metadata.version("numpy"),
        "scikit-learn": metadata.version("scikit-learn"),
    }
