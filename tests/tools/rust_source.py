"""Reads the workspace's Rust sources, as far as checks of their structure need."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
CRATES = sorted(ROOT.glob("shared/*")) + sorted(ROOT.glob("functions/*")) + [ROOT / "infra", ROOT / "infra/aws", ROOT / "infra/local", ROOT / "infra/restore"]


def blank(match):
    """As many line breaks, and nothing else."""
    return re.sub(r"[^\n]", " ", match.group(0))


def code(text):
    """The code without comments, texts, and test modules; lines keep their numbers."""
    text = re.sub(r'r(#+)".*?"\1|r"[^"]*"|//[^\n]*|"(?:\\.|[^"\\])*"', blank, text, flags=re.S)
    while match := re.search(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([a-z]+\))? )?mod \w+ (?=\{)", text):
        end = closing(text, match.end())
        text = text[: match.start()] + re.sub(r"[^\n]", " ", text[match.start() : end]) + text[end:]
    return re.sub(r"#\[cfg\(test\)\]\s*[^;{]*;", blank, text)


def closing(text, start):
    """Where the bracket at `start` is closed."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place + 1
    return len(text)


def modules(crate):
    """The crate's modules, by their paths: () is its root."""
    found = {}
    source = crate / "src"
    for file in sorted(source.rglob("*.rs")):
        parts = file.relative_to(source).with_suffix("").parts
        if parts[0] == "bin":
            continue
        if parts in (("lib",), ("main",)):
            if parts == ("main",) and (source / "lib.rs").exists():
                continue
            parts = ()
        elif parts[-1] == "mod":
            parts = parts[:-1]
        found[parts] = code(file.read_text())
    return found


def uses(text):
    """Every path that a `use` names, with whether it is public and its other name."""
    for match in re.finditer(r"^\s*(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);", text, re.M):
        for path, name in tree(match.group(2).strip()):
            yield bool(match.group(1)), path, name


def tree(text):
    """The paths of a use tree: ([segments], other name)."""
    text = text.strip()
    opening = text.find("{")
    if opening < 0:
        path, _, name = text.partition(" as ")
        yield [part.strip() for part in path.split("::") if part.strip()], name.strip()
        return
    prefix = [part.strip() for part in text[:opening].split("::") if part.strip()]
    depth, item = 0, ""
    for letter in text[opening + 1 : closing(text, opening) - 1] + ",":
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            if item.strip():
                for path, name in tree(item):
                    yield prefix + path, name
            item = ""
        else:
            item += letter
