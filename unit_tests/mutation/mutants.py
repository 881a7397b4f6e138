"""One module and all of its mutants: each has one node replaced. Words are left alone: docstrings, sentences, logs."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OPPOSITES = (
    *((ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn)),
    *((ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.BitOr, ast.BitAnd), (ast.LShift, ast.RShift)),
)
OPERATORS: dict[type[ast.AST], Any] = {
    **{one: other for pair in OPPOSITES for one, other in (pair, pair[::-1])},
    **dict.fromkeys((ast.FloorDiv, ast.Mod, ast.Pow), ast.Mult),
    ast.BitXor: ast.BitAnd,
}
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
# What is no code, or only says how code is written.
LEFT_OUT = {"annotation", "returns", "decorator_list", "bases", "type_params", "ctx"}
NAMES = {"__slots__", "__all__"}
LOGGERS = {"logger", "_logger"}


@dataclass(frozen=True, eq=False)
class Mutant:
    """`replacement` in the place of what `parent` has in `field`, at `index` where that is a list."""

    line: int
    before: str
    after: str
    parent: ast.AST
    field: str
    index: int | None
    replacement: ast.AST

    def apply(self) -> None:
        """Breaks the module's tree, for good."""
        if self.index is None:
            setattr(self.parent, self.field, self.replacement)
        else:
            getattr(self.parent, self.field)[self.index] = self.replacement


class Module:
    """A module's tree, and its mutants in the order of the text."""

    def __init__(self, path: Path) -> None:
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.mutants = list(_mutants_below(self.tree))


def _mutants_below(node: ast.AST, *, in_class: bool = False) -> Iterator[Mutant]:
    for field, value in ast.iter_fields(node):
        if field in LEFT_OUT:
            continue
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if not isinstance(child, ast.AST) or _is_no_code(child):
                continue
            for replacement in _broken(child, in_class=in_class):
                ast.copy_location(replacement, child)
                ast.fix_missing_locations(replacement)
                before, after = ast.unparse(child), ast.unparse(replacement)
                yield Mutant(getattr(child, "lineno", 0), before, after, node, field, index, replacement)
            inside = isinstance(child, ast.ClassDef) or (in_class and not isinstance(child, ast.FunctionDef))
            yield from _mutants_below(child, in_class=inside)


def _is_no_code(node: ast.AST) -> bool:
    """Docstrings, sentences, log lines, and what only the type checker reads."""
    if isinstance(node, (ast.JoinedStr, ast.Import, ast.ImportFrom, ast.Assert)):
        return True
    if isinstance(node, ast.Expr):
        value = node.value
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            return _last_name(value.func.value) in LOGGERS
        return isinstance(value, ast.Constant)
    if isinstance(node, ast.Assign):
        return any(_last_name(target) in NAMES for target in node.targets)
    if isinstance(node, ast.AnnAssign):
        return _last_name(node.annotation) == "TypeAlias"
    return isinstance(node, ast.If) and _last_name(node.test) == "TYPE_CHECKING"


def _last_name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _broken(node: ast.AST, *, in_class: bool) -> Iterator[ast.AST]:
    """What may stand in the place of this node."""
    if isinstance(node, ast.stmt):
        yield from _broken_statement(node)
    elif isinstance(node, ast.Constant):
        yield from _broken_constant(node, in_class=in_class)
    elif isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            changed = copy.deepcopy(node)
            changed.ops[index] = OPERATORS[type(operator)]()
            yield changed
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.UnaryOp):
        yield ast.UnaryOp(ast.UAdd(), node.operand) if isinstance(node.op, ast.USub) else node.operand
    elif isinstance(node, ast.BinOp):
        yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
        yield ast.Call(ast.Name(CALLS[node.func.id], ast.Load()), node.args, node.keywords)


def _broken_constant(node: ast.Constant, *, in_class: bool) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, (int, float)):
        yield ast.Constant(value + 1)
        yield ast.Constant(value - 1)
    elif isinstance(value, (str, bytes)) and value and not in_class:  # in a class they are names of an enumeration
        text = value if isinstance(value, str) else value.decode("latin-1")
        if not any(map(str.isspace, text)):
            yield ast.Constant(f"XX{text}" if isinstance(value, str) else b"XX" + value)


def _broken_statement(node: ast.stmt) -> Iterator[ast.AST]:
    if isinstance(node, (ast.Expr, ast.Raise, ast.AugAssign, ast.Delete)):
        yield ast.Pass()
    elif isinstance(node, ast.Assign):
        # A name that is never set would be a crash, which says little.
        if all(isinstance(target, (ast.Attribute, ast.Subscript)) for target in node.targets):
            yield ast.Pass()
        elif not isinstance(node.value, (ast.Constant, ast.Tuple)):
            yield ast.Assign(node.targets, ast.Constant(None))
    elif isinstance(node, ast.Return):
        # In the place of False, None changes nothing, and True is what the constant itself becomes.
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value in (None, False)):
            yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Continue):
        yield ast.Break()
    elif isinstance(node, ast.Break):
        yield ast.Continue()
    elif isinstance(node, ast.If) and not isinstance(node.test, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
        yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
