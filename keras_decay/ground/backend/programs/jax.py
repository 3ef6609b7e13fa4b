"""JAX' side of the interface described in `programs`."""

import jax

from keras_decay.ground.backend.programs.machine import UNKNOWN, WIDTH, cores

COMPILES = ACCUMULATES = True


def compiled(function):
    return jax.jit(function)


def vectorized(function):
    return jax.vmap(function)


def repeat(count, body, carry):
    return jax.lax.fori_loop(0, count, body, carry)


def choose(index, branches, carry):
    return jax.lax.switch(index, [lambda same: same, *branches], carry)


def value_and_gradients(function, values):
    (value, others), gradients = jax.value_and_grad(function, has_aux=True)(values)
    return value, others, gradients


def obstacle(model):
    del model


def make_pure(model):
    del model


def as_pure(optimizer):
    return optimizer


def concurrency():
    return cores() if jax.default_backend() == "cpu" else 1


def width(weights):
    del weights
    return WIDTH


def free_memory():
    if jax.default_backend() == "cpu":
        return None
    # Not every kind of device tells.
    known = jax.local_devices()[0].memory_stats() or {}
    return known.get("bytes_limit", UNKNOWN) - known.get("bytes_in_use", 0)


def set_within(stack, index, value):
    return stack.at[:, index].set(value)


def precision():
    """Whether numbers may have 64 bits."""
    return bool(jax.config.read("jax_enable_x64"))


def set_precision(wide):
    jax.config.update("jax_enable_x64", wide)
