"""Methods and compiled functions of one model, replaced for a time and put back."""

import weakref
from typing import Any

TRAIN, TEST = "make_train_function", "make_test_function"
# How data that have come to their end end an epoch.
_ENDS = ("StopIteration", "OutOfRangeError")


class Patch:
    """Methods of a model instance that are ours while training runs.

    The functions that Keras has compiled do not know our methods: they are kept and put
    back. Ours are kept too. If the next `fit` finds what was put back, the model has
    not been compiled in between, and ours need not be compiled again.

    Args:
        model: A Keras model.
        failed: Function that is called where an exception ends a step of training.
    """

    def __init__(self, model, failed):
        self._model, self._failed = model, failed
        self._names: tuple[str, ...] = ()
        self._before: dict[str, Any] = {}
        self._theirs = self._ours = (None, None)
        self._left = None

    def put(self, methods):
        """Replace the methods; returns whether our functions must be compiled anew."""
        model = self._model
        self._names = tuple(methods)
        self._before = {n: vars(model)[n] for n in self._names if n in vars(model)}
        for name, method in methods.items():
            setattr(model, name, method)
        theirs = self._theirs = (model.train_function, model.test_function)
        if self._left is not None and self._left() is model.train_function:
            model.train_function, model.test_function = self._ours
            return False
        model.train_function = model.test_function = None
        return theirs

    def compile(self, theirs):
        """Let Keras make our train function, after `put` has returned `theirs`."""
        self._model.make_train_function()
        self._theirs = theirs

    def forget_theirs(self):
        """What Keras had compiled must not run again: the optimizer was rebuilt."""
        self._theirs = self._ours = (None, None)

    def guard(self):
        """Make the train function tell of exceptions."""
        function = self._model.train_function
        if function is None or getattr(function, "is_guarded", False):
            return

        def train_function(*args, **kwargs):
            try:
                return function(*args, **kwargs)
            except BaseException as error:
                if type(error).__name__ not in _ENDS:
                    self._failed()
                raise

        vars(train_function)["is_guarded"] = True
        self._model.train_function = train_function

    def take_back(self):
        """Leave the model as it was."""
        model = self._model
        for name in self._names:
            delattr(model, name)
        for name, value in self._before.items():
            setattr(model, name, value)
        self._ours = (model.train_function, model.test_function)
        # `compile` in the middle of training has left None, and rightly.
        back = (None, None) if model.train_function is None else self._theirs
        model.train_function, model.test_function = back
        # Weakly: as long as a compiled step is alive, JAX takes it for that of the
        # same model compiled anew with another loss.
        self._left = None if back[0] is None else weakref.ref(back[0])
        self._theirs = (None, None)
