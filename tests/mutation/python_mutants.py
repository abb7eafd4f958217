"""What one small fault in a Python file looks like: each condition, number, flag and call changed in turn."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from tests.mutation.mutant import Mutant

_OTHER_COMPARISON = {
    ast.Lt: (b"<", b"<="),
    ast.LtE: (b"<=", b"<"),
    ast.Gt: (b">", b">="),
    ast.GtE: (b">=", b">"),
    ast.Eq: (b"==", b"!="),
    ast.NotEq: (b"!=", b"=="),
    ast.Is: (b"is", b"is not"),
    ast.IsNot: (b"is not", b"is"),
    ast.In: (b"in", b"not in"),
    ast.NotIn: (b"not in", b"in"),
}
_LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def mutants_of(source: bytes) -> list[Mutant]:
    """Return every mutant of a module, in the order of its lines; words and types are left alone."""
    collector = _Collector(source)
    collector.visit(ast.parse(source))
    return sorted(filter(lambda each: _compiles(each.applied_to(source)), collector.found))


def _compiles(source: bytes) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


class _Collector(ast.NodeVisitor):
    def __init__(self, source: bytes) -> None:
        self._source = source
        lengths = (len(line) for line in source.splitlines(keepends=True))
        self._starts = [0, *itertools.accumulate(lengths)]
        self._classes: list[str] = []
        self._function = ""
        self.found: list[Mutant] = []

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(default)
        is_outermost = not self._function
        if is_outermost:
            self._function = ".".join([*self._classes, node.name])
        for part in node.body:
            self.visit(part)
        if is_outermost:
            self._function = ""

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._classes.append(node.name)
        for part in node.body:
            self.visit(part)
        self._classes.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Leaves sentences alone."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """Leaves what is only said to readers and the type checker alone."""

    def visit_Expr(self, node: ast.Expr) -> None:
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if not isinstance(call, ast.Call) or _is_log(call):
            return
        self._change(*self._range(node), b"pass", "not called")
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        is_guard = isinstance(node.body[-1], _LEAVES) and not node.orelse
        self._change_test(node.test, "and False" if is_guard else "negated")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._change_test(node.test, "negated")
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._change_test(test, "or True")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for left, op, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            old, new = _OTHER_COMPARISON[type(op)]
            start, end = self._range(left)[1], self._range(right)[0]
            at = self._source.index(old.split()[0], start, end)
            after = self._source.index(old.split()[-1], at, end) + len(old.split()[-1])
            self._change(at, after, new)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        neutral = b"True" if isinstance(node.op, ast.And) else b"False"
        for operand in node.values:
            self._change(*self._range(operand), neutral)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            start = self._range(node)[0]
            self._change(start, start + len(b"not"), b"", "without not")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        signs = {ast.Add: (b"+", b"-"), ast.Sub: (b"-", b"+")}
        if type(node.op) in signs and not _is_text(node.left) and not _is_text(node.right):
            old, new = signs[type(node.op)]
            at = self._source.index(old, self._range(node.left)[1])
            self._change(at, at + 1, new)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._change(*self._range(node), str(not node.value).encode())
        elif isinstance(node.value, int | float):
            for other in _neighbours(node.value):
                self._change(*self._range(node), repr(other).encode())

    def visit_Call(self, node: ast.Call) -> None:
        if not _is_log(node):
            self.generic_visit(node)

    def _change_test(self, test: ast.expr, how: str) -> None:
        start, end = self._range(test)
        old = self._source[start:end]
        new = {"and False": b"((%s) and False)", "or True": b"((%s) or True)", "negated": b"(not (%s))"}
        self._change(start, end, new[how] % old, how)

    def _change(self, start: int, end: int, new: bytes, how: str = "") -> None:
        self.found.append(Mutant.of(self._source, start, end, new, how, self._function))

    def _range(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        return start, self._starts[node.end_lineno - 1] + node.end_col_offset


def _neighbours(number: int | float) -> Iterator[int | float]:
    yield number + 1
    if number > 1:
        yield number - 1


def _is_log(call: ast.Call) -> bool:
    name = call.func
    while isinstance(name, ast.Attribute):
        name = name.value
    return isinstance(name, ast.Name) and name.id == "logger"


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
