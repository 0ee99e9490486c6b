"""Who of a list: ``cadence == "weekly" and "berlin" in tags and joined > "2026-01-01"`` read into a small tree. Pure.

Python's own grammar reads it, and nothing of it is ever run: what is not in the list below is refused.
services/readers.py turns the tree into a query with bound values.
"""

from __future__ import annotations

import ast
import difflib
from dataclasses import dataclass
from datetime import date
from typing import Literal

from newsletter.errors import InvalidInput
from newsletter.schedule import CADENCES

LENGTH_AT_MOST = 1000
FIELDS = {
    "cadence": 'how often: "instant", "daily", "weekly", "monthly"',
    "joined": 'the day of confirmation, like "2026-01-31"',
    "tags": 'words you put on subscribers: "berlin" in tags',
    "name": 'what a reader is called, "" if unknown',
    "email": "the address, in small letters",
    "domain": 'what stands behind the @: "example.org"',
    "language": 'like "de", "" if unknown',
}
_ORDER = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field, how it is compared, and with what."""

    field: str
    operator: str
    value: str | date


@dataclass(frozen=True, slots=True)
class OneOf:
    """A field that is one of several values."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tagged:
    """Whether a reader carries a tag."""

    tag: str


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    term: Term


@dataclass(frozen=True, slots=True)
class Joined:
    """Several terms of which all, or one at least, must hold."""

    word: Literal["and", "or"]
    terms: tuple[Term, ...]


Term = Comparison | OneOf | Tagged | Not | Joined


def parse_segment(text: str) -> Term | None:
    """The tree of `text`, None where it is empty (everybody). Raises `InvalidInput`, saying what cannot be used."""
    if not text.strip():
        return None
    if len(text) > LENGTH_AT_MOST:
        raise _refusal(f"is longer than {LENGTH_AT_MOST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise _refusal(f"cannot be read at character {error.offset or 1}: {error.msg}") from None
    except (ValueError, MemoryError, RecursionError):
        raise _refusal("cannot be read") from None
    return _term(tree)


def _term(node: ast.expr) -> Term:
    match node:
        case ast.BoolOp(op=op, values=values):
            return Joined("and" if isinstance(op, ast.And) else "or", tuple(_term(value) for value in values))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return Not(_term(operand))
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return _comparison(left, operator, right)
        case ast.Compare():
            raise _refusal("compares more than two things at once; join comparisons with `and`")
    raise _refusal(f'{ast.unparse(node)[:60]} is no condition; write one like cadence == "weekly" or "berlin" in tags')


def _comparison(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Term:
    if isinstance(operator, ast.In | ast.NotIn):
        found = _in(left, right)
        return Not(found) if isinstance(operator, ast.NotIn) else found
    sign = _ORDER.get(type(operator))
    if sign is None:
        raise _refusal("knows ==, !=, <, <=, >, >=, in, not in, and, or, not")
    if not isinstance(left, ast.Name) and isinstance(right, ast.Name):
        left, right, sign = right, left, _TURNED[sign]
    name, value = _field(left), _text(right)
    if name == "tags":
        raise _refusal(f'tags are asked like this: "{value}" in tags')
    if name == "joined":
        return Comparison(name, sign, _day(value))
    if sign not in ("==", "!="):
        raise _refusal(f"{name} is compared with == and !=")
    return Comparison(name, sign, _allowed(name, value))


def _in(left: ast.expr, right: ast.expr) -> Term:
    if isinstance(right, ast.Name) and _field(right) == "tags":
        return Tagged(_text(left).strip().lower())
    if isinstance(right, ast.List | ast.Tuple | ast.Set) and (name := _field(left)) not in ("tags", "joined"):
        return OneOf(name, tuple(_allowed(name, _text(item)) for item in right.elts))
    raise _refusal('`in` is for tags ("berlin" in tags) and lists (cadence in ["daily", "weekly"])')


def _field(node: ast.expr) -> str:
    if not isinstance(node, ast.Name):
        raise _refusal(f"{ast.unparse(node)[:60]} stands where a field is wanted: {', '.join(FIELDS)}")
    if node.id not in FIELDS:
        near = difflib.get_close_matches(node.id, FIELDS, n=1)
        raise _refusal(
            f"{node.id} is unknown; " + (f"did you mean {near[0]}?" if near else f"there are {', '.join(FIELDS)}")
        )
    return node.id


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        raise _refusal(f'put {node.id} into quotation marks: "{node.id}"')
    raise _refusal(f"{ast.unparse(node)[:60]} stands where a text in quotation marks is wanted")


def _allowed(name: str, value: str) -> str:
    if name == "cadence" and value not in CADENCES:
        raise _refusal(f'"{value}" is no cadence; there are {", ".join(CADENCES)}')
    return value.lower() if name in ("email", "domain") else value


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise _refusal(f'"{value}" is no day; write one like "2026-01-31"') from None


def _refusal(why: str) -> InvalidInput:
    return InvalidInput({"segment": why})
