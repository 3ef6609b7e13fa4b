"""`keras-decay diabetes`: the experiment, into a folder of results."""

import argparse

from keras_decay.cli._errors import UsageError
from keras_decay.cli._options import add_output, results, whole_number
from keras_decay.experiments import _arms


def arm_names(text):
    """A type for argparse: names of arms, separated by commas, or "all"."""
    if text.strip() == "all":
        return list(_arms.ARMS)
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in _arms.ARMS:
            raise argparse.ArgumentTypeError(
                f"must be all, or names out of {', '.join(_arms.ARMS)}, separated by "
                f"commas. Received: {name!r}"
            )
        if names.count(name) > 1:
            raise argparse.ArgumentTypeError(
                f"must name every arm once. Received: {name!r} twice"
            )
    return names


def add_options(parser):
    parser.add_argument(
        "--arms",
        type=arm_names,
        default=argparse.SUPPRESS,
        metavar="A,B,…",
        help=f"what to compare, out of {', '.join(_arms.ARMS)}; or all of them "
        f"(default: {','.join(_arms.DEFAULT_ARMS)}; with --quick "
        f"{','.join(_arms.QUICK_ARMS)})",
    )
    parser.add_argument(
        "--seeds",
        type=whole_number(1, 1000),
        default=1,
        metavar="N",
        help="seeds per arm; with several, means and bands are shown",
    )
    parser.add_argument(
        "--seed", type=whole_number(0), default=0, metavar="S", help="the first seed"
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--epochs",
        type=whole_number(1),
        # Not 100: argparse would take --epochs 100 for not given, and let it pass.
        default=argparse.SUPPRESS,
        metavar="N",
        help=f"per fit (default: {_arms.EPOCHS})",
    )
    length.add_argument(
        "--quick",
        action="store_true",
        help=f"the same on a smaller scale, in seconds: {_arms.QUICK_EPOCHS} epochs",
    )
    parser.add_argument(
        "--tune",
        action="store_true",
        help="choose λ of the arm l2 by cross-validation on the training rows of the "
        "first seed, and draw the validation curve; the arm tuned, where it is among "
        "the arms, is chosen so in any case, and l2 keeps its λ beside it",
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "gpu"), default="auto", help="where to run"
    )
    add_output(parser, "diabetes", "figure, numbers and curves")


def run(options, check):
    from keras_decay.experiments import diabetes
    from keras_decay.experiments._terminal import Terminal

    try:
        seeds = diabetes.check_seeds(options.seed, options.seeds)
    except ValueError as error:
        raise UsageError(f"argument --seed: {error}") from error
    try:
        diabetes.check_device(options.device)
    except ValueError as error:
        raise UsageError(f"argument --device: {error}") from error
    usual = _arms.QUICK_ARMS if options.quick else _arms.DEFAULT_ARMS
    arms = diabetes.check_arms(getattr(options, "arms", usual))
    usual_epochs = _arms.QUICK_EPOCHS if options.quick else _arms.EPOCHS
    epochs = getattr(options, "epochs", usual_epochs)
    tuned = diabetes.tuned_arm(arms)
    if options.tune and tuned is None:
        raise UsageError(
            "argument --tune: it chooses λ of the arm l2: add it to --arms"
        )
    tunes = options.tune or tuned == "tuned"
    names = diabetes.file_names(arms, seeds, tunes)
    terminal = Terminal()
    with results(options, names) as staging:
        tuning = None
        if tunes:
            tuning = diabetes.tune(
                seed=options.seed,
                epochs=epochs,
                device=options.device,
                verbose=True,
            )
            check()
        with terminal.progress() as show:

            def progress(at):
                check()
                show(
                    f"{at.arm}, seed {at.seed}: fit {at.fit} of {at.fits}",
                    (at.fit - 1) * at.epochs + at.epoch,
                    at.fits * at.epochs,
                    f"epoch {at.epoch}/{at.epochs}",
                )

            result = diabetes.run(
                [arm.name for arm in arms],
                seeds=options.seeds,
                seed=options.seed,
                epochs=epochs,
                device=options.device,
                tuning=tuning,
                progress=progress,
            )
        result.save(staging)
        check()
    terminal.report(result, options.out)
    return 0
