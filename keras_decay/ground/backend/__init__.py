"""Operations that Keras lacks, or offers differently on its three backends.

There is one file per backend, and all have the same functions. TensorFlow's has two
more, `gather_rows` and `scatter_rows`, for the rows that its `sparse_rows` finds.
`current()` loads the file of the backend that Keras runs on, and no other. This module
imports neither Keras nor a backend, so that it can say what is missing where they
cannot be imported.
"""

import os
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

__all__ = ["PACKAGES", "current", "missing_backend", "programs"]

# The package that Keras imports, by Keras' name of the backend. The extras in
# setup.cfg have Keras' names.
PACKAGES = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
_loaded: dict[str, ModuleType] = {}


def current():
    """The module of the backend that Keras runs on."""
    import keras

    name = keras.backend.backend()
    if name in _loaded:  # the import system cannot be part of a compiled step
        return _loaded[name]
    if name not in PACKAGES:
        raise RuntimeError(
            f"keras_decay runs on the Keras backends {', '.join(PACKAGES)}. "
            f"Received: KERAS_BACKEND={name!r}"
        )
    _loaded[name] = import_module(f"keras_decay.ground.backend.{name}")
    return _loaded[name]


def missing_backend(error):
    """One sentence on the backend that `error` says is missing, else None."""
    missing = (error.name or "").split(".")[0]
    if missing not in PACKAGES.values():
        return None
    installed = [name for name, package in PACKAGES.items() if find_spec(package)]
    sentence = (
        f"Keras is set to the backend {missing!r}, which is not installed: "
        f"install it with  pip install 'keras-decay[{missing}]'"
    )
    if installed:
        choice = " or ".join(f"KERAS_BACKEND={name}" for name in installed)
        sentence += f"  or choose an installed one by setting {choice}"
    elif "KERAS_BACKEND" not in os.environ:
        others = " or ".join(name for name in PACKAGES if name != missing)
        sentence += f"  (or the extra {others}, and set KERAS_BACKEND to its name)"
    return sentence + "."
