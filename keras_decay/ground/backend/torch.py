"""PyTorch's side of the interface described in `keras_decay.ground.backend`."""

import contextlib
from typing import Any

import torch
from keras import ops

from keras_decay.ground.backend.dense import (
    assign,
    feed,
    is_tracing,
    sparse_rows,
    svd,
    touched_rows,
    untrack,
)

__all__ = [
    "as_decayed",
    "assign",
    "can_compile",
    "compiled",
    "eager",
    "feed",
    "gpus",
    "gradient",
    "has_value",
    "is_baked",
    "is_chief",
    "is_tracing",
    "kept_randomness",
    "largest_by",
    "no_grad",
    "read",
    "rounded",
    "running_sums",
    "snapshot",
    "sparse_rows",
    "subtract",
    "svd",
    "sync",
    "touched_rows",
    "uncompiled",
    "untrack",
    "wide",
]

no_grad = torch.no_grad
eager = contextlib.nullcontext
wide = contextlib.nullcontext

# Compiling takes a fraction of a second per variable and saves some nanoseconds per
# entry and step. From this mean number of entries on it pays within about 1,000 steps.
WORTH_COMPILING = 2**16

# By default the program computes the scalars of the step, Adam's powers of β, anew for
# every few entries. The loops over the entries are fused into one in either case.
OPTIONS: dict[str, Any] = {"realize_opcount_threshold": 4}


def compiled(function):
    """`function` of tensors as one program of `torch.compile`, where that works.

    Where compilation fails, for example without a C++ compiler, `function` itself runs.
    No update is made twice then: the program is one graph, compiled before it runs.
    """

    def traced(tensors):
        function(tensors)

    # PyTorch counts compilations by code object, and gives up at the eighth.
    traced.__code__ = traced.__code__.replace()
    program = torch.compile(traced, fullgraph=True, dynamic=False, options=OPTIONS)
    works = True

    def run(tensors):
        nonlocal works
        with torch.no_grad():
            if works:
                try:
                    return program(tensors)
                except Exception as error:
                    if not _is_of_the_compiler(error):
                        raise
                    works = False
            return function(tensors)

    run.works = lambda: works  # type: ignore[attr-defined]
    return run


def _is_of_the_compiler(error):
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))


def can_compile(tensors, fixed, wanted):
    """Whether to compile an update from these gradients, here and now.

    Args:
        tensors: The gradients.
        fixed: Whether the update reads variables only and calls no Python function
            that gives another value at every step.
        wanted: True, or `"auto"` for only where it pays: on large variables on CPUs.
            On a GPU the step is a small part of the training.
    """
    tensors = [tensor for tensor in tensors if tensor is not None]
    if not tensors or not fixed or torch.compiler.is_compiling():
        return False
    return wanted is True or (
        sum(tensor.numel() for tensor in tensors) >= WORTH_COMPILING * len(tensors)
        and all(tensor.device.type == "cpu" for tensor in tensors)
    )


def snapshot(variable):
    """The value of `variable` now; PyTorch's optimizers change it in place."""
    return ops.convert_to_tensor(variable).detach().clone()


def read(variable):
    """The value of `variable`, which later assignments may change."""
    return variable.value


def has_value(variable):
    """Whether `variable` can be read: always."""
    del variable
    return True


def subtract(variable, amount):
    """Take `amount` from `variable`, in place."""
    value = variable.value
    if value is variable._value:
        value.sub_(amount)
    else:  # within a `keras.StatelessScope`, which has values of its own
        variable.assign(value - amount)


def sync(model):
    """Put the state of a `fit` that is running into the model's variables: it is."""
    del model


def is_chief(model):
    """Whether this process is the first of those that train together."""
    del model
    together = torch.distributed.is_available() and torch.distributed.is_initialized()
    return not together or torch.distributed.get_rank() == 0


@contextlib.contextmanager
def kept_randomness():
    """Restore the state of PyTorch's random numbers after the context.

    A DataLoader draws a number for every pass through its data, even in a fixed order.
    """
    with torch.random.fork_rng(devices=[]):
        yield


def is_baked(value):
    """Whether a function is being traced in which `value` would be a constant.

    Never: PyTorch runs eagerly under Keras.
    """
    del value
    return False


def uncompiled(function, variables):
    """`function` itself: its operations are not compiled one by one."""
    del variables
    return function


def as_decayed(fraction):
    """The fraction of a weight that decay takes away, rounded as PyTorch's own is.

    `torch.optim.AdamW` and Keras' AdamW on PyTorch multiply the weight by 1 − fraction
    in the weight's precision. That rounding adds up in one direction. Without it the
    same settings would give other weights, by 1e-5 in 200 steps.
    """
    return 1 - (1 - fraction)


def rounded(x, dtype):
    """A float32 tensor rounded to a half-precision `dtype`."""
    return ops.cast(x, dtype)


def gradient(function, w):
    """The gradient of a scalar function at the tensor `w`."""
    with torch.enable_grad():
        point = w.detach().requires_grad_()
        value = function(point)
        if not value.requires_grad:  # it is a constant
            return torch.zeros_like(point)
        (slope,) = torch.autograd.grad(value, point, allow_unused=True)
    return torch.zeros_like(point) if slope is None else slope


def gpus():
    """The names of the GPUs that the backend can use."""
    count = torch.cuda.device_count()
    return [torch.cuda.get_device_name(index) for index in range(count)]


def largest_by(number, values, count):
    """For each number below `count` the largest of the values that have it.

    Keras' own `segment_max` goes through float32 here.
    """
    none = torch.zeros(count, dtype=values.dtype, device=values.device)
    return none.scatter_reduce(0, number.long(), values, "amax", include_self=False)


def running_sums(x):
    """The sums of the first, the first two, … entries along the last axis.

    Keras' own `cumsum` goes through float32 here, as do `matmul`, `minimum` and `mean`.
    """
    return torch.cumsum(x, dim=-1, dtype=x.dtype)
