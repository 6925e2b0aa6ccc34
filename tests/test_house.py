"""Checks the map of the house, that whatever the documents name exists, and how comments begin."""

import io
import re
import tokenize

import pytest

from documents import ROOT, blocks, code_of, is_tree, text_of

PACKAGE = ROOT / "src" / "basicaer"
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "*/README.md", "docs/**/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"  # it also names what has been removed
    if not path.relative_to(ROOT).as_posix().startswith(".")  # caches have READMEs, too
)

# These look like paths and are not in the checkout: files that a user gives or gets, pictures and the changelog, which
# are made with the site, and the folder of the kernels in an installation.
PICTURES = {"convergence.png", "layers.png", "peers.png", "plan.png"}
NO_FILES = {"FILE.qasm", "out.png", "saved", *PICTURES, "changelog.md", "basicaer/kernels"}

# The beginning of a comment that is the end of a sentence nobody can see; it may follow another comment on its line.
FRAGMENT = re.compile(r"# *(of|that|so|which|by|whose)\b")


def tree_of(document):
    """Yield the paths of a drawn tree: the names on each line, and the files of a folder that its description names."""
    for lines in (lines for _, _, lines in blocks(text_of(document)) if is_tree(lines)):
        above = ""
        for line in lines:
            names, _, description = re.sub(r" {2,}", "\t", line.strip()).partition("\t")
            paths = [(above if line.startswith(" ") else "") + name for name in names.split()]
            yield from paths
            yield from (paths[0] + name for name in re.findall(r"\w+\.py", description))
            if not line.startswith(" "):
                above = paths[0]


def paths_of(document):
    """Return what looks like a path (a name with a known ending, or with a slash), and the targets of links."""
    words = {word.strip(",;:") for piece in code_of(document) for word in piece.split()}
    looks = re.compile(
        r"[\w.*/-]+\.(py|md|cu|cuh|qasm|toml|json|png|yaml|ipynb)|[\w.-]+(/[\w.*-]+)*/|[\w-]+(/[\w.-]+)+"
    )
    links = {link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text_of(document)) if "://" not in link}
    return {word for word in words if looks.fullmatch(word)} | links


def places_of(path, document):
    """Return where a path that a document names exists: in the checkout, the package or the document's folder."""
    starts = (ROOT, PACKAGE, (ROOT / document).parent)
    return [start / path for start in starts if (start / path).exists()]


def there_is(path, document):
    """Tell whether a path exists; patterns are let through."""
    return "*" in path or bool(places_of(path, document))


def left_out(parts, drawn):
    """Return the parts that a map lacks."""
    return sorted(part for part in parts if f"src/basicaer/{part}" not in drawn)


def parts_of_the_package():
    """Return what the map must name: the modules at the top of the package, and every folder of modules."""
    top = {path.name for path in PACKAGE.glob("*.py")}
    folders = {f"{path.parent.relative_to(PACKAGE).as_posix()}/" for path in PACKAGE.rglob("*/__init__.py")} - {"./"}
    return top | folders


def test_the_map_of_the_house_has_every_module_and_folder():
    parts = parts_of_the_package()
    assert {"job.py", "devices/cpu/", "engine/"} <= parts
    assert left_out(parts, set(tree_of("CONTRIBUTING.md"))) == []


def test_every_path_of_the_drawn_house_exists():
    paths = list(tree_of("CONTRIBUTING.md"))
    assert len(paths) > 30
    assert [path for path in paths if not there_is(path, "CONTRIBUTING.md")] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_that_a_document_names_exists(document):
    named = paths_of(document) - NO_FILES
    assert named or document.startswith("docs/")
    assert [path for path in sorted(named) if not there_is(path, document)] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_test_that_a_document_names_is_there(document):
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").glob("*.py"))
    named = {piece for piece in code_of(document) if re.fullmatch(r"test_\w+", piece)}
    assert named or document != "docs/architecture.md"
    assert [name for name in sorted(named) if f"\ndef {name}(" not in sources] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_name_that_a_document_gives_with_its_file_is_in_the_file(document):
    """The instructions for changes write "`name` in `file`", also "`name` and `other` in `file`"."""
    name, file = r"`(?:\w+\.)*(\w+)`", r"`([\w/]+\.py)`"
    pairs = re.findall(rf"{name}\s+(?:in|to|of)\s+{file}", text_of(document))
    pairs += re.findall(rf"{name}\s+(?:and|or|to)\s+`\w+`\s+(?:in|to|of)\s+{file}", text_of(document))
    assert pairs or document != "docs/architecture.md"
    for named, path in pairs:
        sources = [place.read_text("utf-8") for place in places_of(path, document)]
        assert any(re.search(rf"\b{named}\b", source) for source in sources), (named, path)


def test_what_the_map_lacks_is_seen():
    """Checks the check itself, with a map that lacks one file and one folder."""
    drawn = {f"src/basicaer/{part}" for part in parts_of_the_package()}
    lacking = drawn - {"src/basicaer/watching.py", "src/basicaer/devices/gpu/"}
    assert left_out(parts_of_the_package(), lacking) == ["devices/gpu/", "watching.py"]


def fragments_in(source):
    """Return the comments that begin in mid-sentence; a line that goes on with the comment above it is no beginning."""
    found, above = [], 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            has_own_line, line = token.line.lstrip().startswith("#"), token.start[0]
            if FRAGMENT.search(token.string) and not (has_own_line and line == above + 1):
                found.append(f"line {line}: {token.string}")
            above = line if has_own_line else above
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_comment_begins_in_mid_sentence(path):
    assert fragments_in(path.read_text("utf-8")) == []


@pytest.mark.parametrize("comment", ["# of a block", "# noqa: S101  # that is why", "#so that it ascends"])
def test_a_comment_that_begins_in_mid_sentence_is_seen(comment):
    assert fragments_in(f"n = 1  {comment}\n") == [f"line 1: {comment}"]
    assert fragments_in(f"\n{comment}\nn = 1\n") == [f"line 2: {comment}"]


def test_a_comment_may_go_on_with_any_word():
    assert fragments_in("# Qubits\n# of a block.\nn = '# of'  # softly: offsets of a block\n") == []


# Numbers of things.

# A number in an f-string before a plural. Names in capitals are constants, of which none is 1.
PLURAL = re.compile(
    r"\{(?![A-Z_]+\})[^{}]*\} (?:more )?"
    r"(?:qubits|shots|bits|gates|passes|amplitudes|circuits|parameters|outcomes|entries|controls)\b"
)
NEVER_ONE = {  # pieces of sentences in which the number cannot be 1, or does not reach a user
    "{least} qubits",  # from 12 on
    "{row} bits",
    "{passes} passes",
    "{done} passes",
    "{size} bits",  # more than a million
    "{shown(type_.size)} bits",
    "{count} shots",
    "{len(qubits)} qubits",  # of a power: more than 6
    "{len(gate.targets)} qubits",  # wider than the widest
    "{wires} qubits",
    "{program.bits} bits",
    "{len(formula.parameters)} parameters",
    "{progress.passes:.1f} of",
    "{size} amplitudes",  # two or more
    "{shown(controls)} controls",  # more than the qubits
    "{n} amplitudes",
    "{power_of_two(len(qubits))} amplitudes",
}


def unsure_plurals(source):
    return [found for found in PLURAL.findall(source) if found not in NEVER_ONE]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_number_that_may_be_one_is_counted(path):
    """`wording.counted` writes "1 qubit" and "2 qubits"."""
    assert unsure_plurals(path.read_text("utf-8")) == []


def test_a_plural_that_may_be_wrong_is_seen():
    assert unsure_plurals("f\"on {n} qubits and {_MOST} gates, {counted(n, 'bit')}\"") == ["{n} qubits"]
