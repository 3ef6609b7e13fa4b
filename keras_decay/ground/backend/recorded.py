"""A function of variables, run on JAX without compiling it.

JAX compiles each operation for each shape, which takes far longer than a few steps of a
model with many shapes. Here the operations are recorded once. NumPy then does the ones
that round each entry once, as JAX does; JAX does the others, as it would anyway.
"""

from collections.abc import Callable

import jax
import keras
import numpy as np
from keras import ops

ELEMENTWISE: dict[str, Callable] = {
    "abs": np.abs,
    "add": np.add,
    "add_any": np.add,
    "copy": np.asarray,
    "copy_p": np.asarray,
    "eq": np.equal,
    "ge": np.greater_equal,
    "gt": np.greater,
    "le": np.less_equal,
    "lt": np.less,
    "max": np.maximum,
    "min": np.minimum,
    "mul": np.multiply,
    "ne": np.not_equal,
    "neg": np.negative,
    "sign": np.sign,
    "sqrt": np.sqrt,
    "square": np.square,
    "sub": np.subtract,
}
# Operations that are programs themselves, by JAX' names in its versions.
PROGRAMS = ("jit", "pjit", "closed_call", "custom_jvp_call")


def uncompiled(function, variables):
    """A function that does what `function` does, for a few calls.

    Args:
        function: Takes nothing, and reads and sets variables. It is called once, or at
            each call where it cannot be recorded.
        variables: All the variables that it may read or set.
    """

    def pure(values):
        mapping = list(zip(variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            function()
        return [scope.get_current_value(variable) for variable in variables]

    try:
        program = jax.make_jaxpr(pure)([ops.convert_to_tensor(v) for v in variables])
    except jax.errors.JAXTypeError:  # it needs to know values
        return function

    def run():
        given = [np.asarray(ops.convert_to_tensor(v)) for v in variables]
        with np.errstate(all="ignore"):
            results = _evaluated(program, given)
        for variable, before, after in zip(variables, given, results, strict=True):
            if after is not before:
                variable.assign(after)

    return run


def _evaluated(program, arguments):
    """The outputs of a recorded program."""
    recorded = program.jaxpr
    values = dict(zip(recorded.constvars, program.consts, strict=True))
    values.update(zip(recorded.invars, arguments, strict=True))

    def read(place):
        if hasattr(place, "val"):  # a number in the program
            return np.asarray(place.val, place.aval.dtype)
        return values[place]

    for equation in recorded.eqns:
        results = _done(equation, [read(place) for place in equation.invars])
        values.update(zip(equation.outvars, results, strict=True))
    return [read(place) for place in recorded.outvars]


def _done(equation, inputs):
    """The results of one operation."""
    name, settings = equation.primitive.name, equation.params
    if name in ELEMENTWISE:
        return [ELEMENTWISE[name](*map(np.asarray, inputs))]
    if name in PROGRAMS:
        inner = settings.get("jaxpr") or settings["call_jaxpr"]
        return _evaluated(inner, inputs)
    if name == "div" and not np.issubdtype(inputs[0].dtype, np.integer):
        return [np.divide(*map(np.asarray, inputs))]
    if name == "convert_element_type":
        return [np.asarray(inputs[0]).astype(settings["new_dtype"])]
    if name == "select_n" and len(inputs) == 3:
        condition, otherwise, value = map(np.asarray, inputs)
        return [np.where(condition, value, otherwise)]
    if name == "integer_pow" and settings["y"] == 2:
        return [np.square(np.asarray(inputs[0]))]
    if name == "broadcast_in_dim":
        return [_broadcast(np.asarray(inputs[0]), **settings)]
    bound = equation.primitive.get_bind_params(settings)
    # A pair before JAX 0.10 or so.
    functions, settings = bound if isinstance(bound, tuple) else ((), bound)
    results = equation.primitive.bind(
        *functions, *map(jax.numpy.asarray, inputs), **settings
    )
    return results if equation.primitive.multiple_results else [results]


def _broadcast(x, shape, broadcast_dimensions, **others):
    del others  # placement on devices
    spread = [1] * len(shape)
    for axis, size in zip(broadcast_dimensions, x.shape, strict=True):
        spread[axis] = size
    return np.broadcast_to(x.reshape(spread), shape)
