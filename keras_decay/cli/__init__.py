"""The command line: `keras-decay`, or `python -m keras_decay`.

Exit codes: 0 done; 2 a mistake in the arguments, found before anything is computed; 1
the work itself failed; 3 a run overfits, of `diagnose` alone; 130 interrupted. A
mistake is answered by one sentence, never by a traceback.
"""

import argparse
import contextlib
import os
import sys

import keras_decay
from keras_decay.cli import _audit, _convert, _diabetes, _experiment, _plot, diagnose
from keras_decay.cli._errors import Failure, UsageError
from keras_decay.experiments._interruption import interruptible
from keras_decay.experiments._output import OutputError
from keras_decay.ground import backend

PROGRAM = "keras-decay"
INTERRUPTED = 130


def main(arguments=None):
    """Runs the command line on `arguments`, those of the process by default.

    Returns:
        The exit code.
    """
    # A terminal that cannot write "±" shall show "?" rather than end the run.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.execute is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        with interruptible() as check:
            if options.needs_keras:
                load_keras()
            check()
            return options.execute(options, check)
    except UsageError as error:
        options.parser.error(str(error))
    except (Failure, OutputError, OSError) as error:
        print(f"{PROGRAM}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted; no results were written.", file=sys.stderr)
        return INTERRUPTED


def load_keras():
    """Imports Keras and its backend, or raises a `Failure` of one sentence."""
    quiet = "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with hushed() if quiet else contextlib.nullcontext():
            keras_decay.Penalty  # noqa: B018 - it is looked up for its error alone
            backend.current().gpus()
    except (ImportError, RuntimeError, ValueError) as error:
        raise Failure(str(error)) from error


@contextlib.contextmanager
def hushed():
    """Nothing reaches standard error, neither from Python nor from a library in C++.

    TensorFlow reports on its own start before it heeds any setting, a dozen lines.
    """
    with contextlib.ExitStack() as stack:
        try:
            saved = os.dup(2)
        except OSError:
            yield
            return
        stack.callback(os.close, saved)
        with open(os.devnull, "wb") as nowhere:
            sys.stderr.flush()
            os.dup2(nowhere.fileno(), 2)
        stack.callback(os.dup2, saved, 2)
        yield


def build_parser():
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Weight penalties and decoupled weight decay for Keras, on trial.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"{PROGRAM} {keras_decay.__version__}"
    )
    parser.set_defaults(execute=None, needs_keras=True)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, (add_options, execute, text) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text[:1].upper()}{text[1:]}.",
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
            allow_abbrev=False,
        )
        add_options(command)
        command.set_defaults(execute=execute, parser=command)
    return parser


# A further command is one line: its options, what it does, and its line in the help.
COMMANDS = {
    "diabetes": (
        _diabetes.add_options,
        _diabetes.run,
        "a network overfits real data, and weight decay cures it",
    ),
    **_experiment.commands(),
    "audit": (
        _audit.add_options,
        _audit.run,
        "which decay every variable of a saved model really undergoes",
    ),
    "plot": (
        _plot.add_options,
        _plot.run,
        "learning curves from files in one figure, and a verdict on each",
    ),
    "diagnose": (
        diagnose.add_options,
        diagnose.run,
        "a verdict on training logs of any program; exit code 3 where one overfits",
    ),
    "convert": (
        _convert.add_options,
        _convert.run,
        "what a strength means in another convention of λ",
    ),
}
