"""What a command prints and what its experiment finds, for tests that look at both."""

import contextlib
import io
import os
from importlib import import_module
from typing import Any, NamedTuple

import pytest

from keras_decay import cli

WIDTH = 80


class Done(NamedTuple):
    """A command that has ended.

    Attributes:
        code: Its exit code.
        out, err: What it wrote.
        result: What `run` of its experiment returned, or None.
    """

    code: int
    out: str
    err: str
    result: Any = None


def run(arguments, folder, *, terminal=False):
    """Run a command in this process, in a folder, on a screen of 80 columns.

    Args:
        arguments: A list of texts.
        folder: Where it runs.
        terminal: Whether it writes to a terminal, as far as it can tell.

    Returns:
        A `Done` without a result.
    """
    out, err = io.StringIO(), io.StringIO()
    before = os.getcwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(WIDTH))
        patch.setenv("LINES", "25")
        patch.delenv("NO_COLOR", raising=False)
        patch.delenv("FORCE_COLOR", raising=False)
        if terminal:
            patch.setenv("FORCE_COLOR", "1")
            patch.setenv("TERM", "xterm")
        patch.chdir(folder)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = cli.main(arguments)
            except SystemExit as end:
                code = end.code
    assert os.getcwd() == before
    return Done(code, out.getvalue(), err.getvalue())


class Commanded:
    """`commanded(name, *arguments)`: the `Done` of an experiment, run once.

    Args:
        found: The fixture of that name, whose results are not computed again.
        folder: A function that makes a folder.
    """

    def __init__(self, found, folder):
        self._found, self._folder = found, folder
        self._done = {}

    def __call__(self, name, *arguments):
        key = (name, *arguments)
        if key not in self._done:
            self._done[key] = self._run(name, arguments)
        return self._done[key]

    def _run(self, name, arguments):
        module = import_module(f"keras_decay.experiments.{name.replace('-', '_')}")
        compute, kept = module.run, []
        if arguments == ("--quick",) and name != "diabetes":
            result = self._found(name)

            def compute(*, progress, **_):
                for step in self._found.progress[name]:
                    progress(*step)
                return result

        def run_and_keep(*args, **how):
            kept.append(compute(*args, **how))
            return kept[-1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "run", run_and_keep)
            done = run([name, *arguments], self._folder())
        return done._replace(result=kept[-1])
