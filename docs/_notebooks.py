"""A hook of the site's build: the notebooks beside docs/ become pages of it.

They are rendered as they are committed, with the outputs that they carry; that these
come of a run is what the tests of the notebooks look at.

Links of the pages are written for a reader of the repository: those to notebooks become
links to the pages, others out of docs/ the name of the file.
"""

import re
from pathlib import Path

import nbformat
from mkdocs.structure.files import File
from nbconvert import MarkdownExporter

FOLDER = Path(__file__).parent.parent / "notebooks"
PAGES = sorted(FOLDER.glob("*.ipynb"))


def on_config(config):
    """List them below the page on the experiments."""
    for section in config.nav:
        if isinstance(section, dict) and "Experiments" in section:
            section["Experiments"] += [f"notebooks/{p.stem}.md" for p in PAGES]
    return config


def on_files(files, config):
    """Give each as Markdown, and its pictures beside it."""
    for path in PAGES:
        text, found = MarkdownExporter().from_notebook_node(
            quiet(nbformat.read(path, as_version=4)), {"output_files_dir": path.stem}
        )
        pages = {f"{path.stem}.md": text, **found["outputs"]}
        for name, content in pages.items():
            uri = f"notebooks/{name}"
            files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turn the links that leave docs/."""
    if page.file.src_uri.startswith("notebooks/"):
        return markdown
    inside = re.sub(r"\]\(\.\./(notebooks/\w+)\.ipynb\)", r"](\1.md)", markdown)
    return re.sub(r"\[[^\]]+\]\(\.\./(\w[^)]*)\)", r"`\1`", inside)


def quiet(notebook):
    """Without what the backend tells of itself."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    return notebook
