"""The notebooks run from a clean kernel, and carry the outputs of a run."""

from pathlib import Path

import keras
import pytest

pytestmark = pytest.mark.needs("nbformat", "nbclient", "ipykernel", "pandas")
FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.slow
@pytest.mark.written
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="a page is written for one backend",
)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path):
    import nbclient
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": FOLDER}}
    )
    client.execute()
    text, pictures = outputs(notebook)
    assert text and pictures
    if path.stem == "01_diabetes_overfitting":
        assert "overfitting since epoch" in text and len(pictures) >= 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_carries_its_outputs(path):
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    text, pictures = outputs(notebook)
    assert text and pictures
    assert "Traceback" not in text
    assert str(Path.home()) not in text and str(FOLDER.parent) not in text
    assert all(cell.get("execution_count") for cell in code_cells(notebook))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    """All printed text, and the pictures, of a notebook."""
    text, pictures = [], []
    for cell in code_cells(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            text.append(output.get("text", "") or data.get("text/plain", ""))
            pictures.extend(data[key] for key in ("image/png",) if key in data)
    return "\n".join(text), pictures
