"""What ends a command: exceptions that `main` turns into one sentence."""


class UsageError(Exception):
    """A mistake in the arguments that only a look at the machine reveals."""


class Failure(Exception):
    """A reason why the work cannot be done, in one sentence."""
