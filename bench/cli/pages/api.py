"""Renders what `import bench` offers as Markdown, made from signatures and docstrings.

python -m bench.cli.pages.api > docs/api.md
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

import bench

API_HEAD = """# What `import bench` offers

Every function for scripts and notebooks, with its arguments and errors. Made by
`python -m bench.cli.pages.api > docs/api.md`; a test holds it current. [From Python](python.md)
shows how they are used together. Importing `bench` loads nothing else: each of these is loaded when
it is first used. `Names` stands for one name, several, or None for all."""
OWN_METHODS = ("__enter__", "__call__")
"""Methods with special names that a page shows, where they have a docstring."""
PARTS = ("Args", "Returns", "Raises")
"""Headings of the parts of a docstring."""


def api_page() -> str:
    """Return the page as Markdown: functions first, then the classes that they return."""
    functions = list(_functions())
    returned = [_returned(function) for _, function in functions]
    classes = dict.fromkeys(kind for kind in returned if kind is not None)
    parts = [API_HEAD]
    parts += [_section(f"bench.{name}", function) for name, function in functions]
    parts += [_class_section(kind) for kind in classes]
    return "\n\n".join(parts) + "\n"


def _functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield all functions by name; those of a module follow each other."""
    for name in bench.__all__:
        value = getattr(bench, name)
        if not isinstance(value, ModuleType):
            yield name, value
            continue
        for inner, function in vars(value).items():
            own = getattr(function, "__module__", "") == value.__name__
            if own and inspect.isfunction(function) and not inner.startswith("_"):
                yield f"{name}.{inner}", function


def _returned(function: Callable[..., Any]) -> type | None:
    """Return the class of bench that a function returns, if it does."""
    plain = inspect.unwrap(function)
    found = plain.__globals__.get(str(inspect.signature(plain).return_annotation))
    if isinstance(found, type) and found.__module__.startswith("bench."):
        return found
    return None


def _class_section(kind: type) -> str:
    """Return the section of a class: what it is, then its methods and properties."""
    parts = [f"## {kind.__name__}", _text(kind)]
    for name, member in vars(kind).items():
        shown = not name.startswith("_") or name in OWN_METHODS
        if shown and isinstance(member, property):
            parts += [f"### {kind.__name__}.{name}", _text(member)]
        elif shown and inspect.isfunction(member) and member.__doc__:
            parts.append(_section(f"{kind.__name__}.{name}", member, level=3))
    return "\n\n".join(parts)


def _section(name: str, function: Callable[..., Any], level: int = 2) -> str:
    """Return the section of one function: its signature, then its docstring."""
    usage = f"```python\n{_usage(name, function)}\n```"
    return "\n\n".join([f"{'#' * level} {name}", usage, _text(function)])


def _usage(name: str, function: Callable[..., Any]) -> str:
    """Return a signature on one line, or on a line for each argument if that is too long."""
    signature = inspect.signature(function)
    parameters = [p for p in signature.parameters.values() if p.name != "self"]
    written = list(_written(parameters))
    returned = str(signature.return_annotation).strip("'")
    end = f" -> {returned}" if signature.return_annotation is not inspect.Signature.empty else ""
    line = f"{name}({', '.join(written)}){end}"
    if len(line) <= 88:
        return line
    return f"{name}(\n" + "".join(f"    {part},\n" for part in written) + f"){end}"


def _written(parameters: Sequence[inspect.Parameter]) -> Iterator[str]:
    """Yield parameters as in the source, with the star before those that are given by name."""
    starred = False
    for parameter in parameters:
        starred = starred or parameter.kind is parameter.VAR_POSITIONAL
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            starred = True
            yield "*"
        # annotations are texts, which would be written in quotes
        text = str(parameter).replace(f"'{parameter.annotation}'", str(parameter.annotation))
        yield text.replace("'", '"')


def _text(value: Any) -> str:
    """Return a docstring as Markdown: arguments and errors become lists."""
    return "\n\n".join(_parts(inspect.getdoc(value) or ""))


def _parts(docstring: str) -> Iterator[str]:
    opening, *rest = re.split(rf"^({'|'.join(PARTS)}):\n", docstring, flags=re.M)
    yield opening.strip("\n")
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        text = inspect.cleandoc(f"\n{body}")
        yield f"{title}:\n\n{text if title == 'Returns' else _list(text)}"


def _list(text: str) -> str:
    """Return `name: what it is` lines as a list; an indented line goes on with the one before."""
    items = re.split(r"\n(?=\S)", text)
    lines = [re.sub(r"^([*\w]+):", r"`\1`:", " ".join(item.split())) for item in items]
    return "\n".join(f"- {line}" for line in lines)


if __name__ == "__main__":
    print(api_page(), end="")
