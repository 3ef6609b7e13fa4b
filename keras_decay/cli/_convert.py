"""`keras-decay convert`: what a strength means in another convention of λ.

It is arithmetic, and starts without Keras.
"""

import argparse
import re
import textwrap

from keras_decay.cli._errors import UsageError
from keras_decay.cli._options import positive_number, whole_number
from keras_decay.conventions import (
    CONVENTIONS,
    Missing,
    Refused,
    convert,
    find_convention,
)
from keras_decay.ground import tables

WIDTH = 80
# Arguments of `convert`, as the command line calls them.
SPELLING = {"value": "VALUE", "source": "--from", "target": "--to"}
GIVEN = {
    "learning_rate": (positive_number, "η", "the learning rate, or η_0 of a schedule"),
    "n_samples": (whole_number(1), "n", "training samples"),
    "batch_size": (whole_number(1), "b", "samples in a batch"),
    "epochs": (whole_number(1), "T", "epochs of the whole training"),
    "noise_variance": (positive_number, "s²", "variance of the targets' noise"),
}
SPELLING |= {name: "--" + name.replace("_", "-") for name in ("optimizer", *GIVEN)}
SPELLING["n_outputs"] = "--n-outputs"


def add_options(parser):
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.set_defaults(needs_keras=False)
    parser.description = (
        "What a strength means in another convention of λ. With --to the number alone\n"
        "is printed, without it a table of all conventions that can be reached."
    )
    parser.epilog = "conventions:\n" + "\n".join(
        f"  {name:20}  {entry.definition}\n  {'':20}  {used(entry)}"
        for name, entry in CONVENTIONS.items()
    )
    parser.add_argument("value", metavar="VALUE", help="the strength")
    parser.add_argument(
        "--from",
        dest="source",
        type=convention("--from"),
        required=True,
        metavar="NAME",
        help="the convention of VALUE",
    )
    parser.add_argument(
        "--to",
        dest="target",
        type=convention("--to"),
        metavar="NAME",
        help="the convention wanted (default: every one)",
    )
    parser.add_argument(
        "--optimizer",
        metavar="NAME",
        help="from a loss to a step or back only 'sgd' will do, without momentum",
    )
    for name, (kind, letter, text) in GIVEN.items():
        parser.add_argument(SPELLING[name], type=kind, metavar=letter, help=text)
    parser.add_argument(
        "--n-outputs",
        type=whole_number(1),
        default=1,
        metavar="k",
        help="outputs of the model (default: 1)",
    )


def used(entry):
    """Where a convention is met, and its other names."""
    if not entry.aliases:
        return entry.used_by
    return f"{entry.used_by}; also {', '.join(entry.aliases)}"


def convention(option):
    """A type for argparse: the name of a convention."""

    def checked(text):
        try:
            return find_convention(option, text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(
                str(error).removeprefix(f"`{option}` ")
            ) from error

    return checked


def run(options, check):
    try:
        value = float(options.value)
    except ValueError:
        value = options.value  # refused in the words of `convert`
    given = {name: getattr(options, name) for name in ("optimizer", *GIVEN)}
    given["n_outputs"] = options.n_outputs
    try:
        if options.target is not None:
            print(repr(convert(value, options.source, options.target, **given)))
            return 0
        # What is wrong with the value or an option is wrong for every convention.
        convert(value, options.source, options.source, **given)
    except (TypeError, ValueError) as error:
        raise UsageError(in_options(error)) from error
    print(table(value, options.source, given))
    return 0


def in_options(error):
    """The message of an error of `convert`, in terms of the command line."""
    text = re.sub(r"`(\w+)`", lambda m: SPELLING.get(m[1], m[0]), str(error))
    if isinstance(error, Missing):  # that is all that "Received" says
        return text.partition(" Received: ")[0]
    text = re.sub(r"Received: \w+=", "Received: ", text)
    return f"argument {text.replace(' must', ': must', 1)}"


def table(value, source, given):
    """Every convention that can be reached, and below it what the others need."""
    rows = []
    needing: dict[str, list] = {}
    refused: dict[str, list] = {}
    without = []
    for name, entry in CONVENTIONS.items():
        try:
            strength = convert(value, source, name, **given)
        except Missing as error:
            options = " ".join(SPELLING[need] for need in error.names)
            options = options.replace("--optimizer", "--optimizer sgd")
            needing.setdefault(options, []).append(name)
        except Refused as error:
            refused.setdefault(error.reason, []).append(name)
        except ValueError:
            without.append(name)
        else:
            rows.append((name, f"{strength:.6g}", entry.definition))
    columns = [
        tables.Column("convention"),
        tables.Column("strength", is_number=True),
        tables.Column("definition", wraps=True),
    ]
    lines = [tables.text_table(columns, rows, WIDTH)]
    if needing:
        lines += ["", "With further options:"]
        for options, names in needing.items():
            lines += [f"  {options}", wrapped(", ".join(names), "      ")]
    if without:
        lines += ["", wrapped(f"No finite number as {', '.join(without)}.")]
    for reason, names in refused.items():
        lines += ["", wrapped(f"Not into {', '.join(names)}: {reason}")]
    return "\n".join(lines)


def wrapped(text, indent=""):
    return textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent or "  "
    )
