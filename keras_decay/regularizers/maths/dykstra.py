"""The proximal step of a sum of convex penalties by a Dykstra-like iteration.

Reference: Bauschke and Combettes, A Dykstra-like algorithm for two monotone operators,
2008.
"""

from keras import ops

from keras_decay.ground.arithmetic import is_double

MAX_CYCLES = 10_000


def dykstra(w, step, proximal_steps):
    """argmin_v ½‖v − w‖² + step · Σᵢ Ωᵢ(v), from each Ωᵢ's own proximal step.

    This is block coordinate ascent on the dual problem: qᵢ is the subgradient that Ωᵢ
    contributes, and v = w − Σᵢ qᵢ after each update.

    Args:
        w: A float32 or float64 tensor of any shape.
        step: Non-negative number or scalar tensor.
        proximal_steps: A function (w, step) for each Ωᵢ.
    """
    tolerance = (1e-14 if is_double(w) else 2e-7) * ops.max(ops.abs(w))

    def unfinished(cycle, change, v, *q):
        del v, q
        return ops.logical_and(cycle < MAX_CYCLES, change > tolerance)

    def run_cycle(cycle, change, v, *q):
        del change
        subgradients = list(q)
        for i, proximal_step in enumerate(proximal_steps):
            point = v + subgradients[i]
            v = proximal_step(point, step)
            subgradients[i] = point - v
        # The change of v says less: v may rest for many cycles far from the end.
        moved = [
            ops.max(ops.abs(new - old))
            for new, old in zip(subgradients, q, strict=True)
        ]
        return (cycle + 1, ops.max(ops.stack(moved)), v, *subgradients)

    start = (
        ops.convert_to_tensor(0, dtype="int32"),
        ops.convert_to_tensor(float("inf"), dtype=w.dtype),
        w,
        *(ops.zeros_like(w) for _ in proximal_steps),
    )
    return ops.while_loop(unfinished, run_cycle, start)[2]
