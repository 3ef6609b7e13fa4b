"""What all experiments have in common: arguments, files, figures, command, notebook."""

import dataclasses
import inspect
import json
from importlib import import_module

import pytest
from matplotlib.figure import Figure
from support import mostly_slow

from keras_decay import cli
from keras_decay.experiments import COMMANDS, _findings

ROOT = "keras_decay.experiments."


def module_of(name):
    return import_module(ROOT + name.replace("-", "_"))


# By default those that take a second or two.
@pytest.fixture(params=mostly_slow(COMMANDS, ["equivalence", "constraint"]))
def name(request):
    return request.param


def test_module_and_command_agree(name):
    experiment = module_of(name)
    assert name == experiment.NAME
    assert experiment.FIGURES[0] == name
    parameters = inspect.signature(experiment.run).parameters
    assert {p: parameters[p].default for p in parameters} == {
        "seed": 0,
        "quick": False,
        "progress": None,
    }
    assert name in cli.COMMANDS


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"seed": -1}, ValueError),
        ({"seed": 2**32}, ValueError),
        ({"seed": True}, TypeError),
        ({"seed": "0"}, TypeError),
        ({"quick": 1}, TypeError),
        ({"progress": "bar"}, TypeError),
    ],
)
def test_bad_arguments_are_named(name, wrong, error):
    ((argument, value),) = wrong.items()
    with pytest.raises(error, match=argument) as caught:
        module_of(name).run(**wrong)
    assert repr(value) in str(caught.value)


def test_findings_and_their_files(name, found, tmp_path):
    result = found(name)
    written = result.save(tmp_path)
    names = _findings.file_names(module_of(name).FIGURES)
    assert [path.name for path in written] == names
    assert all(
        path.stat().st_size > 5_000 for path in written if path.suffix != ".json"
    )
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["experiment"] == name
    assert content["arguments"] == {"seed": 0, "quick": True}
    assert content["files"] == names
    assert content["tables"] and content["sentences"] and content["numbers"]
    for table in result.tables:
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert len(table.rows) > 0
    with pytest.raises(ValueError, match="'other'"):
        result.draw("other")


@pytest.mark.needs("pandas")
def test_tables_as_data_frames(name, found):
    for table in found(name).tables:
        assert len(table.to_dataframe()) == len(table.rows)


def test_progress_is_told_to_the_end(name, found):
    found(name)
    steps = found.progress[name]
    assert len({what for what, _, _ in steps}) > 1
    done = [done / total for _, done, total in steps]
    assert done == sorted(done)
    assert done[0] == 0 and done[-1] == 1


def test_the_command(name, found, tmp_path, monkeypatch, capsys):
    """The command line around a result that is there already."""
    cheap = dict.fromkeys(module_of(name).FIGURES, Figure)  # saved twice
    result = dataclasses.replace(found(name), drawings=cheap)

    def run(*, seed, quick, progress):
        assert (seed, quick) == (7, True)
        progress("first", 0, 2)
        progress("second", 1, 2)
        return result

    monkeypatch.setattr(module_of(name), "run", run)
    monkeypatch.chdir(tmp_path)
    arguments = [name, "--quick", "--seed", "7"]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr()
    assert shown.err.splitlines() == ["first", "second"]
    for sentence in result.sentences:
        assert sentence in shown.out
    folder = tmp_path / f"keras-decay-{name}"
    files = _findings.file_names(module_of(name).FIGURES)
    assert sorted(path.name for path in folder.iterdir()) == sorted(files)
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "--force" in capsys.readouterr().err
    assert cli.main([*arguments, "--force"]) == 0


def test_a_failure_leaves_no_files(tmp_path, monkeypatch, capsys):
    name = next(iter(COMMANDS))

    def run(**arguments):
        arguments["progress"]("first", 0, 1)
        raise KeyboardInterrupt

    monkeypatch.setattr(module_of(name), "run", run)
    monkeypatch.chdir(tmp_path)
    assert cli.main([name]) == cli.INTERRUPTED
    assert list(tmp_path.iterdir()) == []
    assert "interrupted" in capsys.readouterr().err
