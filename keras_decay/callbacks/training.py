"""One call of `fit` as a callback of ours knows it.

Keras hands all callbacks of a `fit` the same dict `params`, by which they know one
another. It calls none of them after an exception.
"""

import contextlib


class Training:
    """A `fit` that has begun.

    Args:
        params: Keras' `params` of a callback in it.
        meet: Function that is given the list of all callbacks as soon as it is known,
            at the first validation, and raises if they do not go together.
    """

    def __init__(self, params, meet=lambda callbacks: None):
        self.params = params
        self.meet = meet
        self._endings = []

    def has(self, callback):
        """Whether a callback belongs to it."""
        return self.params is not None and callback.params is self.params

    def same_as(self, other):
        """Whether both are the same `fit`."""
        return self.params is not None and self.params is other.params

    def when_left(self, function):
        """Call `function()` where an exception ends a step or a validation."""
        self._endings.append(function)

    @contextlib.contextmanager
    def left_by_exceptions(self):
        """An exception in the block ends it."""
        try:
            yield
        except BaseException:
            self.leave()
            raise

    def leave(self):
        """An exception has ended it."""
        while self._endings:
            self._endings.pop()()
