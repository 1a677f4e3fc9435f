"""Writes what a report says first: the scores of each task, and what is sure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from results import metrics
from results.compare.judging import ComparisonRow
from results.compare.measures import measure
from results.escapes import for_html
from results.report.content import FoundCause, Section, found_causes
from results.report.page import note
from results.summary import SummaryRow
from results.tables.effects import effect_text, interval_text, is_large, verdict_text
from results.tables.folding import score_text

SURE_SHOWN = 4
"""Differences that are told of each task: the largest of those that are sure."""
HOW_TO_READ = (
    '<p class="note">Each option is compared with the default on the same seeds. '
    "<b>better</b> and <b>worse</b> are significant: over the whole report, 5 in 100 of these "
    "words are false at most, on average (sign-flip tests, Benjamini and Hochberg). "
    "<b>no difference seen</b> is an interval within what matters, <b>tie</b> one of seeds enough "
    "to exclude that a side fails in more than 10 % of runs; <b>not significant yet</b> says how "
    "many more seeds would decide if effect and spread stay the same.</p>"
)
LIKELY_SHOWN = 2
"""Lines that a card has at least, if large differences are there that are not yet significant."""
SURE = ("better", "worse")
"""Verdicts that say that two options differ."""


def at_a_glance(sections: Sequence[Section], rows: Sequence[Sequence[ComparisonRow]]) -> list[str]:
    """Return a card for each task: the default's score, the best one, and what surely differs.

    Tasks of which something is sure come first.

    Args:
        sections: The tables of the report.
        rows: The effects in each of them, on scores and on costs.
    """
    paired = list(zip(sections, rows, strict=True))
    paired.sort(key=lambda pair: not any(row["verdict"] in SURE for row in pair[1]))
    cards = [_card(section, effects) for section, effects in paired]
    return ["<h2>At a glance</h2>", f'<div class="cards">{"".join(cards)}</div>', HOW_TO_READ]


def doctor_at_a_glance(sections: Sequence[Section]) -> list[str]:
    """Return what the doctor found in all tables: each cause, how often, and what to change."""
    examined = sum(row["examined"] for section in sections for row in section.summary)
    if not examined:
        return []
    head = '<h2 id="doctor">What the doctor found</h2>'
    found = list(found_causes(sections))
    rest = _unsolved([row for section in sections for row in section.summary])
    if not found:
        return [head, note([f"No fault in {examined:,} examined runs. {rest}"])]
    lines = "".join(map(_cause_line, found))
    told = f"{examined:,} runs were examined; a run can have several causes. {rest}"
    return [head, f'<ul class="causes">{lines}</ul>', note([told])]


def _unsolved(rows: Sequence[SummaryRow]) -> str:
    """Return a sentence on the runs that did not reach a target that they have."""
    with_target = [row for row in rows if row["has_target"]]
    count = sum(row["seeds"] - row["solved"] for row in with_target)
    if not count:
        return "All runs that have a target reached it." if with_target else ""
    told = f"{count:,} run{'s' * (count != 1)} did not reach their target"
    return f"{told}: bench doctor --all says how they stand."


def _cause_line(found: FoundCause) -> str:
    """Return a cause as an item of a list, which reads well at any width."""
    runs = f"{found.runs:,} run{'s' * (found.runs != 1)}"
    return (
        f"<li><b>{for_html(found.cause)}</b> in {runs}: {for_html(found.where)}.<br>"
        f"Seen: {for_html(found.example.evidence)}.<br>"
        f"Change: {for_html(found.example.change)}.</li>"
    )


def _card(section: Section, rows: Sequence[ComparisonRow]) -> str:
    title = metrics.score(section.summary[0]["metric"]).title
    scores = _score_lines(section.summary)
    found = "".join(f"<li>{line}</li>" for line in _sure_lines(rows))
    return (
        f'<section class="card"><h3><a href="#{section.name}">{for_html(section.task)}</a></h3>'
        f'<p class="note">{for_html(section.setting)}</p>'
        f"<p>{for_html(title)}: {scores}</p><ul>{found}</ul></section>"
    )


def _score_lines(summary: Sequence[SummaryRow]) -> str:
    """Return the scores of the default and of the best variant."""
    best = summary[0]
    parts = [_scored(row) for row in summary if row["variant"] == "base"]
    if best["variant"] != "base":
        parts.append(_scored(best))
    return ", ".join(parts)


def _scored(row: SummaryRow) -> str:
    name = "default" if row["variant"] == "base" else row["variant"]
    solved = f"solved {row['solved']}/{row['seeds']}"
    return f"{for_html(name)} <b>{for_html(score_text(row))}</b> ({solved})"


def _sure_lines(rows: Sequence[ComparisonRow]) -> list[str]:
    """Return the largest sure differences, then how many comparisons are tied or open."""
    judged = [row for row in rows if row["verdict"] is not None]
    sure = [row for row in judged if row["verdict"] in SURE]
    # scores before costs, and what matters most first
    sure.sort(key=lambda row: (_place(row), -abs(row["effect"] or 0.0)))
    lines = [_sure_line(row) for row in sure[:SURE_SHOWN]]
    likely = sorted(filter(is_large, _leading(judged)), key=lambda row: -abs(row["effect"] or 0.0))
    lines += [_likely_line(row) for row in likely[: max(LIKELY_SHOWN - len(lines), 0)]]
    if len(sure) > SURE_SHOWN:
        lines.append(f"{len(sure) - SURE_SHOWN} more sure differences below")
    return [*lines, *_open_line(judged)] or ["nothing to compare"]


def _place(row: ComparisonRow) -> int:
    """Return the place of a measure: scores, then the cost to reach the target, then speeds."""
    if not row["ratio"]:
        return 0
    return 1 if row["measure"] == "tokens_to_target" else 2


def _leading(judged: Sequence[ComparisonRow]) -> list[ComparisonRow]:
    """Return the comparisons of scores, or of the tokens to the target if runs stopped there."""
    scores = [row for row in judged if not row["ratio"]]
    return scores or [row for row in judged if row["measure"] == "tokens_to_target"]


def _open_line(judged: Sequence[ComparisonRow]) -> list[str]:
    """Return one line that counts the comparisons that are tied or open; none if all are sure."""
    leading = _leading(judged)
    counts = Counter(str(row["verdict"]) for row in leading)
    large = sum(map(is_large, leading))
    kinds = {
        "tied with the default": counts["tie"],
        "without a difference seen": counts["alike"],
        "large, not yet significant": large,
        "not significant yet": counts["undecided"] - large,
    }
    told = [f"{count} {kind}" for kind, count in kinds.items() if count]
    of = measure(leading[0]["measure"]).title if leading and leading[0]["ratio"] else "scores"
    return [f"{of}: {', '.join(told)}"] if told else []


def _sure_line(row: ComparisonRow) -> str:
    title = measure(row["measure"]).title
    name, against = for_html(row["a"]), for_html(row["b"])
    text = for_html(f"{effect_text(row)} {title} ({interval_text(row)})")
    verdict = f'<b class="{row["verdict"]}">{row["verdict"]}</b>'
    return f"<b>{name}</b> is {verdict} than {against}: {text}"


def _likely_line(row: ComparisonRow) -> str:
    title = measure(row["measure"]).title
    name, against = for_html(row["a"]), for_html(row["b"])
    text = for_html(f"{effect_text(row)} {title} ({interval_text(row)})")
    return f"<b>{name}</b> against {against}: {text}, {for_html(verdict_text(row))}"


def most_telling_first(rows: Sequence[ComparisonRow]) -> list[ComparisonRow]:
    """Return rows with what differs before what is open, and that before what is tied."""
    order = {"better": 0, "worse": 0, "undecided": 2, "alike": 3, "tie": 3}

    def key(row: ComparisonRow) -> tuple[int, float]:
        rank = 1 if is_large(row) else order.get(str(row["verdict"]), 4)
        return rank, -abs(row["effect"] or 0.0)

    scores = {row["a"]: key(row) for row in rows if not row["ratio"]}
    # the costs of a value stay with its score
    return sorted(rows, key=lambda row: scores.get(row["a"], (5, 0.0)))
