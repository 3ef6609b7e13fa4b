"""Each experiment is run once, on its small scale, for all tests that look at it."""

from importlib import import_module


class Found:
    """`found(name)`: the `Findings` of an experiment with `quick=True`.

    Attributes:
        progress: name: all that its `progress` was called with.
    """

    def __init__(self):
        self._results = {}
        self.progress = {}

    def __call__(self, name):
        if name not in self._results:
            module = f"keras_decay.experiments.{name.replace('-', '_')}"
            steps = self.progress[name] = []
            self._results[name] = import_module(module).run(
                quick=True, progress=lambda *step: steps.append(step)
            )
        return self._results[name]
