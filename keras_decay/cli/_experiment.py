"""The commands of the experiments, all alike: options, progress, tables, files."""

import functools
from importlib import import_module

from keras_decay.cli._options import add_output, results, whole_number
from keras_decay.experiments import COMMANDS, LARGEST_SEED


def commands():
    """name: (add_options, run, text), one for each experiment."""
    return {
        name: (functools.partial(add_options, name), functools.partial(run, name), text)
        for name, text in COMMANDS.items()
    }


def add_options(name, parser):
    parser.add_argument(
        "--seed",
        type=whole_number(0, LARGEST_SEED),
        default=0,
        metavar="S",
        help="of data, initial weights and the order of batches",
    )
    parser.add_argument(
        "--quick", action="store_true", help="the same on a smaller scale, in seconds"
    )
    add_output(parser, name, "figures and numbers")


def run(name, options, check):
    from keras_decay.experiments._findings import file_names
    from keras_decay.experiments._terminal import Terminal

    experiment = import_module(f"keras_decay.experiments.{name.replace('-', '_')}")
    terminal = Terminal()
    with results(options, file_names(experiment.FIGURES)) as staging:
        with terminal.progress() as show:

            def progress(what, done, total):
                check()
                show(what, done, total)

            found = experiment.run(
                seed=options.seed, quick=options.quick, progress=progress
            )
        found.save(staging)
        check()
    terminal.findings(found, options.out)
    return 0
