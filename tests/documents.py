"""What the documents hold: their texts, the code blocks in them, and what these print."""

import contextlib
import doctest
import io
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Block(NamedTuple):
    """A code block of a document."""

    language: str
    title: str
    lines: list[str]


def text_of(document):
    return (ROOT / document).read_text("utf-8")


def blocks(text):
    found = re.findall(r'^```(\w*)(?: title="([^"]*)")?\n(.*?)^```$', text, re.MULTILINE | re.DOTALL)
    return [Block(language, title, code.splitlines()) for language, title, code in found]


def printed_by(code, namespace, document):
    """Run code of a document and return what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(code, document, "exec"), namespace)  # noqa: S102  # it is ours, and that is the test
    return output.getvalue()


def matches(shown, printed):
    """Whether a text is what a document shows, where ``...`` stands for anything; blanks at ends of lines aside."""
    want, got = ("".join(f"{line.rstrip()}\n" for line in text.splitlines()) for text in (shown, printed))
    return doctest.OutputChecker().check_output(want, got, doctest.ELLIPSIS)


def is_tree(lines):
    """Whether the lines of a block are a drawn tree of folders."""
    return lines[0].endswith("/")


def code_of(document):
    """Return what a document marks as code: inline, and the lines of blocks other than Python and drawn trees.

    A block with a title is a whole file, which a test runs.
    """
    text = text_of(document)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))
    found = blocks(text)
    plain = [one.lines for one in found if one.language != "python" and not one.title and not is_tree(one.lines)]
    return [*inline, *(line for lines in plain for line in lines)]
