"""How many tasks of a group are trained at once."""

import math

from keras_decay.ground.backend import programs

# Of what a device has free, the share that a chunk may take by the estimate below.
SHARE = 0.5
# Of a number: float64's, which leaves float32 room for what is not counted.
BYTES = 8


def width_of(max_parallel, job, group, tasks):
    """The number of tasks in a chunk.

    Args:
        max_parallel: The largest number of tasks, or "auto": what keeps all cores of a
            processor busy, or what a device's memory holds.
        job: The `Job`.
        group: The `Group`.
        tasks: All tasks of the group.
    """
    if max_parallel != "auto":
        return min(int(max_parallel), len(tasks))
    if group.step is None:
        return 1
    backend = programs.current()
    free = backend.free_memory()
    if free is None:
        weights = sum(math.prod(v.shape) for v in group.step.variables.trainable)
        return min(backend.width(weights) * backend.concurrency(), len(tasks))
    fits = int(SHARE * free // bytes_of_task(job, group))
    return max(1, min(fits, len(tasks)))


def bytes_of_task(job, group):
    """An estimate of what the training of one task takes on the device.

    Its state before and after a step, its gradients, and the outputs of layers that
    are vectors. Other layers may take more: a chunk that does not fit is halved.
    """
    state = [value for part in group.step.variables[:3] for value in part]
    trainable = group.step.variables.trainable
    outputs = sum(v.shape[-1] for v in trainable if len(v.shape))
    numbers = 2 * sum(math.prod(v.shape) for v in state)
    numbers += sum(math.prod(v.shape) for v in trainable)
    numbers += 4 * job.settings.batch_size * outputs
    return BYTES * numbers
