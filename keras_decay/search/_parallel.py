"""Chunks given to the workers of joblib, of whatever backend the user has chosen."""

import contextlib
import warnings

from keras_decay.search import _worker


def has_workers(n_jobs):
    """Whether there are others than this process to train, as joblib has it."""
    import joblib

    if n_jobs is None:
        return joblib.effective_n_jobs(None) > 1
    return n_jobs != 1


def trained(job, plans, chunks, seed, strict, n_jobs):
    """Train chunks, and yield the `Answer`s as they come.

    Args:
        job: The `Job`.
        plans: The `Plan` of each group, by its number.
        chunks: Pairs of a group's number and a list of tasks.
        seed: The seed by which models were compared.
        strict: As `Engine` takes it.
        n_jobs: As joblib takes it.
    """
    import joblib

    package, key = _worker.packed(job, plans, seed, strict)
    caller = _worker.here()
    calls = [
        joblib.delayed(_worker.train)(package, key, caller, number, tasks)
        for number, tasks in chunks
    ]
    how = {"n_jobs": n_jobs, "batch_size": 1}
    try:
        parallel = joblib.Parallel(**how, return_as="generator_unordered")
    except ValueError:  # a backend that returns all at once, as Ray's does
        yield from _in_rounds(joblib.Parallel(**how), calls, joblib)
        return
    answers = parallel(calls)
    with _closed(answers):
        yield from answers


def _in_rounds(parallel, calls, joblib):
    """As many chunks at a time as there are workers, so that some come early."""
    count = max(1, joblib.effective_n_jobs(parallel.n_jobs))
    with parallel:
        for first in range(0, len(calls), count):
            yield from parallel(calls[first : first + count])


@contextlib.contextmanager
def _closed(answers):
    """Stop the workers where not all answers were taken, without joblib's warning."""
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answers.close()
