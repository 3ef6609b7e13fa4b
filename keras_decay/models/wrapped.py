"""Optimizers within optimizers."""

import keras


def optimizers_within(optimizer):
    """The optimizer and all that it holds, each before those inside it."""
    found = [optimizer]
    for inner in _held(optimizer):
        found += optimizers_within(inner)
    return found


def parts_of(optimizer):
    """The optimizers that weights are given to: those in loss scaling and in parts.

    A `DecoupledWeightDecay` is one of them, and the optimizer that it wraps is not.
    """
    passing_on = _passing_on(optimizer)
    if not passing_on:
        return [optimizer]
    return [part for inner in passing_on for part in parts_of(inner)]


def innermost(optimizer):
    """The optimizer that makes the steps; one that has several parts is kept."""
    while len(held := _held(optimizer)) == 1:
        (optimizer,) = held
    return optimizer


def _held(optimizer):
    """The optimizers directly inside."""
    inner = getattr(optimizer, "optimizer", None)  # of a DecoupledWeightDecay
    if isinstance(inner, keras.optimizers.Optimizer):
        return [inner]
    return _passing_on(optimizer)


def _passing_on(optimizer):
    """The optimizers to which one of Keras' own wrappers passes weights on."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return [optimizer.inner_optimizer]
    several = getattr(keras.optimizers, "MultiOptimizer", None)  # new in Keras
    if several is not None and isinstance(optimizer, several):
        return list(optimizer.optimizers)
    return []
