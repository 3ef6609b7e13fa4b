"""Linear models of the diabetes data, many at once, trained to the end in float64.

The experiments on linear models compare minimisers, so each training has to arrive:
plain gradient steps on all rows, as often as it takes, under `_double.precision`.
"""

import numpy as np

from keras_decay.experiments import _data

# The blood measurements s1, s2 and s4 are nearly collinear with the others: plain
# gradient steps would take thousands for what they do in a hundred without them.
INPUTS = {"age": 0, "sex": 1, "bmi": 2, "bp": 3, "s3": 6, "s5": 8, "s6": 9}
TOGETHER = 20


def standardised(seed, names=tuple(INPUTS)):
    """The training rows of the split: inputs of these names and targets, float64.

    Returns:
        x of shape (rows, names) and y of shape (rows, 1), columns of mean 0 and
        variance 1.
    """
    part = _data.load(seed).train
    x = part.x[:, [INPUTS[name] for name in names]]
    return (x - x.mean(axis=0)) / x.std(axis=0), part.y[:, None]


def condensed(x, y):
    """As many rows as inputs with the mean squared error of all, up to a constant.

    With X = QR it is that of R and QᵀY; every gradient step is the same.
    """
    q, r = np.linalg.qr(x)
    scale = np.sqrt(len(r) / len(x))
    return scale * r, scale * q.T @ y


def best_rate(x):
    """The learning rate at which plain descent on the mean squared error is fastest."""
    curvatures = 2 * np.linalg.eigvalsh(x.T @ x / len(x))
    return float(2 / (curvatures[0] + curvatures[-1]))


class Heads:
    """Linear layers without bias on the same rows, each for itself, trained at once.

    Args:
        x: Inputs, (rows, inputs), or (rows, outputs, inputs): each output its own.
        y: Targets, (rows, outputs); each output has its own mean squared error.
        heads: A pair for each layer: the `kernel_constraint` or None, and the penalty,
            which the optimizer applies by its proximal step, or None.
        rate: The learning rate of plain SGD.
        seed: Of the initial weights, which are the same in every layer.
    """

    def __init__(self, x, y, heads, rate, *, seed):
        import keras
        from keras import ops

        import keras_decay as kd

        if x.ndim == 2:
            x = np.repeat(x[:, None], y.shape[1], axis=1)
        inputs = keras.Input(x.shape[1:])
        # Not Dense, which without a bias rounds to float32 on PyTorch.
        self._layers = [
            keras.layers.EinsumDense(
                "roi,io->ro",
                y.shape[1],
                kernel_constraint=constraint,
                kernel_initializer=keras.initializers.RandomNormal(
                    stddev=0.1, seed=seed
                ),
                name=f"head_{number:03d}",
            )
            for number, (constraint, _) in enumerate(heads)
        ]
        outputs = ops.stack([layer(inputs) for layer in self._layers], axis=1)
        self._model = keras.Model(inputs, outputs)
        optimizer = keras.optimizers.SGD(rate)
        rules = [
            (f"{layer.name}/kernel", penalty)
            for layer, (_, penalty) in zip(self._layers, heads, strict=True)
            if penalty is not None
        ]
        if rules:
            optimizer = kd.DecoupledWeightDecay(
                optimizer, rules=rules, jit_compile=False
            )

        def sum_of_losses(true, predicted):
            # No head shares a weight with another, so each descends on its own loss.
            # Divided by a number, as Keras would on PyTorch divide in float32.
            return ops.sum(ops.square(true - predicted)) / len(x)

        # XLA would take seconds to compile on TensorFlow.
        jit = "auto" if keras.backend.backend() == "jax" else False
        several = 1 if keras.backend.backend() == "torch" else TOGETHER
        self._model.compile(
            optimizer, sum_of_losses, steps_per_execution=several, jit_compile=jit
        )
        self._rows = len(x)
        self._x = np.tile(x, (TOGETHER, 1, 1))
        self._y = np.tile(y[:, None], (TOGETHER, 1, 1))

    def train(self, steps):
        """At least `steps` steps on all rows; returns the weights.

        Returns:
            An array of shape (heads, inputs, outputs).
        """
        self._model.fit(
            self._x,
            self._y,
            batch_size=self._rows,
            epochs=-(-steps // TOGETHER),
            shuffle=False,
            verbose=0,
        )
        return np.stack([layer.get_weights()[0] for layer in self._layers])
