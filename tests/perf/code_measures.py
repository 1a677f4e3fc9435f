"""Prints measures of the code: sizes, complexity, types, documentation, comments, import circles.

    python -m tests.perf.code_measures

Function lines leave docstrings out. Complexity is 1 and one more for each branch, boolean operator,
conditional expression, handler and comprehension. A tensor function takes or returns a Tensor.
"""

from __future__ import annotations

import ast
import io
import re
import statistics
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("bench", "results", "tasks", "variants")
BRANCHES = (
    ast.If, ast.For, ast.While, ast.ExceptHandler, ast.IfExp, ast.comprehension, ast.match_case,
    ast.Assert,
)  # fmt: skip
SHAPE = re.compile(r"_[A-Z0-9]{1,4}\b|\((?:[A-Z]\w{0,2}|\.\.\.)?(?:, ?(?:\w{1,3}|\.\.\.))*,?\)")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def files(room: str) -> list[Path]:
    """Return the Python files below a folder of the project."""
    paths = sorted((ROOT / room).rglob("*.py"))
    # scripts as strangers write them are data
    return [path for path in paths if "wild" not in path.parts or path.parent.name == "wild"]


def functions(tree: ast.AST) -> Iterator[Function]:
    """Yield every function of a module, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions inside it."""
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)


def complexity(function: Function) -> int:
    """Return the number of ways through a function, as the head of this file counts them."""
    count = 1
    for node in own_nodes(function):
        count += isinstance(node, BRANCHES)
        count += len(node.values) - 1 if isinstance(node, ast.BoolOp) else 0
        count += len(node.ifs) if isinstance(node, ast.comprehension) else 0
    return count


def docstring_lines(node: Function | ast.ClassDef | ast.Module) -> int:
    """Return how many lines a node's docstring takes."""
    if ast.get_docstring(node) is None:
        return 0
    first = node.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1


def lines(function: Function) -> int:
    """Return the lines of a function without its docstring."""
    return (function.end_lineno or 0) - function.lineno + 1 - docstring_lines(function)


def comment_lines(text: str) -> int:
    """Return how many comments a file has."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(token.type == tokenize.COMMENT for token in tokens)


def code_lines(text: str, tree: ast.Module) -> int:
    """Return the lines that are neither blank, comments nor docstrings."""
    documented = sum(
        docstring_lines(node)
        for node in ast.walk(tree)
        if isinstance(node, Function | ast.ClassDef | ast.Module)
    )
    written = sum(bool(s := line.strip()) and not s.startswith("#") for line in text.splitlines())
    return written - documented


def percentile(values: Sequence[int], share: float) -> int:
    """Return the value that this share of the values does not exceed."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def circles(runtime_only: bool) -> int:
    """Return how many groups of modules import each other, with typing-only imports or without."""
    import_graph: dict[str, set[str]] = {}
    names = {module_name(path): path for room in ROOMS for path in files(room)}
    for name, path in names.items():
        import_graph[name] = set()
        tree = ast.parse(path.read_text("utf-8"))
        skipped = {
            child
            for node in ast.walk(tree)
            if runtime_only
            and isinstance(node, ast.If)
            and "TYPE_CHECKING" in ast.unparse(node.test)
            for child in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node not in skipped:
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    target = whole if whole in names else node.module
                    if target in names and target != name:
                        import_graph[name].add(target)
    return sum(len(group) > 1 for group in strongly_connected(import_graph))


def module_name(path: Path) -> str:
    """Return the dotted name of a file of the project."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def strongly_connected(graph: dict[str, set[str]]) -> list[set[str]]:
    """Return the groups of nodes that reach each other (by reachability: the graph is small)."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for following in graph[waiting.pop()] - seen:
                seen.add(following)
                waiting.append(following)
        reach[start] = seen
    groups, left = [], set(graph)
    while left:
        node = left.pop()
        group = {node} | {other for other in left if other in reach[node] and node in reach[other]}
        left -= group
        groups.append(group)
    return groups


def share(found: Iterable[bool]) -> str:
    """Write which share of some answers is yes, and of how many."""
    answers = list(found)
    return f"{sum(answers) / len(answers):.0%} of {len(answers)}"


def shaped(function: Function) -> bool:
    """Return whether a function states shapes, in its docstring or its parameters' names."""
    said = [ast.get_docstring(function) or "", *(a.arg for a in function.args.args)]
    return bool(SHAPE.search(" ".join(said)))


def takes_tensors(function: Function) -> bool:
    """Return whether a function has a Tensor among its parameters or returns one."""
    returned = ast.unparse(function.returns) if function.returns else ""
    return "Tensor" in ast.unparse(function.args) + returned


def public(tree: ast.Module) -> Iterator[Function | ast.ClassDef]:
    """Yield the public classes and functions of a module, and the public methods."""
    for parent in ast.walk(tree):
        if isinstance(parent, ast.Module | ast.ClassDef):
            for node in parent.body:
                if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
                    yield node


def typed(every: Iterable[Function]) -> Iterator[bool]:
    """Yield for each parameter whether it has a type."""
    for function in every:
        args = function.args
        for one in (*args.posonlyargs, *args.args, *args.kwonlyargs):
            if one.arg not in ("self", "cls"):
                yield one.annotation is not None


def above(complexities: Sequence[int]) -> str:
    """Write the mean of complexities, and the share of those above 10."""
    mean = statistics.fmean(complexities)
    return f"{mean:.1f} / {sum(c > 10 for c in complexities) / len(complexities):.1%}"


def rows() -> Iterator[tuple[str, object]]:
    """Yield each measure of the four rooms."""
    texts = {path: path.read_text("utf-8") for room in ROOMS for path in files(room)}
    trees = {path: ast.parse(text) for path, text in texts.items()}
    every = [function for tree in trees.values() for function in functions(tree)]
    sizes, file_sizes = [lines(f) for f in every], [len(t.splitlines()) for t in texts.values()]
    code = sum(code_lines(texts[path], tree) for path, tree in trees.items())
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    documented = sum(
        docstring_lines(node)
        for node in nodes
        if isinstance(node, Function | ast.ClassDef | ast.Module)
    )
    tests = sum(len(path.read_text("utf-8").splitlines()) for path in files("tests"))
    readme = (ROOT / "README.md").read_text("utf-8")
    folder, fullest = Counter(path.parent.relative_to(ROOT) for path in texts).most_common(1)[0]
    yield "files / lines", f"{len(texts)} / {sum(file_sizes) / 1000:.1f}k"
    yield "file median / max", f"{statistics.median(file_sizes):.0f} / {max(file_sizes)}"
    yield "function median / p90", f"{statistics.median(sizes):.0f} / {percentile(sizes, 0.9)}"
    yield "longest function", max(sizes)
    yield "complexity mean / above 10", above([complexity(f) for f in every])
    for room in ROOMS:
        inside = [f for path in files(room) for f in functions(trees[path])]
        yield f"  in {room}", above([complexity(f) for f in inside])
    yield "parameters typed", share(typed(every))
    yield (
        "public documented",
        share(ast.get_docstring(n) is not None for tree in trees.values() for n in public(tree)),
    )
    yield "forward methods state shapes", share(shaped(f) for f in every if f.name == "forward")
    yield "tensor functions state shapes", share(shaped(f) for f in every if takes_tensors(f))
    yield "comments / code", f"{sum(map(comment_lines, texts.values())) / code:.3f}"
    yield "docstring lines / code", f"{documented / code:.2f}"
    yield "lines of tests / lines", f"{tests / sum(file_sizes):.2f}"
    yield "import circles (with typing)", f"{circles(True)} ({circles(False)})"
    yield "fullest folder", f"{fullest} ({folder})"
    yield "README words / lines", f"{len(readme.split()):,} / {len(readme.splitlines())}"


if __name__ == "__main__":
    for title, value in rows():
        print(f"{title:30} {value}")
