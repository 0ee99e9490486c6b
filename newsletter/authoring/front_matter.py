"""Read the front matter of a letter's file: the YAML between two lines of ``---``.

Pure. Every value is read as a text: none becomes a date, a number or a list unexpectedly, and none
refers to another.
"""

from __future__ import annotations

import codecs
import difflib
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

import yaml

from newsletter.errors import InvalidInput, Refused
from newsletter.i18n import Text

HEAD_AT_MOST = 5000
"""Characters of front matter; six keys with one line each are far shorter."""
NESTED_AT_MOST = 200
"""Maximum number of characters in front matter that may open a nested value; PyYAML takes quadratic
time over nested values."""
_NESTING = re.compile(r"[\[{]|[-?:](?=\s)")
_QUOTE = Text("put the whole value into quotation marks: '…'")


def decode_text(data: bytes) -> str:
    """Decode a file as UTF-8, or as UTF-16 if its first two bytes say so.

    Lines of the text end with ``\\n``. Raises `Refused`, naming the line that is in neither.
    """
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not wide:
        _refuse_nul(data.decode("latin-1"))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"0x{data[error.start]:02X} after {error.start} bytes"
        raise Refused(
            Text("line %(line)s is not UTF-8 text (%(byte)s)", line=line, byte=byte),
            hint=Text("save the file as UTF-8 text"),
        ) from None
    _refuse_nul(text)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _refuse_nul(text: str) -> None:
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise Refused(
            Text("line %(line)s contains a control character", line=line),
            hint=Text("save the file as UTF-8 text"),
        )


def split_letter(text: str) -> tuple[str, str, int]:
    """Split a letter into its front matter, its body and the line on which the body begins.

    Raises `InvalidInput`.
    """
    if not text.strip():
        raise InvalidInput(
            {"letter": Text("the file is empty; `newsletter campaign new` begins one")}
        )
    rows = text.split("\n")
    if rows[0].rstrip() != "---":
        raise InvalidInput(
            {"line 1": Text("begin the file with ---, a line `subject: …`, and --- again")}
        )
    for number, row in enumerate(rows[1:], 1):
        if row.rstrip() == "---":
            return "\n".join(rows[1:number]), "\n".join(rows[number + 1 :]), number + 2
    raise InvalidInput(
        {
            "front matter": Text(
                "has no end; write --- on a line of its own between it and the letter"
            )
        }
    )


def join_letter(values: Mapping[str, str], body: str) -> str:
    """Return the text of a letter with `values` as its front matter."""
    lines = yaml.safe_dump(dict(values), allow_unicode=True, sort_keys=False, width=10_000)
    head = lines if values else ""
    return f"---\n{head}---\n{body}"


def read_values(head: str, keys: Sequence[str]) -> dict[str, str]:
    """Return the values of the front matter by key.

    Raises `InvalidInput`, naming the line.
    """
    if len(head) > HEAD_AT_MOST:
        problem = Text(
            "is longer than %(most)s characters; is its second --- missing?",
            most=HEAD_AT_MOST,
        )
        raise InvalidInput({"front matter": problem})
    if len(_NESTING.findall(head)) > NESTED_AT_MOST:
        raise InvalidInput({"front matter": Text("cannot be read; %(quote)s", quote=_QUOTE)})
    tree = _read(head)
    if tree is None:
        return {}
    if not isinstance(tree, yaml.MappingNode):
        _refuse(tree, Text("write lines like `subject: …`"))
    values: dict[str, str] = {}
    for key, value in tree.value:
        name = _name(key, keys)
        if name in values:
            _refuse(key, Text("%(name)s stands here a second time", name=name))
        if not isinstance(value, yaml.ScalarNode):
            _refuse(value, Text("%(name)s is one line of text; %(quote)s", name=name, quote=_QUOTE))
        is_null = value.style is None and value.value in ("~", "null")
        values[name] = "" if is_null else value.value
    return values


def _name(key: yaml.Node, keys: Sequence[str]) -> str:
    if not isinstance(key, yaml.ScalarNode):
        _refuse(key, Text("write lines like `subject: …`"))
    name = str(key.value)
    if name not in keys:
        near = difflib.get_close_matches(name, keys, n=1)
        hint = f"did you mean {near[0]}?" if near else f"use {', '.join(keys)}"
        _refuse(key, Text("%(name)s is unknown; %(hint)s", name=name[:60], hint=hint))
    return name


def _read(head: str) -> yaml.Node | None:
    try:
        _refuse_anchors(head)
        return yaml.compose(head, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = (
            Text("a tab stands where blanks are wanted")
            if "\\t" in str(error.problem)
            else Text("cannot be read; %(quote)s", quote=_QUOTE)
        )
        raise InvalidInput({f"line {mark.line + 2 if mark else 1}": problem}) from None
    except yaml.reader.ReaderError as error:
        line = head.count("\n", 0, error.position) + 2
        raise InvalidInput(
            {f"line {line}": Text("contains an invalid or control character; remove it")}
        ) from None
    except (yaml.YAMLError, RecursionError):
        raise InvalidInput(
            {"front matter": Text("cannot be read; %(quote)s", quote=_QUOTE)}
        ) from None


def _refuse_anchors(head: str) -> None:
    for event in yaml.parse(head, Loader=yaml.BaseLoader):
        if getattr(event, "anchor", None) is not None:
            _refuse(event, Text("& and * mean something in YAML; %(quote)s", quote=_QUOTE))


def _refuse(node: yaml.Node | yaml.Event, problem: str) -> NoReturn:
    line = node.start_mark.line + 2 if node.start_mark else 1
    raise InvalidInput({f"line {line}": problem})
