"""Writes a unit's files from the templates beside this one, and its lines into the registry of its kind."""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

LEFT_OF_A_FINDER = """\
  1. the page at its top, its needs (phrases need.* in analyze/locales/common.yml), what it finds, and tests
  2. three lines in samples/record ({id}/fires, {id}/near-miss, {id}/exonerated) with what happens in the lab; then
     samples/record {id}
  3. cargo test -p netcap-analyze -p netcap-tests; a line in CHANGELOG.md"""


class Kind:
    """Where units of a kind live, and how the registry names them."""

    def __init__(self, room, line, known, left, chaptered=True, ordered=False):
        self.room, self.line, self.known, self.left = Path(room), line, known, left
        self.chaptered, self.ordered = chaptered, ordered


FINDER = r'unit: Unit \{\s*id: "([^"]+)"'
KINDS = {
    "cause": Kind(
        "analyze/src/causes", "{path}::CAUSE", FINDER,
        "  0. its place in ALL: causes are asked in the order of how directly their evidence proves\n" + LEFT_OF_A_FINDER,
        ordered=True),
    "detector": Kind("analyze/src/detectors", "{path}::DETECTOR", FINDER, LEFT_OF_A_FINDER),
    "symptom": Kind("analyze/src/symptoms", "{path}::SYMPTOM", FINDER, LEFT_OF_A_FINDER),
    "measurement": Kind(
        "analyze/src/measure", "{path}: {path}::{type}", "measurements", """\
  1. the page at its top, what it measures, its place among the sections of the report, and tests
  2. samples of its own, or `samples/record --bless` where it is made of every input
  3. cargo test -p netcap-analyze -p netcap-tests; a line in CHANGELOG.md""", chaptered=False),
    "table": Kind(
        "analyze/src/tables", "{path}: {path}::{type}Fold", "tables", """\
  1. what it keeps of a packet, with which bounds, and tests; the place of its cap in analyze/src/tables/cap.rs
  2. a unit that reads it
  3. cargo test -p netcap-analyze -p netcap-tests; scripts/bench-analyze, for every packet passes it""", chaptered=False),
    "section": Kind(
        "analyze/src/report/sections", "{path}::SECTION", None, """\
  1. its place in ALL: people read from the top; what it tells people and machines
  2. `samples/record --bless` when it has something to say of the samples
  3. cargo test -p netcap-analyze -p netcap-tests; a line in CHANGELOG.md""", chaptered=False, ordered=True),
    "source": Kind(
        "bundle/src/sources", "Source::of::<{path}::{type}>()", r'SourceDef = SourceDef \{\s*id: "([^"]+)"', """\
  1. what it records (recipes), what that means (fields), and how it is read; a sample of the real text in its tests
  2. its two sentences in capture/locales/registries.yml
  3. cargo test -p netcap-bundle -p netcap -p netcap-tests; a line in CHANGELOG.md"""),
}


def fail(why):
    sys.exit(f"new: {why}")


class Unit:
    """What is begun."""

    def __init__(self, name, place, template=None):
        self.template = template or name
        self.kind = KINDS.get(name) or fail(f"there is no kind '{name}'; there are {', '.join(KINDS)}")
        self.name = name
        self.chapter, _, self.id = place.rpartition("/")
        if not re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", self.id):
            fail(f"'{self.id}' is no id; write it like mtu-mismatch")
        if self.kind.chaptered and not re.fullmatch(r"[a-z]+", self.chapter):
            chapters = sorted(path.name for path in (ROOT / self.kind.room).iterdir() if path.is_dir())
            fail(f"a {name} stands in a chapter: CHAPTER/{self.id}; there are {', '.join(chapters)}")
        if not self.kind.chaptered and self.chapter:
            fail(f"a {name} stands in no chapter; write {self.id}")
        # A source of the chapter `ovs` is called `ovs-bond` and lives in ovs/bond.rs.
        short = self.id.removeprefix(f"{self.chapter}-") if name == "source" else self.id
        self.module = short.replace("-", "_")
        self.type = "".join(part.capitalize() for part in self.id.split("-"))
        self.path = "::".join(part for part in (self.chapter, self.module) if part)
        self.file = self.kind.room / self.chapter / f"{self.module}.rs"
        self.registry = self.kind.room / "mod.rs"

    def fill(self, text):
        for mark in ("id", "module", "type"):
            text = text.replace(f"@{mark.upper()}@", getattr(self, mark))
        return text


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def write(path, text):
    (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
    (ROOT / path).write_text(text, encoding="utf-8")


def declare(text, unit):
    """`text` with the module of a unit in its chapter, or among those of the room."""
    module = r"(?:pub(?:\(\w+\))? )?mod \w+"
    if not unit.chapter:
        lines = re.search(rf"^(?:{module};\n)+", text, re.M)
        return text[: lines.start()] + among(lines[0], unit) + text[lines.end() :]
    chapters = list(re.finditer(rf"^{module} \{{\n((?:    {module};\n)+)\}}\n", text, re.M))
    for chapter in chapters:
        if re.search(rf"\bmod {unit.chapter} ", chapter[0]):
            return text[: chapter.start(1)] + among(chapter[1], unit) + text[chapter.end(1) :]
    last = chapters[-1]
    line = re.sub(r"mod \w+;", f"mod {unit.module};", last[1].splitlines(keepends=True)[-1])
    head = re.sub(r"mod \w+ ", f"mod {unit.chapter} ", last[0].splitlines(keepends=True)[0])
    begun = f"\n/// WHAT THIS CHAPTER IS ABOUT.\n{head}{line}}}\n"
    return text[: last.end()] + begun + text[last.end() :]


def among(lines, unit):
    """Module lines with that of a unit, as visible as the last of them."""
    lines = lines.splitlines(keepends=True)
    lines.append(re.sub(r"mod \w+;", f"mod {unit.module};", lines[-1]))
    return "".join(sorted(lines, key=lambda line: line.split("mod ")[1]))


def id_of(entry, kind):
    """The id of a unit that stands in the registry."""
    place = re.search(r"(\w+(?:::[a-z]\w*)*)::[A-Z]", entry)[1].split("::")
    for file in (kind.room.joinpath(*place).with_suffix(".rs"), kind.room.joinpath(*place, "mod.rs")):
        if (ROOT / file).is_file():
            return re.search(kind.known, read(file))[1]
    fail(f"{entry}: there is no such file")


def enlist(text, unit):
    """`text` with the line of a unit in the registry."""
    entry = unit.kind.line.format(path=unit.path, type=unit.type)
    if unit.name in ("measurement", "table"):
        # The list is a macro's, which makes a struct of it.
        found = re.search(rf"^{unit.kind.known}! \{{\n(.*?)^\}}\n", text, re.M | re.S)
        entries = re.findall(r"((?:    ///.*\n)+    \w+: .*,\n)", found[1])
        entries.append(f"    /// WHAT IT IS.\n    {entry},\n")
        entries.sort(key=lambda lines: lines.split("\n")[-2])
        return text[: found.start(1)] + "".join(entries) + text[found.end(1) :]
    # A list of middling length stands on a line of its own.
    found = re.search(r"^(pub(?:\(\w+\))? const ALL: [^=]* =)\s+&\[(.*?)\];\n", text, re.M | re.S)
    entries = [*(item.strip() for item in found[2].split(",") if item.strip()), entry]
    if not unit.kind.ordered:
        entries.sort(key=lambda item: unit.id if item == entry else id_of(item, unit.kind))
    lines = "".join(f"    {item},\n" for item in entries)
    return text[: found.end(1)] + " &[\n" + lines + "];\n" + text[found.end() :]


def translate(unit):
    """The words of a unit, in both languages; gives the file."""
    if unit.name == "measurement":
        return None
    if unit.name != "source":
        key, english, chinese = ("claim", "THE CLAIM, in one sentence.", "结论。")
        if unit.name == "section":
            key, english, chinese = ("title", "THE HEADING", "标题")
        name = f"{unit.id}.{key}"
        if unit.name == "table":
            name, english, chinese = (f"given-up.{unit.id}", "%{count} OF WHAT", "%{count} 个未保留")
        path = Path("analyze/locales") / f"{unit.id}.yml"
        write(path, f'_version: 2\n\n{name}:\n  en: "{english}"\n  zh-CN: "{chinese}"\n')
        return path
    path = Path("capture/locales/registries.yml")
    text = read(path)
    blocks = re.findall(r"^source\.\S+:\n(?:  .*\n)+", text, re.M)
    about = re.search(r'about: "([^"]+)"', read(unit.file))[1]
    block = f'source.{unit.id}:\n  en: "{about}"\n  zh-CN: "记录的内容。"\n'
    write(path, text.replace("".join(blocks), "".join(sorted([*blocks, block])), 1))
    return path


def begin(unit):
    """Writes a unit, and gives the files."""
    if (ROOT / unit.file).exists() or (ROOT / unit.file.with_suffix("")).exists():
        fail(f"{unit.file} is there already")
    text = enlist(declare(read(unit.registry), unit), unit)
    write(unit.file, unit.fill((HERE / f"{unit.template}.rs.in").read_text(encoding="utf-8")))
    write(unit.registry, text)
    return [unit.file, unit.registry, translate(unit)]


def bound(unit):
    """Gives the bound of a table its variant; gives the file."""
    path = Path("analyze/src/tables/cap.rs")
    line = f'    /// WHAT IS NOT KEPT.\n    {unit.type}: "given-up.{unit.id}",\n'
    text = read(path)
    end = re.search(r"^caps! \{\n.*?^(?=\}\n)", text, re.M | re.S).end()
    write(path, text[:end] + line + text[end:])
    return path


def main():
    name, place = sys.argv[1:3]
    unit = Unit(name, place)
    files = begin(unit)
    if name == "measurement":
        # What is measured is shown.
        files += begin(Unit("section", place, "shown"))
    if name == "table":
        files.append(bound(unit))
    files = [path for path in files if path]
    rust = [ROOT / path for path in files if path.suffix == ".rs"]
    subprocess.run(["rustfmt", "--edition", "2024", *rust], check=True)
    print("written:", *map(str, files))
    print("left:\n" + unit.kind.left.format(id=unit.id))


main()
