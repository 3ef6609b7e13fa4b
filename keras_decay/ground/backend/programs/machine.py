"""What is known of the machine."""

import os

# Bytes that an accelerator is taken to have where it does not tell.
UNKNOWN = 4 * 2**30
# Models that a compiled program is run for at once on a core of a processor. The
# diabetes network takes as long per model with 2, 4, 8 or 16; smaller ones gain by
# sharing operations.
WIDTH = 8


def cores():
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
