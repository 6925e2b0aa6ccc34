"""The pages of the site: what they show runs and prints what they say, and what they say of the code holds."""

import ast
import importlib
import pkgutil
import re
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from basicaer.cli import main
from basicaer.devices.cpu import device as numpy_device
from documents import ROOT, blocks, matches, printed_by, text_of

PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))
COMPILED_ALONE = {"Needs a GPU", "Needs PyTorch", "Needs JAX", "Needs PennyLane"}


def with_code(language):
    return [page for page in PAGES if any(block.language == language for block in blocks(text_of(page)))]


@pytest.mark.parametrize("page", with_code("python"))
def test_the_python_blocks_of_a_page_run_and_print_what_the_block_after_says(page, tmp_path, monkeypatch):
    """All in one namespace, in order. A block that needs a GPU or other packages is compiled alone.

    `nox -s bindings` runs those that need other packages.
    """
    monkeypatch.chdir(tmp_path)  # where pictures and jobs are saved
    monkeypatch.setattr(numpy_device, "has_small_kernels", lambda: True)  # plans are shown as on such a machine
    namespace, printed, is_compiled_alone = {"__name__": "page"}, None, False
    for block in blocks(text_of(page)):
        code = "\n".join(block.lines)
        if block.language == "text" and is_compiled_alone:
            pass
        elif block.language == "text":
            assert printed is not None, f"no code before:\n{code}"
            assert matches(code, printed), f"{code}\n\nbut it prints\n\n{printed}"
        if printed:
            assert block.language == "text", f"what is printed before this block is not shown:\n{printed}"
        printed = None
        is_compiled_alone = block.language == "python" and block.title in COMPILED_ALONE
        if is_compiled_alone:
            compile(code, page, "exec")
        elif block.title.endswith(".py"):  # a program; tests/test_cluster.py runs it
            assert page == "docs/cluster.md"
        elif block.language == "python":
            assert not block.title
            printed = printed_by(code, namespace, page)
    assert not printed


@pytest.mark.parametrize("page", with_code("console"))
def test_the_commands_of_a_page_print_what_it_says(page, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    for block in (block for block in blocks(text_of(page)) if block.language == "console"):
        command, *shown = block.lines
        assert command.startswith("$ basicaer ")
        done = CliRunner().invoke(main, command.split()[2:])
        assert done.exit_code == 0
        assert matches("\n".join(shown), done.output), done.output


def test_every_block_is_of_a_kind_that_is_checked():
    """Or a command of the shell: those of basicaer are looked up with the README's, and pip's with its extras."""
    for page in PAGES:
        for block in blocks(text_of(page)):
            assert block.language in {"python", "text", "console", "bash", "ini"}, (page, block)
            if block.title.endswith(".sh"):  # tests/test_cluster.py runs it
                assert page == "docs/cluster.md"
            elif block.language == "bash":
                assert all(line.startswith("pip install '.[") for line in block.lines), (page, block)
            if block.language == "ini":  # `nox -s types` reads the programs of users with these lines
                assert set(block.lines) <= set(text_of("tests/typed/mypy.ini").splitlines()), (page, block)


def test_every_page_is_in_the_menu_and_the_menu_has_no_other():
    listed = set(re.findall(r"[\w/]+\.md", text_of("mkdocs.yml")))
    there = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert listed == there | {"changelog.md"}  # which is made when the site is built


def test_every_link_between_pages_leads_to_one():
    for path in (ROOT / "docs").rglob("*.md"):
        for link in re.findall(r"\]\(([^)#]+\.md)[^)]*\)", path.read_text("utf-8")):
            is_made = link == "changelog.md"  # when the site is built
            assert is_made or (path.parent / link).exists(), (path, link)


def test_every_object_of_the_api_pages_exists():
    texts = [path.read_text("utf-8") for path in (ROOT / "docs" / "api").glob("*.md")]
    named = [name for text in texts for name in re.findall("^::: (.+)$", text, re.MULTILINE)]
    assert len(named) > 10
    # `nox -s bindings` looks up the others, which need other packages.
    assert all(pkgutil.resolve_name(name) for name in named if name.split(".")[1] not in {"jax", "pennylane", "torch"})


# Why the GPU is off.


def texts_in(tree):
    """What a tree of code holds as texts, the fixed parts of f-strings among them."""
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def rows_after(page, heading):
    table = text_of(page).split(heading)[1].split("\n\n| reason |")[1].split("\n\n")[0]
    return [re.findall("`(.+?)`", row.split(" | ")[0]) for row in table.splitlines()[2:]]


def test_the_page_has_every_reason_why_auto_leaves_a_gpu_alone():
    texts = texts_in(ast.parse(text_of("src/basicaer/devices/registry.py")))
    rows = rows_after("docs/devices.md", 'With `device="auto"`, a GPU that could be used')
    assert rows
    for (reason,) in rows:
        assert any(reason in text for text in texts), reason


# The tables that are computed.


def test_the_site_is_built_without_a_warning_and_asks_no_other_machine(tmp_path):
    pytest.importorskip("mkdocs", reason="the site's makers are in the dependency group docs; nox -s docs")
    made = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", made]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for page in made.rglob("*.html"):
        text = page.read_text("utf-8")
        assert not re.search(r"\{\{ ?\w+ ?\}\}", text), page  # the place of a table that was not put in
        assert not re.search(r"<(script|img|iframe)[^>]* src=\"?(\w+:)?//|<link[^>]* href=\"?(\w+:)?//", text), page
        for row in re.finditer(r'<(li|tr) class="doc-section-item.*?</\1>', text, re.DOTALL):
            said = re.search(r'doc-md-description">(.*?)</div>', row[0], re.DOTALL)
            assert said, (page, row[0])
            assert re.sub(r"<[^>]+>|\s", "", said[1]), (page, row[0])
        assert not re.search(r"\bCancelled\b", text.partition("<article")[2]) or page.parent == made, page
    for sheet in made.rglob("*.css"):
        assert not re.search(r"url\([\"']?(\w+:)?//", sheet.read_text("utf-8")), sheet
    assert "geometric mean" in (made / "benchmarks.html").read_text("utf-8")
    assert "99 of 100 within" in (made / "jobs.html").read_text("utf-8")
    for picture in ("plan.png", "layers.png", "convergence.png"):
        assert (made / picture).read_bytes().startswith(b"\x89PNG")


def test_what_the_picture_of_convergence_shows_converges(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    convergence = importlib.import_module("convergence")
    monkeypatch.setattr(convergence, "_VQE_STEPS", 40)
    monkeypatch.setattr(convergence, "_QNN_STEPS", 30)
    energies, lowest = convergence.vqe_energies()
    for own in energies.values():
        assert lowest < own[-1] < 0.98 * lowest < own[0]
    known, new = convergence.qnn_losses()
    assert known[-1] < 0.4 * known[0]
    assert new[-1] < 0.5 * new[0]
