"""Backend-neutral helpers of the tests."""

import keras
import numpy as np
import pytest
from keras import ops


def to_numpy(tensor):
    """The tensor as a NumPy array; bfloat16 as float32."""
    if "bfloat16" in str(getattr(tensor, "dtype", "")):
        tensor = ops.cast(tensor, "float32")
    return np.asarray(ops.convert_to_numpy(tensor))


def gradient(function, w):
    """The gradient of a scalar function at the array `w`, by the backend."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        x = tf.constant(w)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        return tape.gradient(value, x).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(function)(jax.numpy.asarray(w)))
    import torch

    x = torch.tensor(w, requires_grad=True)
    function(x).backward()
    return x.grad.numpy()


def decisions(optimizer):
    """For each variable of a built optimizer a dict: its path, shape and rule."""
    return optimizer._plan.outcome


once = pytest.mark.once
recent_keras = pytest.mark.skipif(
    tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15),
    reason="an older Keras lacks what this is about",
)


def mostly_slow(cases, quick):
    """The cases as parameters of a test: all but the `quick` ones are marked slow."""
    cases, quick = list(cases), list(quick)
    assert all(case in cases for case in quick)
    return [case if case in quick else slow(case) for case in cases]


def slow(case):
    """The case as parameters of a test that is marked slow."""
    values = case if isinstance(case, tuple) else [case]
    return pytest.param(*values, marks=pytest.mark.slow)


def one_program(function):
    """`function` as one program on JAX, which else compiles every operation."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def compiled(function):
    """The same on TensorFlow too, by XLA: as the backends run it in training."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    return one_program(function)


SHAPES = {"dense/kernel": (5, 4), "dense/bias": (4,), "conv/kernel": (3, 3, 2, 4)}


def recorded_gradients(steps, seed=0, dtype="float32"):
    """Start weights and a fixed sequence of gradients, by name of the variable."""
    rng = np.random.default_rng(seed)
    start = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    sequence = [
        {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
        for _ in range(steps)
    ]

    def cast(arrays):
        return {name: array.astype(dtype) for name, array in arrays.items()}

    return cast(start), [cast(arrays) for arrays in sequence]


def make_variables(start, constraints=None):
    """Keras variables with the given paths and values, and constraints by path."""
    variables = []
    for path, value in start.items():
        scope, name = path.split("/")
        with keras.name_scope(scope):
            dtype = str(value.dtype)
            variables.append(keras.Variable(value, name=name, dtype=dtype))
        variables[-1].constraint = (constraints or {}).get(path)
    return variables


def replay(optimizer, start, sequence, compiled=False, constraints=None):
    """The weights after the optimizer has gone through recorded gradients.

    `compiled` runs the step as one compiled program, as `fit` does on JAX, and on
    TensorFlow as XLA does it, or as `fit` does on a CPU if it is "graph"; PyTorch has
    no such form.
    """
    variables = make_variables(start, constraints)
    optimizer.build(variables)
    batches = [[ops.convert_to_tensor(g) for g in s.values()] for s in sequence]
    backend = keras.backend.backend()
    if compiled and backend == "jax":
        import jax

        step = jax.jit(optimizer.stateless_apply)
        state = [v.value for v in optimizer.variables]
        weights = [v.value for v in variables]
        for grads in batches:
            weights, state = step(state, grads, weights)
        return dict(zip(start, map(np.asarray, weights), strict=True))

    def apply(grads):
        optimizer.apply(grads, variables)

    if compiled and backend == "tensorflow":
        import tensorflow as tf

        apply = tf.function(apply, jit_compile=compiled != "graph")
    for grads in batches:
        apply(grads)
    return {name: to_numpy(v) for name, v in zip(start, variables, strict=True)}


def apply_as_fit_does(optimizer, grads, variables):
    """One step of a built optimizer; on JAX by its stateless form."""
    if keras.backend.backend() != "jax":
        optimizer.apply(grads, variables)
        return
    weights, state = optimizer.stateless_apply(
        [v.value for v in optimizer.variables], grads, [v.value for v in variables]
    )
    for variable, value in zip(variables, weights, strict=True):
        variable.assign(value)
    for variable, value in zip(optimizer.variables, state, strict=True):
        variable.assign(value)


STEPS_PER_EPOCH = 200


class Converged(keras.callbacks.Callback):
    """Stop when an epoch changes no weight by more than float32 can tell."""

    def on_train_begin(self, logs=None):
        self.before, self.done = None, False

    def on_epoch_end(self, epoch, logs=None):
        weights = self.model.get_weights()
        if self.before is not None:
            pairs = zip(weights, self.before, strict=True)
            if max(np.abs(new - old).max() for new, old in pairs) < 1e-6:
                self.model.stop_training = self.done = True
        self.before = weights


def fit_to_convergence(model, optimizer, loss, x, y, epochs=None):
    """Train on the whole data set at every step until the weights rest.

    With `epochs`, for that many times 200 steps, whether they rest or not.
    """
    several = 1 if keras.backend.backend() == "torch" else STEPS_PER_EPOCH
    model.compile(optimizer, loss, steps_per_execution=several)
    converged = Converged()
    model.fit(
        np.concatenate([x] * STEPS_PER_EPOCH).astype("float32"),
        np.concatenate([y] * STEPS_PER_EPOCH).astype("float32"),
        batch_size=len(x),
        shuffle=False,
        epochs=epochs or 60,
        callbacks=[converged],
        verbose=0,
    )
    assert converged.done or epochs
