"""Every line that a command prints fits into 80 columns, on a terminal and in a pipe.

What passes them today and is to be mended stands in `SEEN`.
"""

import json

import keras
import pytest
import stand_ins
from commanded import run
from printed import lines_of, too_wide, width_of
from support import once

import keras_decay as kd
from keras_decay import cli
from keras_decay.experiments import COMMANDS

SENTENCE = "sentences are not wrapped where there is no terminal"
FILES = "the line that names the files is not wrapped"
ERROR = "messages of errors are not wrapped"
VERDICT = "a verdict stands in one line with the path of its file"


def test_width_is_that_of_a_terminal():
    assert width_of("Σw² ≤ θ, λ′ → 10⁻³ ─┤⠿") == 22
    assert width_of("損失") == 4
    assert width_of("e\u0301tude\u200b") == 5
    assert width_of("a\tb") == 9


def test_codes_take_no_room_and_carriage_returns_part_lines():
    assert lines_of("\x1b[1;31mred\x1b[0m\x1b[2K\rbar\x1b[?25l\nend") == [
        "red",
        "bar",
        "end",
    ]
    assert too_wide("=" * 80 + "\r" + "=" * 80 + "\n\x1b[2m" + "x" * 80) == []
    assert too_wide("fine\n" + "x" * 81) == ["x" * 81]
    assert too_wide("損" * 41) == ["損" * 41]


def both(done):
    """The lines beyond 80 columns on either stream, and no traceback."""
    assert "Traceback" not in done.err
    return too_wide(done.out) + too_wide(done.err)


def cases(names, seen):
    """A parameter for each, with what is seen of it."""
    marks = {
        n: [pytest.mark.xfail(strict=True, raises=AssertionError, reason=seen[n])]
        for n in seen
    }
    return [pytest.param(name, marks=marks.get(name, []), id=name) for name in names]


# help ---------------------------------------------------------------------------------

HELP_SEEN = {"convert": "the definitions of the conventions are not wrapped"}


@pytest.mark.parametrize("command", cases(["", *cli.COMMANDS], HELP_SEEN))
def test_help(command, tmp_path):
    done = run([*command.split(), "--help"], tmp_path)
    assert done.code == 0
    assert both(done) == []


# mistakes -----------------------------------------------------------------------------

MISTAKES = [
    "",
    "diabetis",
    "--verbose",
    "diabetes --arms none,l3",
    "diabetes --seeds 0",
    "diabetes --epochs 1e3",
    "diabetes --quick --epochs 5",
    "diabetes --device tpu",
    "diabetes --tune --arms none",
    "diabetes --seed 4294967296",
    "diabetes --out no/folder/at/all.txt/x --quick",
    *(f"{name} --seed -1" for name in COMMANDS),
    "prior --epochs 3",
    "audit",
    "audit a-model-with-quite-a-long-name/that-does-not-exist/anywhere-at-all.keras",
    "audit torn.keras",
    "plot",
    "plot none.jsonl -o x.svg",
    "plot a.jsonl -o x.gif",
    "plot a.jsonl -o x.svg --metric f1",
    "plot no-curve.jsonl -o x.svg",
    "plot empty.jsonl -o x.svg",
    "convert",
    "convert 1 --from l3",
    "convert 1 --from torch_weight_decay",
    "convert 1 --from l2 --to lassso_alpha",
    "convert 1 --from l1 --to l2",
    "convert 1 --from l2 --to adamw --optimizer adam",
    "convert 1 --from adamw --to normalized",
    "convert ten --from l2",
]
FIT = [
    "",
    "--verbose",
    "prior --epochs 3",
    "audit",
    "plot",
    "plot none.jsonl -o x.svg",
    "plot empty.jsonl -o x.svg",
    "convert",
]
MISTAKES_SEEN = {line: ERROR for line in MISTAKES if line not in FIT}


@pytest.mark.parametrize("line", cases(MISTAKES, MISTAKES_SEEN))
def test_mistakes(line, tmp_path):
    rows = ({"epoch": e, "loss": 1.0, "acc": 0.5} for e in range(5))
    write(tmp_path / "a.jsonl", rows)
    (tmp_path / "no").mkdir()
    (tmp_path / "no" / "folder").write_text("a file")
    (tmp_path / "no-curve.jsonl").write_text("no curve\n")
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "torn.keras").write_bytes(b"PK\x03\x04 torn")
    done = run(line.split(), tmp_path)
    assert done.code in (1, 2)
    assert both(done) == []


def write(path, rows):
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


# convert, plot, audit -----------------------------------------------------------------

CONVERT = [
    "convert 0.01 --from torch_adamw --to l2 --optimizer sgd",
    "convert 0.01 --from adamw --learning-rate 0.001",
    "convert 0.01 --from adamw --learning-rate 0.001 --optimizer lion",
    "convert 1e-5 --from l2 --n-samples 1000000 --batch-size 128 --epochs 100 "
    "--learning-rate 0.001 --noise-variance 0.123456789 --optimizer sgd",
    "convert 0 --from l2 --n-samples 9",
    "convert 1e-300 --from lasso_alpha",
]


@pytest.mark.parametrize("line", cases(CONVERT, {}))
def test_convert(line, tmp_path):
    done = run(line.split(), tmp_path)
    assert done.code == 0
    assert both(done) == []


PLOTS = {
    "one": ["a.jsonl"],
    "long paths": [f"{'experiment-of-the-year/' * 4}a-run-with-its-settings.jsonl"],
    "names": ["no penalty=a.jsonl", f"{'very ' * 20}long=b.jsonl"],
}
PLOTS_SEEN = dict.fromkeys(PLOTS, VERDICT)


@once
@pytest.mark.parametrize("name", cases(PLOTS, PLOTS_SEEN))
def test_plot(name, tmp_path):
    rows = [
        {"epoch": e, "loss": 0.9**e, "val_loss": 1 + abs(e - 10) / 20}
        for e in range(40)
    ]
    for text in PLOTS[name]:
        write(tmp_path / text.split("=")[-1], rows)
    done = run(["plot", *PLOTS[name], "-o", "all.svg"], tmp_path)
    assert done.code == 0
    assert both(done) == []


def long_model(head="the_head_of_a_model_that_has_a_name"):
    """A model with many mistakes, at paths that are long."""
    layers = keras.layers
    inner = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(
                5,
                name="projection_of_the_attention_in_the_block",
                kernel_regularizer=keras.regularizers.L2(0.1),
                bias_regularizer="l2",
                activity_regularizer="l1",
            ),
            layers.LayerNormalization(name="normalization_after_it"),
            layers.Dense(1, name=head, kernel_regularizer=kd.L1(0.01)),
        ],
        name="a_block_of_the_encoder_with_a_long_name",
    )
    inputs = keras.Input((4,))
    model = keras.Model(inputs, inner(inputs))
    model.compile(keras.optimizers.AdamW(weight_decay=0.1), "mse")
    return model


AUDITS = {
    "audit": [],
    "audit of a run": ["--steps-per-epoch", "100", "--epochs", "1000"],
    "wide": [],
    "saved far away": ["--out", "a-folder-with-a-long-name/" * 4 + "results"],
}
AUDITS_SEEN = {"saved far away": FILES}


@once
@pytest.mark.parametrize("name", cases(AUDITS, AUDITS_SEEN))
def test_audit(name, tmp_path):
    path = (
        tmp_path / "a-model-of-somebody-who-likes-long-names-for-files-and-more.keras"
    )
    model = long_model("損失の頭") if name == "wide" else long_model()
    model.save(path)
    done = run(["audit", path.name, *AUDITS[name]], tmp_path)
    assert done.code == 0 and "warning" in done.out.lower()
    assert both(done) == []


# experiments --------------------------------------------------------------------------

# With stand-ins for the trainings: what is printed, and of how much, is the same.
COMMAND_LINES = [
    *(f"{name} {options}".strip() for name in COMMANDS for options in ("--quick", "")),
    "diabetes --quick",
    "diabetes --quick --tune",
    "diabetes --arms all --quick",
    "diabetes --arms all --seeds 3 --epochs 100",
]
# The fast suite has one of each kind.
FAST = ("which-decay", "decoupling --quick", "diabetes --quick")


class Printed:
    """`printed(line, terminal)`: the command line with stand-ins, run once."""

    def __init__(self, folder):
        self._folder, self._done = folder, {}

    def __call__(self, line, terminal):
        key = (line, terminal)
        if key not in self._done:
            with pytest.MonkeyPatch.context() as patch:
                self._done[key] = self._run(patch, line, terminal)
        return self._done[key]

    def _run(self, patch, line, terminal):
        name, *options = line.split()
        stand_ins.install(patch, name)
        for module in ("_findings", "_report"):
            target = f"keras_decay.experiments.{module}.save_figures"
            patch.setattr(target, _save_nothing)
        done = run([name, *options], self._folder(), terminal=terminal)
        assert done.code == 0, done.err
        return done


def _save_nothing(figures, folder, *, salt):
    """In place of `save_figures`: empty files of the same names."""
    for name in figures:
        for suffix in ("png", "svg"):
            (folder / f"{name}.{suffix}").touch()


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    return Printed(lambda: tmp_path_factory.mktemp("printed"))


def lines_in(seen, but=()):
    """A parameter for each command line, with what is seen of all `but` some."""
    found = []
    for line in COMMAND_LINES:
        is_seen = seen is not None and line not in but
        marks = (
            [pytest.mark.xfail(strict=True, raises=AssertionError, reason=seen)]
            if is_seen
            else []
        )
        marks += [pytest.mark.slow] if line not in FAST else []
        found.append(pytest.param(line, marks=marks))
    return found


def is_sentence(line):
    return line.startswith("• ")


def names_files(line):
    return " s on " in line and ". In keras-decay-" in line


@once
@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize("line", lines_in(None))
def test_tables_and_progress(line, terminal, printed):
    """All but the two kinds of lines below."""
    wide = both(printed(line, terminal))
    kinds = [names_files] if terminal else [names_files, is_sentence]
    assert [text for text in wide if not any(is_it(text) for is_it in kinds)] == []


@once
@pytest.mark.parametrize("line", lines_in(SENTENCE, but=["which-decay --quick"]))
def test_sentences_in_a_pipe(line, printed):
    done = printed(line, False)
    assert any(map(is_sentence, lines_of(done.out)))
    assert [text for text in both(done) if is_sentence(text)] == []


@once
@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize("line", lines_in(FILES))
def test_the_line_that_names_the_files(line, terminal, printed):
    assert [text for text in both(printed(line, terminal)) if names_files(text)] == []


@once
@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="full", marks=pytest.mark.full),
        pytest.param(("--quick",), id="quick"),
    ],
)
@pytest.mark.parametrize("name", COMMANDS)
def test_tables_and_progress_as_trained(name, options, commanded):
    wide = both(commanded(name, *options))
    assert [t for t in wide if not is_sentence(t) and not names_files(t)] == []


@once
@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ("--quick",),
        ("--quick", "--arms", "all"),
        pytest.param(("--arms", "all"), marks=pytest.mark.full),
        ("--quick", "--tune"),
    ],
    ids=" ".join,
)
def test_tables_and_progress_of_diabetes_as_trained(options, commanded):
    wide = both(commanded("diabetes", *options))
    assert [t for t in wide if not is_sentence(t) and not names_files(t)] == []
