"""The code of Markdown pages, run as it stands there."""

import contextlib
import doctest
import io
import re

BLOCK = re.compile(r"(?:^<!-- (.*?) -->\n)?^```(\w+)\n(.*?)^```$", re.M | re.S)
# How training is made short; what a page claims of its results is not looked at then.
SHORTER = (
    (r"\bepochs=\d+", "epochs=2"),
    (r'"epochs": \d+', '"epochs": 2'),
    (r"\bcv=\d+", "cv=2"),
    (r"\bseeds=\d+", "seeds=1"),
)


def blocks(text):
    """(comment before it or None, language, body) of each block of code."""
    return [(m[1] or None, m[2], m[3]) for m in BLOCK.finditer(text)]


def code(text, language="python"):
    """The bodies of the blocks in a language."""
    return [body for _, kind, body in blocks(text) if kind == language]


def has_code(text):
    """Whether a page has anything to run."""
    return bool(code(text) or code(text, "pycon"))


def shortened(source):
    """The source with few epochs, folds and seeds."""
    for pattern, replacement in SHORTER:
        source = re.sub(pattern, replacement, source)
    return source


def run_page(text, name):
    """Run a page's code from its top to its end, starting from nothing.

    What stands in a block of text right below code is what the code prints. Sessions
    (`pycon`) print what they show. A block under a comment that begins with "not run:",
    and tells why, is only compiled.
    """
    names = {"__name__": "__main__"}
    found = blocks(text)
    for (comment, kind, body), following in zip(found, [*found[1:], None], strict=True):
        if kind == "pycon":
            run_session(body, names, name)
        if kind != "python":
            continue
        program = compile(shortened(body), name, "exec")
        if comment and comment.startswith("not run: "):
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(program, names)
        if following and following[1] == "text":
            assert printed.getvalue().strip() == following[2].strip(), body


def run_session(body, names, name):
    """Run an interactive session, which must print what it shows."""
    test = doctest.DocTestParser().get_doctest(body, names, name, None, 0)
    assert test.examples
    runner = doctest.DocTestRunner(verbose=False)
    told = io.StringIO()
    runner.run(test, out=told.write, clear_globs=False)
    names.update(test.globs)
    assert not runner.summarize(verbose=False).failed, told.getvalue()
