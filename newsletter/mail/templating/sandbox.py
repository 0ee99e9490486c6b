"""Where an author's Jinja runs: no files, no attributes but those listed, and a ceiling on
everything that can grow.

A few filters and methods are let in by name, for a reader's fields need little. What they return,
and what a loop goes through, is bounded where it arises; what a template writes is counted as it is
written. Nothing is measured in seconds, so that a busy machine refuses no letter.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from datetime import date
from functools import wraps
from itertools import islice
from typing import Any, cast

from jinja2 import (
    ChainableUndefined,
    StrictUndefined,
    TemplateError,
    Undefined,
    UndefinedError,
    nodes,
    pass_context,
)
from jinja2.filters import FILTERS as JINJAS
from jinja2.runtime import Context, LoopContext, markup_join, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

ROUNDS_AT_MOST = 1000
TEXT_AT_MOST = 2000
"""Characters of any one value, and of any one tag."""
NUMBER_AT_MOST = 10**15
WRITTEN_AT_MOST = 2_000_000
"""Characters that one letter writes for one reader."""
STEPS_AT_MOST = 20_000
"""What a letter does for one reader.

A step is a node of its template, each time it comes by; a filter is ten.
"""

FILTERS = (
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "e",
    "escape",
    "first",
    "float",
    "int",
    "join",
    "last",
    "length",
    "lower",
    "max",
    "min",
    "replace",
    "reverse",
    "round",
    "sort",
    "string",
    "title",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
)
TESTS = (
    "defined",
    "undefined",
    "none",
    "string",
    "number",
    "even",
    "odd",
    "divisibleby",
    "in",
    "eq",
    "equalto",
    "==",
    "ne",
    "!=",
    "lt",
    "lessthan",
    "<",
    "le",
    "<=",
    "gt",
    "greaterthan",
    ">",
    "ge",
    ">=",
    "lower",
    "upper",
    "true",
    "false",
)
OF_TEXTS = (
    "capitalize",
    "casefold",
    "endswith",
    "lower",
    "lstrip",
    "removeprefix",
    "removesuffix",
    "replace",
    "rstrip",
    "split",
    "startswith",
    "strip",
    "title",
    "upper",
)
OF_DAYS = ("day", "month", "year", "strftime", "weekday", "isoformat")
OF_LOOPS = (
    "cycle",
    "first",
    "index",
    "index0",
    "last",
    "length",
    "nextitem",
    "previtem",
    "revindex",
    "revindex0",
)


class Unset(Undefined):
    """A field that a reader has not filled in: false, and replaced by ``or`` and ``default``; an
    error where it would have to be written.
    """

    @property
    def _undefined_message(self) -> str:
        name = self._undefined_name
        return f'{name} is not set; write {{{{ {name} or "friend" }}}} for those who have none'

    def __str__(self) -> str:
        raise UndefinedError(self._undefined_message)


class LeftOut(ChainableUndefined):
    """What is not known of a reader of the archive, nor anything that is asked of it: false, and
    replaced by ``or`` and ``default``; where it is written by itself, an ellipsis stands, as a
    sentence must not end in the air.
    """

    def __str__(self) -> str:
        return "…"

    def __call__(self, *_: object, **__: object) -> LeftOut:  # type: ignore[override]
        return self


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja for letters.

    `fields` are the attributes that each class of a reader's values has.
    """

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, *, html: bool, fields: Mapping[type, Iterable[str]]) -> None:
        super().__init__(
            autoescape=html,
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            optimized=False,
            finalize=_written,
        )
        self.filters = {name: _bounded(JINJAS[name]) for name in FILTERS}
        self.filters |= {
            "round": _bounded(_round),
            "field_link": _link,
            "steps": _steps,
            "together": _bounded(
                lambda parts: (markup_join if html else str_join)(map(_written, parts))
            ),
        }
        self.tests = {name: self.tests[name] for name in TESTS}
        self.globals = {"range": range}
        self._fields = {str: OF_TEXTS, date: OF_DAYS, LoopContext: OF_LOOPS} | dict(fields)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """An attribute that is listed; any other is an error."""
        if isinstance(obj, LeftOut):
            return obj
        if isinstance(obj, Undefined):
            obj._fail_with_undefined_error()
        for kind, listed in self._fields.items():
            if isinstance(obj, kind) and attribute in listed:
                return getattr(obj, attribute)
        raise TemplateError(f".{attribute} is not for letters")

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An item by its number, a field by its name."""
        if isinstance(argument, str):
            return self.getattr(obj, argument)
        return obj[argument]

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """What a listed method, ``range`` or ``resource`` returns, if it is not too large."""
        return bounded(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic, and texts put together."""
        for side in (left, right):
            if isinstance(side, Undefined):
                return str(side)  # says what is not set; nothing, in the archive
        numbers = all(isinstance(side, int | float) for side in (left, right))
        texts = operator == "+" and all(isinstance(side, str) for side in (left, right))
        if operator == "**" or not (numbers or texts):
            raise TemplateError(
                f"{operator} is for numbers only" if operator != "**" else "** is not for letters"
            )
        return bounded(self.binop_table[operator](left, right))

    def ready(self, source: str) -> Template:
        """A template that counts its steps.

        Raises `TemplateError`.
        """
        try:
            return Template(self, source)
        except (RecursionError, MemoryError, SyntaxError, ValueError) as error:
            raise TemplateError(f"cannot be read: {error}") from None


class Template:
    """An author's template, ready to be filled in for one reader after another."""

    def __init__(self, sandbox: Sandbox, source: str) -> None:
        tree = _Counting().visit(sandbox.parse(source))
        tree.set_environment(sandbox)
        self._cost, self._template = cost(tree), sandbox.from_string(tree)

    def render(self, known: Mapping[str, object]) -> str:
        """What is written for a reader.

        Raises `TemplateError`, or what Python raises for what cannot be done.
        """
        left = _Left()
        left.take(self._cost)
        pieces = cast(Generator[str, None, None], self._template.generate(known, steps_left=left))
        out, size = [], 0
        for piece in pieces:
            size += len(piece)
            if size > WRITTEN_AT_MOST:
                pieces.throw(
                    TemplateError("the letter grows too long")
                )  # where it was writing, which has a line
            out.append(piece)
        return "".join(out)


class _Left:
    """How many steps a letter may still do for a reader."""

    def __init__(self) -> None:
        self._steps = STEPS_AT_MOST

    def take(self, steps: int) -> None:
        self._steps -= steps
        if self._steps < 0:
            raise TemplateError(
                "too much to do for every reader; use fewer fields, loops and filters"
            )


class _Counting(NodeTransformer):
    """Lets every loop count what it does, and texts that are put together be measured."""

    def visit_For(self, node: nodes.For, *_: Any) -> nodes.Node:  # noqa: N802 (Jinja's name)
        self.generic_visit(node)
        each = sum(cost(child) for child in (*node.body, *([node.test] if node.test else [])))
        node.iter = _filter(cast(nodes.Expr, node.iter), "steps", nodes.Const(each + 1))
        return node

    def visit_Concat(self, node: nodes.Concat, *_: Any) -> nodes.Node:  # noqa: N802 (Jinja's name)
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), "together")


def _filter(node: nodes.Expr, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


def cost(node: nodes.Node) -> int:
    """The steps of a part of a template that comes by once."""
    heavy = isinstance(node, nodes.Filter | nodes.Call | nodes.Concat)
    return (10 if heavy else 1) + sum(cost(child) for child in node.iter_child_nodes())


# ── what may be in a value
# ─────────────────────────────────────────────────────────────────────────


def bounded(value: Any) -> Any:
    """`value`, if it is not too large; what is counted out is a list.

    Raises `TemplateError`.
    """
    if isinstance(value, str):
        if len(value) > TEXT_AT_MOST:
            raise TemplateError(f"a field grows longer than {TEXT_AT_MOST} characters")
    elif isinstance(value, int):
        if abs(value) > NUMBER_AT_MOST:
            raise TemplateError("a number is too large")
    elif isinstance(value, range | list | tuple | Iterator):
        return _few(value)
    return value


def _few(value: Iterable[Any]) -> list[Any]:
    found = list(islice(value, ROUNDS_AT_MOST + 1))
    if len(found) > ROUNDS_AT_MOST:
        raise TemplateError(f"more than {ROUNDS_AT_MOST} rounds, or parts")
    return found


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter whose result is not too large."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        return bounded(function(*args, **kwargs))

    return run


def _written(value: Any) -> Any:
    """What stands between ``{{`` and ``}}``: a text, a number, a day."""
    if isinstance(value, str | int | float | date | Undefined) or value is None:
        return value
    raise TemplateError('a list cannot be written; write {{ …|join(", ") }}')


def _round(value: float, precision: int = 0) -> float:
    return round(value, max(0, min(precision, 10)))


def _link(value: object) -> str:
    text = str(value)
    if not text.startswith(("https://", "http://", "mailto:")):
        raise TemplateError("a link's address must begin with https://")
    return text


@pass_context
def _steps(context: Context, value: Iterable[Any], each: int) -> list[Any]:
    """What a loop goes through, once its steps are counted."""
    found = _few(value)
    context["steps_left"].take(len(found) * each)
    return found
