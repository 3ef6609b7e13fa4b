"""torch.compile on PyTorch, where it fails and where it does not pay.

Where it works it is held to the bare optimizer in test_every_optimizer.
"""

import keras
import numpy as np
import pytest
from support import recent_keras, recorded_gradients, replay

import keras_decay as kd

if keras.backend.backend() != "torch":
    pytest.skip("about torch.compile", allow_module_level=True)
import torch

START, GRADIENTS = recorded_gradients(3)


def wrapped(inner, weight_decay):
    rules = [(".*", weight_decay)]
    return kd.DecoupledWeightDecay(inner, rules=rules, jit_compile=True)


def programs(optimizer):
    return list(optimizer._compiled_steps._compiled.values())


def test_without_a_compiler_the_step_runs_uncompiled():
    expected = replay(
        kd.DecoupledWeightDecay(keras.optimizers.SGD(0.1), rules=[(".*", 0.5)]),
        START,
        GRADIENTS,
    )
    optimizer = wrapped(keras.optimizers.SGD(0.1), 0.5)
    broken = {"cpp.cxx": (None, "/no/compiler"), "force_disable_caches": True}
    with torch._inductor.config.patch(broken):
        after = replay(optimizer, START, GRADIENTS)
    for name in expected:
        np.testing.assert_array_equal(after[name], expected[name])
    assert [program.works() for program in programs(optimizer)] == [False]


@recent_keras
def test_group_penalties_and_l2_balls_are_compiled():
    ball = {"dense/kernel": kd.NormBall(0.5, axis=-1)}
    results = []
    for jit_compile in (True, False):
        optimizer = kd.DecoupledWeightDecay(
            keras.optimizers.SGD(0.1),
            penalty=kd.GroupLasso(0.1),
            jit_compile=jit_compile,
        )
        results.append(replay(optimizer, START, GRADIENTS, constraints=ball))
        assert all(program.works() for program in programs(optimizer))
        assert len(programs(optimizer)) == jit_compile
    for name in START:
        np.testing.assert_allclose(*(r[name] for r in results), rtol=1e-5, atol=1e-7)


def test_small_variables_are_not_compiled_by_default():
    optimizer = kd.SGDW(0.1, 0.1)
    replay(optimizer, START, GRADIENTS[:1])
    assert programs(optimizer) == []
