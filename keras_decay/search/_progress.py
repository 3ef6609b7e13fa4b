"""What a search shows of its progress."""

import contextlib
import importlib.util
import time

STEPS = 10  # lines, where there is no terminal


@contextlib.contextmanager
def progress(verbose, what):
    """A function of (done, total) for `run`, or None where nothing is to be shown.

    Args:
        verbose: True for a bar on a terminal and in a notebook, and plain lines
            elsewhere; "auto" for the bar alone; False for nothing.
        what: What is counted, such as "trainings".
    """
    if verbose is False:
        yield None
        return
    from rich.console import Console

    from keras_decay.ground.progress import progress_bar

    console = Console(highlight=False, markup=False, stderr=True)
    if console.is_terminal or _has_widgets(console):
        with progress_bar(console, what) as bar:
            yield lambda done, total: bar(what, done, total, f"{done}/{total}")
    elif verbose == "auto":
        yield None
    else:
        yield _Lines(console, what)


class _Lines:
    """A line for every tenth of the work."""

    def __init__(self, console, what):
        self._console, self._what = console, what
        self._first, self._written = None, 0

    def __call__(self, done, total):
        now = time.perf_counter()
        if self._first is None:
            # What was found done, or took a compilation, tells nothing of the speed.
            self._first = now, done
        tenth = STEPS * done // max(total, 1)
        if tenth <= self._written:
            return
        self._written = tenth
        start, before = self._first
        ending = ""
        if before < done < total:
            left = (now - start) * (total - done) / (done - before)
            ending = f", {left:.0f} s left"
        text = f"{done} of {total} {self._what}{ending}"
        self._console.print(text, soft_wrap=True)


def _has_widgets(console):
    """Whether this is a notebook in which rich can move a bar."""
    return console.is_jupyter and importlib.util.find_spec("ipywidgets") is not None
