"""What `LearningCurve` costs with its live picture, against livelossplot's.

Both run in the kernel of a notebook, where either draws at the end of an epoch what a
reader sees: the same small network, trained on the same data. Their cost is the time
that `fit` spends in the callback's methods; what `LearningCurve` adds to the compiled
steps shows in the whole time of an epoch, beside that of `fit` without a callback.

    pip install livelossplot
    python benchmarks/learning_curve.py [epochs to compare] [epochs of the long run]
"""

import sys
import time
from pathlib import Path

import numpy as np

COMPARED, LONG = 60, 10_000
GOAL = 1 / 50


def main():
    """Run the measurements in a kernel, and print what they print."""
    import nbclient
    import nbformat

    compared = int(sys.argv[1]) if len(sys.argv) > 1 else COMPARED
    long = int(sys.argv[2]) if len(sys.argv) > 2 else LONG
    here = str(Path(__file__).parent)
    cells = [
        f"import sys; sys.path.insert(0, {here!r}); import learning_curve",
        f"learning_curve.long_run({long})",
        f"learning_curve.compare({compared})",
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells]
    )
    nbclient.NotebookClient(notebook, timeout=None, kernel_name="python3").execute()
    for cell in notebook.cells:
        printed = (o.text for o in cell.outputs if o.get("name") == "stdout")
        print("".join(printed), end="")


def compare(epochs):
    """Seconds per epoch of either callback, and of neither."""
    import keras_decay as kd

    sides = {"no callback": list, "LearningCurve": lambda: [kd.LearningCurve()]}
    try:
        from livelossplot import PlotLossesKeras

        sides["livelossplot"] = lambda: [PlotLossesKeras()]
    except ImportError as error:
        print(f"livelossplot cannot be imported ({error}): it is left out")
    spent, whole = {}, {}
    for turn in range(2):  # the first warms up
        for name, make in sides.items():
            callbacks = make()
            clocks = [timed(one) for one in callbacks]
            start = time.perf_counter()
            train(epochs if turn else 3, callbacks)
            whole[name] = (time.perf_counter() - start) / epochs
            spent[name] = sum(clock.total for clock in clocks) / epochs
    print(f"\nper epoch, {epochs} epochs   in the callback     in fit as a whole")
    for name in sides:
        row = f"{1e3 * spent[name]:12.2f} ms {1e3 * whole[name]:18.1f} ms"
        print(f"{name:24} {row}")
    if "livelossplot" in spent:
        ratio = spent["LearningCurve"] / spent["livelossplot"]
        print(
            f"LearningCurve / livelossplot: 1/{1 / ratio:.0f} (goal: 1/{1 / GOAL:.0f})"
        )


def long_run(epochs):
    """The callback's cost and the process's memory while a curve grows."""
    import keras_decay as kd

    pyplot = "matplotlib.pyplot" in sys.modules
    curve = kd.LearningCurve()
    clock = timed(curve)
    memory = Memory()
    start = time.perf_counter()
    train(epochs, [curve, memory])
    whole = time.perf_counter() - start
    costs = np.array(clock.by_epoch)
    print(f"one run of {epochs} epochs, {1e3 * whole / epochs:.1f} ms each")
    print("epochs                  mean in the callback     median     process")
    for first, last in windows(epochs):
        part = costs[first:last]
        print(
            f"{first:6} to {last:6} {1e3 * part.mean():20.2f} ms "
            f"{1e3 * np.median(part):10.2f} ms {memory.at(last):8.1f} MiB"
        )
    own = sum(map(size_of, curve.rows)) / 2**20
    print(f"of the process's memory the rows, which are all kept, are {own:.1f} MiB")
    share = costs.sum() / whole
    print(f"share of the whole time: {100 * share:.1f} %, the display may take 1")
    loaded = "matplotlib.pyplot" in sys.modules and not pyplot
    print(f"pyplot imported by it: {loaded}; open figures: {open_figures()}")


def train(epochs, callbacks):
    """Fit a small network, a batch an epoch and one of validation."""
    import keras

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 10)).astype("float32")
    y = x[:, :1] + rng.normal(size=(64, 1)).astype("float32")
    layers = [keras.Input((10,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile("adam", "mse", metrics=["mae"])
    data = {"x": x[:32], "y": y[:32], "validation_data": (x[32:], y[32:])}
    model.fit(**data, epochs=epochs, verbose=0, callbacks=callbacks)


class Clock:
    """The seconds spent in a callback."""

    def __init__(self):
        self.total = 0.0
        self.by_epoch = []

    def around(self, method, ends_epoch):
        def call(*args, **kwargs):
            start = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                spent = time.perf_counter() - start
                self.total += spent
                if ends_epoch:
                    self.by_epoch.append(spent)

        return call


def timed(callback):
    """A clock on the methods of a callback that Keras calls during epochs."""
    clock = Clock()
    for name in (
        "on_epoch_begin",
        "on_epoch_end",
        "on_test_begin",
        "on_test_end",
        "on_train_batch_end",
    ):
        method = getattr(callback, name)
        setattr(callback, name, clock.around(method, name == "on_epoch_end"))
    return clock


def windows(epochs):
    """Neighbourhoods of epoch 10, 100, 1,000 …"""
    ends = [20]
    while ends[-1] < epochs:
        ends.append(min(10 * ends[-1], epochs))
    return [(end - max(end // 10, 10), end) for end in ends]


def size_of(row):
    """The bytes that a row takes, with its keys and values."""
    return sys.getsizeof(row) + sum(
        sys.getsizeof(part) for pair in row.items() for part in pair
    )


def open_figures():
    pyplot = sys.modules.get("matplotlib.pyplot")
    return len(pyplot.get_fignums()) if pyplot else 0


def Memory():
    """A callback that notes the memory of the process."""
    import keras

    class Note(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.sizes = []

        def on_epoch_end(self, epoch, logs=None):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.sizes.append(pages * 4096 / 2**20)

        def at(self, epoch):
            return self.sizes[epoch - 1]

    return Note()


if __name__ == "__main__":
    main()
