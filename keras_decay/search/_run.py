"""Tasks are given to the engines, and their outcomes collected."""

from keras_decay.search import _sequential, _vectorized
from keras_decay.search._groups import Group, groups_of
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
    del n_jobs, memory
    outcomes = dict.fromkeys(tasks)
    report = Report()

    def finish(done, group):
        for task, outcome in done:
            outcome.group = group
            outcomes[task] = outcome
        if progress is not None:
            progress(sum(o is not None for o in outcomes.values()), len(outcomes))

    for number, group in enumerate(_groups(job, tasks, engine)):
        own = [task for task in outcomes if task.candidate in group.candidates]
        entry = {"candidates": group.candidates, "reason": group.reason}
        report.groups.append(entry)
        if group.reason is not None:
            entry |= {"engine": "sequential", "compilations": 0}
            for task in own:
                finish([(task, _sequential.train(job, task))], number)
            continue
        runner = _vectorized.Runner(job, group, own, _width(max_parallel, own))
        for chunk in runner.chunks:
            done = zip(chunk, runner.train(chunk), strict=True)
            finish(done, number)
        entry |= {
            "engine": "vectorized",
            "compilations": runner.program.compilations,
        }
    return [outcomes[task] for task in tasks], report


def _groups(job, tasks, engine):
    candidates = list(dict.fromkeys(task.candidate for task in tasks))
    if engine == "sequential":
        reason = "the sequential engine was asked for"
        return [Group([candidate], reason=reason) for candidate in candidates]
    return groups_of(job, candidates, tasks[0].seed)


def _width(max_parallel, tasks):
    return min(8 if max_parallel == "auto" else max_parallel, len(tasks))
