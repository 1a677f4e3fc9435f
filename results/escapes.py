"""Makes texts harmless for the form that they are written in; each form has its one function here.

Names and texts come from outside: from corpora, plugins, tracebacks and other people's stores. A
control character could move the cursor of a terminal or change its title, and a mark of a form
(a bar in Markdown, a bracket in HTML) would be taken for the form's own.
"""

from __future__ import annotations

import html
import re

_REPLACEMENT = "�"
_PICTURES = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}
_BIDIRECTIONAL = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_INVISIBLE = (*range(0x80, 0xA0), 0x2028, 0x2029, *_BIDIRECTIONAL, *range(0xD800, 0xE000))
_HARMLESS = _PICTURES | {0x7F: "␡"} | dict.fromkeys(_INVISIBLE, _REPLACEMENT)
"""Replacements of control characters, of marks that turn the direction of writing, and of halves of
surrogate pairs, for which UTF-8 has no form."""
_HARMFUL = re.compile(f"[{''.join(re.escape(chr(code)) for code in _HARMLESS)}]")
_MARKDOWN = re.compile(r"([\\`*\[\]|~#$])|(?<!\w)_|_(?!\w)")
_MARKDOWN_TAGS = str.maketrans({"<": "&lt;", "&": "&amp;"})
_LATEX = str.maketrans({
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    # after a row's end these would be its options
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    ">": r"$>$",
    "<": r"$<$",
})  # fmt: skip
_FORMULA_STARTS = ("=", "+", "-", "@")
_SECRET = re.compile(r"([?&;]\w*(?:pass|pwd|secret|token|key)\w*=)[^&;\s]*", re.IGNORECASE)
"""Finds the value of a secret in the query of a URI."""
SHORTENED_TO = 2_000
"""Characters that a message keeps at most."""


def plain(text: str) -> str:
    """Return text for a terminal: several lines, with other control characters made visible."""
    return text.translate(_HARMLESS)


def one_line(text: str) -> str:
    """Return text as one line of a terminal or a table."""
    return plain(re.sub(r"\s*[\n\r]\s*|\t", " ", text))


def shortened(text: str, most: int = SHORTENED_TO) -> str:
    """Return the beginning of a text, and how much was left out."""
    if len(text) <= most:
        return text
    return f"{text[:most]} ... ({len(text) - most:,} more characters)"


def error_text(error: BaseException) -> str:
    """Return the class and the message of an error from outside, whose text may raise one too."""
    try:
        message = str(error)
    except BaseException:
        message = "its message cannot be read"
    return shortened(f"{type(error).__name__}: {message}")


def without_passwords(text: str) -> str:
    """Return text in which no URI names a user or a secret: they become three asterisks."""
    return _SECRET.sub(r"\1***", re.sub(r"(\w://)\S*@", r"\1***@", text))


def for_html(text: str) -> str:
    """Return text for the inside of an element or of a quoted attribute."""
    return html.escape(plain(text))


def for_markdown(text: str) -> str:
    """Return text for a cell, a heading or a paragraph."""
    safe = _MARKDOWN.sub(lambda found: f"\\{found[0]}", one_line(text))
    return safe.translate(_MARKDOWN_TAGS)


def for_latex(text: str) -> str:
    """Return text for a cell or a caption."""
    return one_line(text).translate(_LATEX)


def for_csv(text: str) -> str:
    """Return text for a cell, which no spreadsheet takes for a formula."""
    safe = plain(text)
    return f"'{safe}" if safe.lstrip().startswith(_FORMULA_STARTS) else safe


def for_json(text: str) -> str:
    """Return a JSON text in which control characters and bare surrogates are escapes."""
    return _HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
