"""Update steps compiled once for each set of variables that gradients come for."""

from keras_decay.ground import backend


class CompiledSteps:
    """The compiled forms of one optimizer's step.

    A step is compiled for the variables that it updates, since they are part of the
    program, and so are the settings; nearly always there is one set of them.
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
            settings: What else the program depends on, hashable.
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
            # Part of another program, which is traced anew when the model is compiled.
            native.compiled(step_on_present)(tensors)
            return
        numbers = tuple(index_of(variable) for variable in variables)
        key = (numbers, tuple(present), settings)
        if key not in self._compiled:
            self._compiled[key] = native.compiled(step_on_present)
        self._compiled[key](tensors)


def plain_settings(optimizer):
    """The attributes of an optimizer that are plain values, burnt into a program."""
    return tuple(
        (name, value)
        for name, value in vars(optimizer).items()
        if value is None or isinstance(value, (bool, int, float, str))
    )
