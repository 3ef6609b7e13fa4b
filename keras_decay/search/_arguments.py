"""What `sweep` and `DecaySearchCV` ask for alike."""

import numpy as np

from keras_decay.ground import validation
from keras_decay.search._work import Settings


def seeds_of(seeds):
    """A list of whole numbers: those given, or as many as asked for, from 0 on."""
    must = (
        "a whole number of at least 1, or a list of different whole numbers from 0 on"
    )
    if isinstance(seeds, (int, np.integer)):
        return list(range(validation.integer("seeds", seeds, minimum=1)))
    if isinstance(seeds, np.ndarray):
        seeds = seeds.tolist()
    if not isinstance(seeds, (list, tuple, range)):
        raise TypeError(validation.received("seeds", seeds, must))
    plain = [validation.integer("seeds", seed, minimum=0) for seed in seeds]
    if not plain or len(set(plain)) < len(plain):
        raise ValueError(validation.received("seeds", seeds, must))
    return plain


def settings_of(epochs, batch_size, shuffle, stopping, **outputs):
    """The `Settings`, checked."""
    return Settings(
        epochs=validation.integer("epochs", epochs, minimum=1),
        batch_size=validation.integer("batch_size", batch_size, minimum=1),
        shuffle=validation.boolean("shuffle", shuffle),
        stopping=stopping,
        **outputs,
    )


def engine_arguments(engine, max_parallel, n_jobs, memory):
    """The arguments that `run` takes, checked."""
    validation.choice("engine", engine, ("auto", "vectorized", "sequential"))
    if max_parallel != "auto":
        try:
            max_parallel = validation.integer("max_parallel", max_parallel, minimum=1)
        except TypeError as error:
            must = "'auto' or a whole number of at least 1"
            message = validation.received("max_parallel", max_parallel, must)
            raise TypeError(message) from error
    if n_jobs is not None and (
        isinstance(n_jobs, bool)
        or not isinstance(n_jobs, (int, np.integer))
        or not n_jobs
    ):
        must = "None or a whole number other than 0, as joblib takes it"
        raise ValueError(validation.received("n_jobs", n_jobs, must))
    return {
        "engine": engine,
        "max_parallel": max_parallel,
        "n_jobs": n_jobs,
        "memory": memory,
    }


def check_verbose(verbose):
    """Refuse what is neither "auto" nor True or False."""
    if verbose != "auto":
        validation.boolean("verbose", verbose)
