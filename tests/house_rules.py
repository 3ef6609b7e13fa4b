"""The rules of the house: what is against each of them in a package.

Each rule is a function of a `Tree` that gives names by the room, or by the pair of
rooms, that they belong to. Names are bare, without underscores and mostly without
files, so that moving a file within its room changes little.
"""

import ast
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from house_tree import Source, Tree, Use

HERE = Path(__file__).resolve().parent

# Every room imports only rooms that stand before it. The last two are no rooms.
ORDER = [
    "ground",
    "models",
    "regularizers",
    "constraints",
    "conventions",
    "optimizers",
    "curves",
    "callbacks",
    "tools",
    "search",
    "experiments",
    "cli",
    "keras_decay",
    "__main__",
]

LONGEST, SHORTEST = 350, 25

# A file of tests whose strings are made-up packages.
MADE_UP = "test_house.py"

# Names by group; a number, where there is one, may not grow either.
Found = dict[str, dict[str, int]]


def found_in(pairs: Iterable[tuple[str, str]]) -> Found:
    found: Found = defaultdict(dict)
    for group, name in pairs:
        found[group][name] = 1
    return dict(found)


def circles(tree: Tree) -> Found:
    """Imports that are part of a circle, those inside functions included."""
    edges = {(use.by, use.module) for use in tree.uses if not use.typing}
    return found_in(
        (tree.top(a), f"{tree.bare(a)} → {tree.bare(b)}") for a, b in on_circles(edges)
    )


def circles_of_rooms(tree: Tree) -> Found:
    """Circles among the parts of a room, where a part is a room itself."""
    edges: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for use in tree.uses:
        one, other = use.by.split("."), use.module.split(".")
        depth = next(
            (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0
        )
        if depth and not use.typing:
            parts = (".".join(path[: depth + 1]) for path in (one, other))
            edges[".".join(one[:depth])].add(tuple(parts))
    return found_in(
        (tree.bare(room), f"{tree.bare(a)} → {tree.bare(b)}")
        for room, among in edges.items()
        for a, b in on_circles(among)
        if a in tree.rooms or b in tree.rooms
    )


def on_circles(edges: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """The edges that can be gone round."""
    after: dict[str, set[str]] = defaultdict(set)
    for a, b in edges:
        after[a].add(b)
    reached = {}
    for start in list(after):
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            further = after[waiting.pop()] - seen
            seen |= further
            waiting += further
        reached[start] = seen
    return sorted((a, b) for a, b in edges if a in reached.get(b, ()))


def past_faces(tree: Tree) -> Found:
    """Names that are taken from inside a room, or that its face does not offer."""
    pairs = ((use, face_passed(tree, use)) for use in tree.uses)
    return found_in(
        (f"{tree.top(use.by)} → {tree.bare(room)}", use.what)
        for use, room in pairs
        if room is not None
    )


def face_passed(tree: Tree, use: Use) -> str | None:
    """The outermost room that a use from outside of it does not enter by its face.

    A room's face offers names, and files and rooms as names among them.
    """
    parts = use.module.split(".")
    for depth in range(2, len(parts) + 1):
        room = ".".join(parts[:depth])
        if room not in tree.rooms or f"{use.by}.".startswith(f"{room}."):
            continue
        taken = parts[depth] if depth < len(parts) else use.name
        if taken and not taken.startswith("__") and taken not in tree.offers(room):
            return room
    return None


def classes_twice(tree: Tree) -> Found:
    """Names that several classes of the package have, and how many in which room."""
    places: dict[str, Counter] = defaultdict(Counter)
    for module, source in tree.sources.items():
        for name in source.classes:
            places[name][tree.top(module)] += 1
    return {name: dict(where) for name, where in places.items() if where.total() > 1}


def upward(tree: Tree) -> Found:
    """Names that a room takes from a room above it."""
    rank = {name: place for place, name in enumerate(ORDER)}

    def place(module):
        name = tree.top(module)
        assert name in rank, f"{name} has no place in ORDER"
        return rank[name]

    return found_in(
        (f"{tree.top(use.by)} → {tree.top(use.module)}", use.what)
        for use in tree.uses
        if place(use.module) > place(use.by)
        # The package's own face says what it is called, and offers what rooms have.
        and use.module != tree.package
    )


def named_like_an_export(tree: Tree) -> Found:
    """Rooms and files called like something else that their parent's face offers."""
    pairs = []
    for module in tree.files:
        parent, _, name = module.rpartition(".")
        if parent and name in tree.offers(parent) and not is_offered(tree, module):
            pairs.append((tree.bare(parent), name))
    return found_in(pairs)


def is_offered(tree: Tree, module: str) -> bool:
    """Whether what a face offers under a module's name is the module itself."""
    parent, _, name = module.rpartition(".")
    bound = set()
    for node in tree.sources[parent].body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, ast.ImportFrom) and node.module != parent:
            bound |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            bound |= {each.id for each in node.targets if isinstance(each, ast.Name)}
    return name not in bound


def long_files(tree: Tree) -> Found:
    """Files of too many lines, and how many they have."""
    found: Found = defaultdict(dict)
    for module in tree.files:
        if tree.lines(module) > LONGEST:
            found[tree.top(module)][tree.bare(module)] = tree.lines(module)
    return dict(found)


def short_files(tree: Tree) -> Found:
    """Files of a few lines that one other file imports. Faces may be short."""
    users = defaultdict(set)
    for use in tree.uses:
        users[use.module].add(use.by)
    return found_in(
        (tree.top(module), tree.bare(module))
        for module in tree.files
        if module not in tree.rooms
        and tree.lines(module) < SHORTEST
        and len(users[module]) == 1
    )


def underscores(tree: Tree) -> Found:
    """Files and rooms whose names have an underscore in front."""
    pairs = (module.rpartition(".")[::2] for module in tree.files)
    return found_in(
        (tree.bare(parent), name)
        for parent, name in pairs
        if name.startswith("_") and not name.startswith("__")
    )


def reached_from_outside(tree: Tree, folders: Iterable[Path]) -> Found:
    """What tests and benchmarks use past a face, but for tests of that very room."""
    found: Found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            if path.name == MADE_UP:
                continue
            names = {
                f"{tree.bare(room)}: {use.what}"
                for use, room in reached_by(tree, path, folder)
            }
            if names:
                file = path.relative_to(folder.parent).with_suffix("")
                found[file.as_posix()] = dict.fromkeys(names, 1)
    return found


def reached_by(tree: Tree, path: Path, folder: Path) -> list[tuple[Use, str]]:
    """What one file outside the package uses past a face, with the room."""
    source, by = Source(path.read_text()), path.stem
    own = own_room(tree, path.relative_to(folder))
    found = []
    for use in [*tree.uses_of(source, by), *tree.uses_in_texts(source, by)]:
        room = face_passed(tree, use)
        if room is not None and tree.top(use.module) != own:
            found.append((use, room))
    return found


def own_room(tree: Tree, path: Path) -> str | None:
    """The room that a file of tests is about, by its folder or else by its name."""
    first = path.parts[0].removesuffix(".py").removeprefix("test_")
    tops = [tree.top(room) for room in tree.rooms]
    return next((top for top in tops if f"{first}_".startswith(f"{top}_")), None)


RULES: dict[str, Callable[[Tree], Found]] = {
    "circles": circles,
    "circles of rooms": circles_of_rooms,
    "past faces": past_faces,
    "upward": upward,
    "classes of one name": classes_twice,
    "named like an export": named_like_an_export,
    "long files": long_files,
    "short files": short_files,
    "underscores": underscores,
    "reached from outside": lambda tree: reached_from_outside(
        tree, [HERE, HERE.parent / "benchmarks", HERE.parent / "examples"]
    ),
}
