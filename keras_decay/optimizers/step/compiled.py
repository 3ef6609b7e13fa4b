"""Steps compiled once for each set of variables that have gradients."""

from keras_decay.ground import backend


class CompiledSteps:
    """The compiled programs of one optimizer's step.

    The variables that a step updates and the settings are part of the program. There is
    one program for each set of them, and nearly always one in all.
    """

    def __init__(self):
        self._compiled = {}

    def run(self, step, grads, variables, index_of, settings):
        """Run `step(grads, variables)` compiled.

        Args:
            step: The function.
            grads: Gradients; None for none.
            variables: The variables.
            index_of: Function of a variable that gives its number.
            settings: The settings that are part of the program, hashable.
        """
        present = [i for i, grad in enumerate(grads) if grad is not None]

        def step_on_present(tensors):
            every = [None] * len(variables)
            for position, tensor in zip(present, tensors, strict=True):
                every[position] = tensor
            step(every, variables)

        native = backend.current()
        tensors = [grads[i] for i in present]
        if native.is_tracing():
            # The step is part of another program, which is traced anew whenever the
            # model is compiled.
            native.compiled(step_on_present)(tensors)
            return
        numbers = tuple(index_of(variable) for variable in variables)
        key = (numbers, tuple(present), settings)
        if key not in self._compiled:
            self._compiled[key] = native.compiled(step_on_present)
        self._compiled[key](tensors)


def plain_settings(optimizer):
    """The plain values among an optimizer's attributes: constants of a program."""
    return tuple(
        (name, value)
        for name, value in vars(optimizer).items()
        if value is None or isinstance(value, (bool, int, float, str))
    )
