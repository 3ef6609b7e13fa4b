"""The `fit` that a callback runs in: its list of callbacks, and whether it still runs.

Keras tells a callback neither, nor does it call callbacks when `fit` is left by an
exception. Both can be read off the call stack.
"""

import sys
import weakref
from inspect import CO_OPTIMIZED

import keras


class RunningFit:
    """What called the callback's `on_train_begin`; made from within that method.

    Attributes:
        callbacks: The callbacks of this `fit`, in their order; empty if the callback
            was called by hand.
    """

    def __init__(self):
        callback_list, frame = _caller()
        self.callbacks = list(getattr(callback_list, "callbacks", ()))
        self._list = None if callback_list is None else weakref.ref(callback_list)
        # The code that runs `fit`. Its frame is known by the list of callbacks among
        # its variables: a frame cannot be referred to weakly, a reference would keep it
        # alive with the data in it, and its identity may be given to a later `fit`.
        is_fit = frame is not None and frame.f_code.co_name == "fit"
        is_known = is_fit and _has_local(frame, callback_list)
        self._code = frame.f_code if is_known else None

    def same_as(self, other):
        """Whether both belong to the same list of callbacks."""
        mine = self._list and self._list()
        return mine is not None and mine is (other._list and other._list())

    def is_running(self):
        """Whether this `fit` has not been left yet; True where that is unknown."""
        if self._code is None:
            return True
        callback_list = self._list and self._list()
        # In any thread: a callback may evaluate in one of its own.
        for innermost in sys._current_frames().values():
            for frame in _outwards(innermost):
                if frame.f_code is self._code and _has_local(frame, callback_list):
                    return True
        return False

    def when_left(self, function):
        """Call `function()` once an exception has left this `fit`.

        At once if it comes out of a callback; else when the list of callbacks, a local
        variable of `fit`, is destroyed. It outlives `fit` while somebody holds on to
        an exception with the traceback in it.
        """
        callback_list = self._list and self._list()
        if callback_list is None or self._code is None:
            return None
        for name in _HOOKS:
            setattr(callback_list, name, _guarded(self._list, name, function))
        finalizer = weakref.finalize(callback_list, function)
        finalizer.atexit = False
        return finalizer


# What `fit` calls of its list of callbacks once training is under way.
_HOOKS = [
    f"on_{phase}_{moment}"
    for phase in ("epoch", "train_batch", "test_batch", "test")
    for moment in ("begin", "end")
]


def arguments_of_fit():
    """The local variables of the `fit` that calls a callback's `on_train_begin`."""
    _, frame = _caller()
    known = frame is not None and frame.f_code.co_name == "fit"
    return dict(frame.f_locals) if known else {}


def _guarded(callback_list, name, function):
    """The list's method `name`, which calls `function()` if an exception leaves it.

    The list is referred to weakly, or it would keep itself alive.
    """
    own = vars(callback_list()).get(name)
    method = getattr(type(callback_list()), name)

    def call(*args, **kwargs):
        try:
            if own is not None:  # guarded already, for somebody else
                return own(*args, **kwargs)
            return method(callback_list(), *args, **kwargs)
        except BaseException:
            function()
            raise

    return call


def _caller():
    """The innermost `CallbackList` that is calling, and the frame that called it."""
    for frame in _outwards(sys._getframe(1)):
        if frame.f_code.co_name == "on_train_begin":
            owner = frame.f_locals.get("self")
            if isinstance(owner, keras.callbacks.CallbackList):
                return owner, frame.f_back
    return None, None


def _has_local(frame, value):
    """Whether `value`, if there is one, is among the local variables of `frame`."""
    if value is None:
        return False
    variables = frame.f_locals
    found = any(each is value for each in variables.values())
    is_copy = isinstance(variables, dict) and frame.f_code.co_flags & CO_OPTIMIZED
    # Not of a frame that a debugger steps through: it writes the copy back.
    if is_copy and frame.f_trace is None:
        # Before Python 3.13 a function's frame keeps this copy, and with it an epoch's
        # iterator over the data, which TensorFlow is to close at the epoch's end.
        variables.clear()
    return found


def _outwards(frame):
    """`frame` and the frames that called it."""
    while frame is not None:
        yield frame
        frame = frame.f_back
