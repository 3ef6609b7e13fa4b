"""The processor's cores, and sizes for accelerators that do not tell theirs."""

import os

# Bytes assumed for an accelerator that does not tell its memory.
UNKNOWN = 4 * 2**30
# Models that a compiled program trains at once on a core of a processor. The diabetes
# network takes as long per model with 2, 4, 8 or 16. Smaller ones gain by sharing
# operations.
WIDTH = 8


def cores():
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
