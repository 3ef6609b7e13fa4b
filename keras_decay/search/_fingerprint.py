"""Keys of tasks: equal only if a training would give the same numbers again.

A key is made of what a training depends on: the model's config with its numbers, all
else that the model holds, its initial weights and its optimizer's state, the loss that
it computes for some rows, the code of `build`, the data, the rows, the settings, the
seed, and the versions of Keras and of its backend.
"""

import hashlib
import sys

import keras
import numpy as np
from keras import ops

import keras_decay
from keras_decay.ground.backend import PACKAGES
from keras_decay.search._building import first_rows
from keras_decay.search._code import code_of, text_of
from keras_decay.search._conditions import conditions
from keras_decay.search._groups import ROWS
from keras_decay.search._signature import rates_of, signature
from keras_decay.search._slots import slots_of
from keras_decay.search._traits import Traits

# What the user calls them.
_NAMES = {
    "stopping": "early_stopping",
    "predict": "scoring",
    "weight": "the training rows' weights",
    "valid_weight": "the validation rows' weights",
}
FOLDS = "the rows of the folds"


class Keys:
    """The keys of a job's tasks.

    Args:
        job: The `Job`.
        engine: The engine that was asked for.

    Attributes:
        about: What the tasks have in common, by name, each as a short text; and the
            rows, which are part of a key one split at a time.
    """

    def __init__(self, job, engine):
        self._job = job
        module = sys.modules.get(PACKAGES.get(keras.backend.backend(), ""))
        self.about = {
            "engine": engine,
            **{name: text_of(v) for name, v in conditions()._asdict().items()},
            "backend's version": getattr(module, "__version__", ""),
            "keras_decay": keras_decay.__version__,
            **{_NAMES.get(k, k): text_of(v) for k, v in vars(job.settings).items()},
            "build": _digest(code_of(job.build)),
            **{
                _NAMES.get(k, k): _digest(*_arrays(v))
                for k, v in vars(job.data).items()
            },
        }
        self._common = _digest(self.about)
        self._splits = [
            _digest(
                *_arrays([np.asarray(s.train, "int64"), np.asarray(s.valid, "int64")])
            )
            for s in job.splits
        ]
        self.about[FOLDS] = _digest(self._splits)
        self._models = {}

    def see(self, candidate, model):
        """Take notice of a candidate's model, which is built and not trained."""
        job = self._job
        # First: what it looks at changes, as an optimizer does when it is built.
        traits = Traits(model).digest
        slots = slots_of(model)
        text = signature(model, slots)
        if text is None or traits is None:  # neither says all of it
            text = [text, job.candidates[candidate]]
        numbers = [float(ops.convert_to_numpy(rate)) for rate in rates_of(model)]
        numbers += [slot.number for slot in slots]
        self._models[candidate] = _digest(
            *(text, traits, numbers, _loss(model, job.data)),
            *_arrays(model.get_weights()),
        )

    def of(self, task):
        """The key of a task whose candidate's model was seen."""
        model, split = self._models[task.candidate], self._splits[task.split]
        return _digest(self._common, model, split, int(task.seed))


def _loss(model, data):
    """The loss of some rows, to five digits; None for models that have another way."""
    weight = None if data.weight is None else first_rows(data.weight, ROWS)
    x, y = first_rows(data.x, ROWS), first_rows(data.y, ROWS)
    try:
        predicted = model(x, training=False)
        loss = model.compute_loss(x, y, predicted, weight, training=False)
        return f"{float(ops.convert_to_numpy(loss)):.4e}"
    except Exception:
        return None


def _arrays(tree):
    """What tells apart the arrays of a tree, for `_digest`."""
    for path, array in keras.tree.flatten_with_path(tree):
        array = np.asarray(array)
        yield [list(map(str, path)), array.shape, str(array.dtype)]
        if array.dtype.hasobject:
            yield repr(array.tolist())
        else:
            yield np.ascontiguousarray(array).reshape(-1).view("uint8")


def _digest(*parts):
    """40 hexadecimal digits."""
    found = hashlib.sha256()
    for part in parts:
        if not isinstance(part, np.ndarray):
            part = np.frombuffer(text_of(part).encode(), "uint8")
        found.update(f"{len(part)}:".encode())
        found.update(part.data)
    return found.hexdigest()[:40]
