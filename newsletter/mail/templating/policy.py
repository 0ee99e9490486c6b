"""Check the author's Jinja before it is rendered, so that mistakes are reported with their lines.

sandbox.py enforces the same limits at run time, because some depend on the values.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NoReturn

from jinja2 import nodes

from newsletter.errors import InvalidInput
from newsletter.html.text import to_plain_lines
from newsletter.i18n import Text
from newsletter.mail.templating import allowed_names, sandbox
from newsletter.mail.templating.merge_fields import FIELDS

FUNCTIONS = ("resource",)
"""The functions that letters may call, besides `range`."""
DEPTH_AT_MOST = 10
"""Levels of nested conditions and loops; deeper ones would exhaust the stack."""
TAGS_AT_MOST = 1000
"""Jinja tags of one letter, each of which becomes a part of every message."""
_STATEMENTS = (nodes.If, nodes.For, nodes.Assign, nodes.With, nodes.Output)
_REFUSED: dict[type[nodes.Node], str] = {
    nodes.Pow: "**",
    nodes.Dict: "{…: …}",
    nodes.NSRef: "namespace",
}
_ATTRIBUTES = frozenset(
    (
        *FIELDS,
        *allowed_names.TEXT_METHODS,
        *allowed_names.DATE_ATTRIBUTES,
        *allowed_names.LOOP_ATTRIBUTES,
    )
)


def check(tree: nodes.Template, where: str, line: int) -> None:
    """Raise `InvalidInput` for Jinja that letters may not contain, and for unknown fields.

    `line` is the number of the first line.

    Raises `InvalidInput`.
    """
    _Check(tree, where, line).run()


def list_resources(tree: nodes.Template) -> set[str]:
    """Return the names of files in calls with a constant name: ``resource("guide")``."""
    return {
        call.args[0].value
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name == "resource" and call.args
        if isinstance(call.args[0], nodes.Const) and isinstance(call.args[0].value, str)
    }


def find_attributes(tree: nodes.Template) -> set[str]:
    """Return the names of all attributes, and of items with constant names."""
    attributes = {node.attr for node in tree.find_all(nodes.Getattr)}
    items = (node.arg for node in tree.find_all(nodes.Getitem))
    return attributes | {item.value for item in items if isinstance(item, nodes.Const)}


def _is_answers(node: nodes.Node) -> bool:
    """Tell whether a node is `subscriber.fields`, whose attributes depend on the list."""
    match node:
        case nodes.Getattr(node=nodes.Name(name="subscriber"), attr="fields"):
            return True
    return False


class _Check:
    def __init__(self, tree: nodes.Template, where: str, line: int) -> None:
        self.tree = tree
        self.where = where
        self.line = line
        names = tree.find_all(nodes.Name)
        variables = {node.name for node in names if node.ctx in ("store", "param")}
        self.known = {"subscriber", "loop", "range", *FUNCTIONS, *variables}

    def run(self) -> None:
        """Check depth, statements and every node of the letter's template."""
        self._check_depth(self.tree, 0, 0)
        for statement in self.tree.find_all(nodes.Stmt):
            if not isinstance(statement, _STATEMENTS):
                self._refuse(statement, Text("letters know if, for, set and with, nothing else"))
        for node in self.tree.find_all(nodes.Node):
            self._check_node(node)

    def _check_depth(self, node: nodes.Node, depth: int, loops: int) -> None:
        if isinstance(node, nodes.For):
            loops += 1
            if loops > 2:
                self._refuse(node, Text("loops stand in a loop, and no deeper"))
            if node.recursive:
                self._refuse(node, Text("a loop that calls itself is not for letters"))
        if isinstance(node, nodes.Stmt) and depth > DEPTH_AT_MOST:
            self._refuse(
                node, Text("conditions and loops stand at most %(most)s deep", most=DEPTH_AT_MOST)
            )
        for child in node.iter_child_nodes():
            self._check_depth(
                child, depth + isinstance(child, nodes.If | nodes.For | nodes.With), loops
            )

    def _check_node(self, node: nodes.Node) -> None:
        match node:
            case nodes.Name(name=name, ctx="load") if name not in self.known:
                self._refuse_unknown(node, name, self.known)
            case (
                nodes.Getattr(node=whose, attr=attr)
                | nodes.Getitem(node=whose, arg=nodes.Const(value=str(attr)))
            ):
                self._check_attribute(node, whose, attr)
            case nodes.Filter(name=name) if name not in allowed_names.FILTERS:
                self._refuse_construct(
                    node, Text("the filter %(name)s", name=name), name, allowed_names.FILTERS
                )
            case nodes.Test(name=name) if name not in allowed_names.TESTS:
                self._refuse_construct(
                    node, Text("the test %(name)s", name=name), name, allowed_names.TESTS
                )
            case nodes.Const(value=value):
                self._check_constant(node, value)
            case nodes.List(items=items) | nodes.Tuple(items=items, ctx="load"):
                if any(
                    isinstance(item, nodes.Name | nodes.List | nodes.Tuple | nodes.Concat)
                    for item in items
                ):
                    self._refuse(node, Text("a list holds texts, numbers and subscriber.… only"))
            case nodes.Call(dyn_args=args, dyn_kwargs=kwargs) if args or kwargs:
                self._refuse(node, Text("* and ** before arguments are not for letters"))
        if type(node) in _REFUSED:
            self._refuse(
                node, Text("%(construct)s is not for letters", construct=_REFUSED[type(node)])
            )

    def _check_attribute(self, node: nodes.Node, whose: nodes.Node, attribute: str) -> None:
        if isinstance(whose, nodes.Name) and whose.name == "subscriber" and attribute not in FIELDS:
            self._refuse_unknown(
                node, f"subscriber.{attribute}", {f"subscriber.{field}" for field in FIELDS}
            )
        if attribute not in _ATTRIBUTES and not _is_answers(whose):
            self._refuse_construct(
                node,
                f".{attribute}",
                f".{attribute}",
                (f".{method}" for method in allowed_names.TEXT_METHODS),
            )

    def _check_constant(self, node: nodes.Node, value: object) -> None:
        if isinstance(value, str) and to_plain_lines(value) != value:
            self._refuse(node, Text("a text holds a character that no mail can carry"))
        if isinstance(value, int) and value > sandbox.NUMBER_AT_MOST:
            self._refuse(node, Text("a number is too large"))

    def _refuse_construct(
        self, node: nodes.Node, construct: str, name: str, listed: Iterable[str]
    ) -> NoReturn:
        near = difflib.get_close_matches(name, listed := sorted(listed), n=1)
        hint = (
            Text("did you mean %(near)s?", near=near[0])
            if near
            else Text("there are %(names)s", names=", ".join(listed))
        )
        self._refuse(
            node,
            Text("%(construct)s is not for letters; %(hint)s", construct=construct, hint=hint),
        )

    def _refuse_unknown(self, node: nodes.Node, name: str, known: Iterable[str]) -> NoReturn:
        near = difflib.get_close_matches(name, list(known), n=1)
        fields = ", ".join(f"subscriber.{field}" for field in FIELDS)
        hint = (
            Text("did you mean %(near)s?", near=near[0])
            if near
            else Text("letters know %(fields)s", fields=fields)
        )
        self._refuse(node, Text("%(name)s is unknown; %(hint)s", name=name, hint=hint))

    def _refuse(self, node: nodes.Node, why: Text) -> NoReturn:
        raise InvalidInput(
            {self.where: Text("line %(line)s: %(why)s", line=self.line + node.lineno - 1, why=why)}
        )
