"""A package's source as its guards see it: modules, rooms, and who uses what of whom.

Nothing is imported: everything is read off the files.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Use:
    """One import, or one attribute of an imported module.

    Attributes:
        by: The module that uses it.
        module: The module of the package that is used.
        name: What is taken from that module; None for the module itself.
        typing: Whether only a type checker sees it.
    """

    by: str
    module: str
    name: str | None
    typing: bool = False

    @property
    def what(self):
        """The name that is taken, or the last one of the module's, bare."""
        return (self.name or self.module.rpartition(".")[2]).lstrip("_")


class Source:
    """What one file says, found in one pass.

    Attributes:
        body: Its statements.
        imports: Its imports, each with whether it stands under `if TYPE_CHECKING`.
        chains: Every `a.b.c` of plain names, as far as it goes.
        texts: Its strings.
        classes: The names of its classes.
    """

    def __init__(self, text: str):
        parsed = ast.parse(text)
        self.body = parsed.body
        self.imports: list[tuple[ast.Import | ast.ImportFrom, bool]] = []
        self.chains: set[str] = set()
        self.texts: list[str] = []
        self.classes: list[str] = []
        guarded: set[ast.AST] = set()
        pending: list[ast.AST] = [parsed]
        while pending:
            node = pending.pop()
            if isinstance(node, ast.Attribute):
                names = []
                while isinstance(node, ast.Attribute):
                    names.append(node.attr)
                    node = node.value
                if isinstance(node, ast.Name):
                    self.chains.add(".".join([node.id, *reversed(names)]))
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                self.imports.append((node, node in guarded))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.texts.append(node.value)
            elif isinstance(node, ast.ClassDef):
                self.classes.append(node.name)
            elif isinstance(node, ast.If) and _is_for_types(node.test):
                guarded |= {inner for each in node.body for inner in ast.walk(each)}
            for field in node._fields:
                value = getattr(node, field, None)
                if isinstance(value, list):
                    pending += [each for each in value if isinstance(each, ast.AST)]
                elif isinstance(value, ast.AST):
                    pending.append(value)


def _is_for_types(test):
    return "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))


class Tree:
    """The modules of a package.

    Args:
        folder: The package's folder.

    Attributes:
        package: Its name.
        files: The path of each module, by dotted name. A room's is its `__init__.py`.
        rooms: The names of the rooms: the folders, the package's own left out.
    """

    def __init__(self, folder: Path):
        self.package = folder.name
        self.files = {}
        self.rooms = set()
        for path in sorted(folder.rglob("*.py")):
            parts = [self.package, *path.relative_to(folder).with_suffix("").parts]
            if parts[-1] == "__init__":
                parts.pop()
                if len(parts) > 1:
                    self.rooms.add(".".join(parts))
            self.files[".".join(parts)] = path

    @cached_property
    def sources(self) -> dict[str, Source]:
        return {module: Source(path.read_text()) for module, path in self.files.items()}

    @cached_property
    def uses(self) -> list[Use]:
        """Everything that a module of the package uses of another."""
        return [
            use
            for module, source in self.sources.items()
            for use in self.uses_of(source, module)
            if use.module != module
        ]

    def uses_of(self, source: Source, by: str) -> Iterator[Use]:
        """What one file uses of the package, wherever in it."""
        bound: dict[str, str] = {}
        for node, typing in source.imports:
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"relative import in {by}"
                for alias in node.names:
                    use = self.resolved(f"{node.module}.{alias.name}", by, typing)
                    if use is not None:
                        yield use
                        if use.name is None:
                            bound[alias.asname or alias.name] = use.module
            else:
                for alias in node.names:
                    use = self.resolved(alias.name, by, typing)
                    if use is not None:
                        yield use
                        if alias.asname:
                            bound[alias.asname] = use.module
                        else:
                            bound[self.package] = self.package
        for chain in source.chains:
            first, _, rest = chain.partition(".")
            if first in bound:
                use = self.resolved(f"{bound[first]}.{rest}", by, False)
                # What is taken of a plain file tells no more than its import did.
                if use is not None and (
                    use.module != bound[first] or use.module in self.rooms
                ):
                    yield use

    def uses_in_texts(self, source: Source, by: str) -> Iterator[Use]:
        """What the strings of one file name: programs, and places to patch."""
        imports = re.compile(rf"from ({self.package}[.\w]*) import ([\w, ]+)")
        chains = re.compile(rf"(?<!from )\b{self.package}(?:\.\w+)+")
        for text in source.texts:
            dotted = chains.findall(text)
            for module, names in imports.findall(text):
                dotted += [f"{module}.{name.split()[0]}" for name in names.split(",")]
            for each in dotted:
                use = self.resolved(each, by, False)
                if use is not None and use.module != self.package:
                    yield use

    def resolved(self, dotted: str, by: str, typing: bool) -> Use | None:
        """The use of a dotted name; None if it is not the package's.

        A public name of the package counts as taken from the room that has it.
        """
        parts = dotted.split(".")
        if parts[0] != self.package:
            return None
        depth = 1
        while ".".join(parts[: depth + 1]) in self.files and depth < len(parts):
            depth += 1
        module = ".".join(parts[:depth])
        name = parts[depth] if depth < len(parts) else None
        if module == self.package and name is not None and by != self.package:
            module = self._homes.get(name, module)
        return Use(by, module, name, typing)

    @cached_property
    def _homes(self):
        """The room of each public name: as the package tells type checkers."""
        uses = self.uses_of(self.sources[self.package], self.package)
        return {use.name: use.module for use in uses if use.typing and use.name}

    def offers(self, room: str) -> set[str]:
        """The names on a room's face: `__all__`, or what it defines without it."""
        defined = set()
        for node in self.sources[room].body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                defined.add(node.name)
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = (
                    node.targets if isinstance(node, ast.Assign) else [node.target]
                )
                names = {t.id for t in targets if isinstance(t, ast.Name)}
                if "__all__" in names and node.value is not None:
                    return set(ast.literal_eval(node.value))
                defined |= names
        return {name for name in defined if not name.startswith("_")}

    def lines(self, module: str) -> int:
        return self.files[module].read_text().count("\n")

    def top(self, module: str) -> str:
        """The first name under the package: a room, or a file that stands alone."""
        return f"{module}.".split(".")[1] or self.package

    def room(self, module: str) -> str:
        """The room that a module is in; a room's face is in that room."""
        return module if module in self.rooms else module.rpartition(".")[0]

    def bare(self, module: str) -> str:
        """A module's name without the package's and without underscores."""
        parts = module.removeprefix(self.package).strip(".").split(".")
        return ".".join(part.lstrip("_") for part in parts) or self.package
