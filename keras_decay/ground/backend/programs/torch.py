"""PyTorch's side of the interface described in `programs`.

Nothing is compiled. Operations run one by one, each for all models at once, so that
PyTorch's cost of an operation arises once for all models.
"""

import functools

import keras
import torch

from keras_decay.ground.backend.programs.machine import UNKNOWN
from keras_decay.ground.backend.programs.optimizers import pure_class

COMPILES = ACCUMULATES = False
# Weights of all models together that are trained at once on a processor.
WEIGHTS = 2**21


def compiled(function):
    return torch.no_grad()(function)


def vectorized(function):
    return torch.vmap(function)


def repeat(count, body, carry):
    for i in range(int(count)):
        carry = body(i, carry)
    return carry


def choose(index, branches, carry):
    number = int(index)
    return branches[number - 1](carry) if number else carry


def value_and_gradients(function, values):
    slopes = torch.func.grad_and_value(function, has_aux=True)
    gradients, (value, others) = slopes(values)
    return value, others, gradients


def obstacle(model):
    for layer in model._flatten_layers():
        # It reads its own weights, whatever values a `keras.StatelessScope` has.
        if isinstance(layer, keras.layers.TorchModuleWrapper):
            return f"the layer {layer.name!r} is a module of PyTorch"
        # PyTorch's generators cannot be stacked.
        if _draws(layer) and type(layer) is not keras.layers.Dropout:
            return f"the layer {layer.name!r} draws random numbers, on PyTorch"
    return None


def _draws(layer):
    if not layer._seed_generators:
        return False
    # The cell of a recurrent layer has a generator whether it draws or not.
    rates = [vars(layer).get(name) for name in ("dropout", "recurrent_dropout")]
    return rates == [None, None] or any(rates)


def make_pure(model):
    for layer in model._flatten_layers():
        if type(layer) is keras.layers.Dropout and 0 < layer.rate < 1:
            call = functools.partial(_dropout, layer)
        elif hasattr(layer, "data_format"):
            call = functools.partial(_in_any_layout, layer.call)
        else:
            continue
        # Not by setattr: Keras would keep account of it.
        object.__setattr__(layer, "call", call)


def _in_any_layout(call, *arguments, **keywords):
    with _AnyLayout():
        return call(*arguments, **keywords)


class _AnyLayout(torch.overrides.TorchFunctionMode):
    """Keep the memory layout: Keras' layout for convolutions cannot be stacked."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.Tensor.is_contiguous and "memory_format" in kwargs:
            return True
        return func(*args, **kwargs)


def _dropout(layer, inputs, training=False):
    """`Dropout` with a mask that can be stacked."""
    if not training:
        return inputs
    state = layer.seed_generator.next()
    sizes = layer.noise_shape or (None,) * inputs.ndim
    shape = [n if m is None else m for n, m in zip(inputs.shape, sizes, strict=True)]
    kept = 1.0 - layer.rate
    mask = _Mask.apply(state.sum(), tuple(shape), kept)
    return torch.where(mask, inputs / kept, torch.zeros_like(inputs))


class _Mask(torch.autograd.Function):
    """The booleans that Keras draws with a seed; stacked seeds are drawn in turn."""

    @staticmethod
    def forward(seed, shape, chance):
        generator = torch.Generator(device=seed.device)
        generator.manual_seed(int(seed) & 0xFFFFFFFF)
        chances = torch.full(shape, chance, device=seed.device)
        return torch.bernoulli(chances, generator=generator).bool()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.mark_non_differentiable(output)

    @staticmethod
    def vmap(info, in_dims, seed, shape, chance):
        seeds = seed.movedim(in_dims[0], 0)
        return torch.stack([_Mask.apply(each, shape, chance) for each in seeds]), 0


def as_pure(optimizer):
    """An optimizer whose class does not bypass `keras.Variable`.

    On PyTorch Keras replaces each of its optimizers by a subclass that changes native
    tensors in place. The class that was asked for does the same by operations on
    variables. The subclass made here does without the overrides for PyTorch.
    """
    if optimizer.built:
        optimizer = type(optimizer).from_config(optimizer.get_config())
    native, base = keras.optimizers.Optimizer.__mro__[1:3]
    package = native.__module__.rpartition(".")[0]
    asked = next(c for c in type(optimizer).__mro__ if not _is_within(c, package))
    optimizer.__class__ = pure_class(asked, native, base)
    return optimizer


def _is_within(cls, package):
    return cls.__module__.startswith(package + ".")


def concurrency():
    # An operation uses all cores by itself.
    return 1


def width(weights):
    # With more models an operation costs less for each, until they outgrow the cache.
    return min(max(WEIGHTS // max(weights, 1), 8), 128)


def free_memory():
    if not torch.cuda.is_available():
        return None
    free, _ = torch.cuda.mem_get_info()
    return free or UNKNOWN


def set_within(stack, index, value):
    stack = stack.clone()
    stack[:, index] = value
    return stack


def precision():
    """The precision of float32 products, on devices that offer a choice."""
    return torch.get_float32_matmul_precision()


def set_precision(precision):
    torch.set_float32_matmul_precision(precision)
