"""What is against the rules of the house today, as `house.json` lists it.

The lists may only shrink:

    python tests/house.py            takes out what is mended
    python tests/house.py --moved    also takes up new names, where the list of a rule
                                     does not become longer by it
"""

import json
import sys
from pathlib import Path

from house_rules import HERE, RULES, Found
from house_tree import Tree

TODAY = HERE / "house.json"


def new(found: Found, listed: Found) -> list[str]:
    """What was found and is not listed, or is there in a greater number."""
    return [
        f"{group}: {name}" + f" ({number})" * (number > 1)
        for group, names in found.items()
        for name, number in names.items()
        if number > listed.get(group, {}).get(name, 0)
    ]


def gone(found: Found, listed: Found) -> list[str]:
    """What is listed and was not found."""
    return [
        f"{group}: {name}"
        for group, names in listed.items()
        for name in names
        if name not in found.get(group, {})
    ]


def shrunk(found: Found, listed: Found) -> Found:
    """The list without what is gone, and with the smaller of each two numbers."""
    kept = {
        group: {
            n: min(k, found[group][n]) for n, k in names.items() if n in found[group]
        }
        for group, names in listed.items()
        if group in found
    }
    return {group: names for group, names in kept.items() if names}


def size(found: Found) -> int:
    return sum(map(len, found.values()))


def read(path: Path) -> dict[str, Found]:
    """The lists by rule. Where all numbers are 1, the file has the names alone."""
    text = json.loads(path.read_text()) if path.exists() else {}
    return {
        rule: {
            group: names if isinstance(names, dict) else dict.fromkeys(names, 1)
            for group, names in groups.items()
        }
        for rule, groups in text.items()
    }


def write(lists: dict[str, Found], path: Path) -> None:
    text = {
        rule: {
            group: dict(sorted(names.items()))
            if max(names.values()) > 1
            else sorted(names)
            for group, names in sorted(groups.items())
        }
        for rule, groups in lists.items()
    }
    path.write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n")


def rewritten(
    found: Found, listed: Found, moved: bool = False
) -> tuple[Found, list[str]]:
    """The list of a rule as it shall be, and what was found and is not taken up.

    Args:
        found: What is against the rule now.
        listed: The list so far.
        moved: Whether new names may be taken up, if the list becomes no longer.
    """
    if moved and size(found) <= size(listed):
        return found, []
    kept = shrunk(found, listed)
    return kept, new(found, kept)


def main(arguments: list[str]) -> int:
    tree = Tree(HERE.parent / "keras_decay")
    lists, failed = read(TODAY), 0
    for rule, find in RULES.items():
        listed = lists.get(rule, {})
        lists[rule], refused = rewritten(find(tree), listed, arguments == ["--moved"])
        print(f"{rule}: {size(listed)} -> {size(lists[rule])}")
        for each in new(lists[rule], listed):
            print(f"  taken up: {each}")
        for each in refused:
            print(f"  new, and not taken up: {each}")
            failed = 1
    write(lists, TODAY)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
