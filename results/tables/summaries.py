"""Writes the summary of a task's runs as a table: one line per variant, best first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from results import metrics
from results.selection import TableLabels
from results.summary import SummaryRow
from results.tables.folding import Folded, fold_line, folded, score_text, telling_first
from results.tables.text import Texts, TextTable, grouped_rows

FULL_CORE = 0.9
"""Share of a core below which a run counts as slowed down by other programs."""

MOST_SPELLED = 2
"""Axes up to which the row of the base says their values; else a note below the table does."""
MOST_NOTED = 8
"""Axes up to which that note says their values; of more, it says those that are not the suite's."""


def summary_tables(rows: Iterable[SummaryRow]) -> list[TextTable]:
    """Return a table for each task and setting, with all columns."""
    groups = grouped_rows(((row["task"], row["setting"]), row) for row in rows)
    return [summary_table(group) for group in groups.values()]


def summary_table(rows: Sequence[SummaryRow]) -> TextTable:
    """Return the table of one task and setting, with every row."""
    return TextTable(_heading(rows), [summary_line(row) for row in rows], summary_notes(rows))


def short_table(rows: Sequence[SummaryRow], labels: TableLabels, unfolded: bool) -> TextTable:
    """Return the table of one task and setting for a screen.

    Rows have the numbers that open them and the base is spelled out. Rows of equal result are
    counted, unless unfolded; columns that tell rows apart come first.

    Args:
        rows: the rows of the table, best first.
        labels: of the tables of the store.
        unfolded: show every row.
    """
    base = labels.bases.get((rows[0]["task"], rows[0]["setting"]), {})
    lines, stand_ins = [], []
    for group in [Folded(list(rows), [])] if unfolded else folded(rows):
        lines += [_labelled(row, labels.numbers, base) for row in group.shown]
        stand_ins.append((len(lines), group.hidden))
    # what tells rows apart is asked of the rows, not of a line that stands for several
    lines = telling_first(lines, metrics.score(rows[0]["metric"]).title)
    for place, hidden in reversed(stand_ins):
        if hidden:
            lines.insert(place, fold_line(hidden))
    return TextTable(_heading(rows), lines, summary_notes(rows, base))


def _labelled(row: SummaryRow, numbers: Mapping[str, int], base: Mapping[str, str]) -> Texts:
    """Return a line with the row's number, if it has one, and with the base spelled out."""
    line = summary_line(row)
    if row["variant"] == "base":
        line["variant"] = base_label(base)
    number = numbers.get(row["runs"][0])
    return line if number is None else line | {"#": str(number)}


def base_label(base: Mapping[str, str]) -> str:
    """Return what a table calls its base: `base (cell=gru)`, or `base` alone if more varies.

    base: its values on the axes that vary.
    """
    return f"base ({_spelled(base)})" if 0 < len(base) <= MOST_SPELLED else "base"


def _spelled(base: Mapping[str, str]) -> str:
    return ",".join(f"{axis}={value}" for axis, value in base.items())


def _heading(rows: Sequence[SummaryRow]) -> str:
    memorised = ", memorised: test = train" if rows[0]["memorisation"] else ""
    return f"{rows[0]['task']}  ({rows[0]['setting']}{memorised})"


def summary_line(row: SummaryRow) -> Texts:
    """Return a row as texts by column title, the most important first."""
    costs = metrics.COSTS
    broken = {k: n for k, n in row["status"].items() if k in ("diverged", "failed")}
    tokens, seconds = row["tokens_to_target"], row["seconds_to_target"]
    # without a value it says how far away the target is at least
    later = f"> {metrics.short(row['tokens_spent_in_vain'])}" if row["tokens_spent_in_vain"] else ""
    never = "never"
    solved = f"{row['solved']}/{row['seeds']}"
    if not row["has_target"]:
        later = never = solved = ""
    return {
        "variant": row["variant"],
        metrics.score(row["metric"]).title: score_text(row),
        "solved": solved,
        "status": ", ".join(f"{count} {status}" for status, count in broken.items()),
        "findings": _findings(row),
        costs["tokens_to_target"].title: _written("tokens_to_target", tokens, later or never),
        costs["seconds_to_target"].title: _written("seconds_to_target", seconds, never),
        costs["tokens_per_second"].title: _written("tokens_per_second", row["tokens_per_second"]),
        costs["parameters"].title: _written("parameters", row["parameters"]),
        costs["peak_bytes"].title: _written("peak_bytes", row["peak_bytes"]),
        **_other_scores(row["other_scores_mean"]),
    }


def _findings(row: SummaryRow) -> str:
    found = row["findings"].items()
    return ", ".join(f"{cause} {count}/{row['examined']}" for cause, count in found)


def _written(cost: str, value: float | None, missing: str = "") -> str:
    return missing if value is None else metrics.COSTS[cost].write(value)


def _other_scores(means: Mapping[str, float]) -> Texts:
    """Write further scores, whose names are `chrf` or, on another split, `longer exact_match`."""
    lines = {}
    for name, mean in means.items():
        *split, key = name.split()
        metric = metrics.score(key)
        lines[" ".join([*split, metric.title])] = metric.write(mean)
    return lines


def summary_notes(
    rows: Sequence[SummaryRow], base: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """Return the remarks below the table of one task and setting.

    base: the values of the base on the axes that vary, of a table in which they are to be said.
    """
    notes = base_note(rows[0]["common"], base)
    notes += _tuned_note(rows)
    notes += _without_score_note(rows)
    notes += _stopped_note(rows)
    concurrent = max(row["trained_beside"] for row in rows)
    notes += timing_notes(concurrent, (row["core_share"] for row in rows))
    if len({host for row in rows for host in row["hosts"]}) > 1:
        notes.append("timed on several machines: seconds and tokens/s do not compare")
    notes += _examined_note(rows)
    if rows[0]["signature"]:
        notes.append(f"scored by {metrics.score(rows[0]['metric']).title} {rows[0]['signature']}")
    return notes


def base_note(common: str, base: Mapping[str, str]) -> list[str]:
    """Say in one note what the base is: what it has otherwise than the suite's, and what varies.

    What its row says (`base_label`) is not said again. Of many axes that vary, the note has no room
    for the values that are as in the suite's.
    """
    said = [",".join(_noted_values(common, base))]
    if len(base) > MOST_NOTED:
        said.append("all else as bench list axes says")
    note = ", ".join(filter(None, said))
    return [f"base: {note}"] if note else []


def _noted_values(common: str, base: Mapping[str, str]) -> list[str]:
    """Return the values, `axis=value`, that the note on the base says."""
    otherwise = [] if common == "base" else common.split(",")
    varying = _spelled(base).split(",")
    if len(base) <= MOST_SPELLED:
        return [part for part in otherwise if part not in varying]
    if len(base) <= MOST_NOTED:
        return otherwise + [part for part in varying if part not in otherwise]
    return otherwise


def _tuned_note(rows: Sequence[SummaryRow]) -> list[str]:
    """Say which value tuning chose for each variant that was tuned."""
    chosen = [f"{row['variant']}: {row['tuned']}" for row in rows if row["tuned"]]
    return [f"tuned on validation: {'; '.join(chosen)}"] if chosen else []


def _without_score_note(rows: Sequence[SummaryRow]) -> list[str]:
    """Say what runs without a score count as, where a row has some and others that have one."""
    count = sum(row["runs_without_score"] for row in rows)
    if not count:
        return []
    worst = metrics.worst(rows[0]["metric"])
    return [
        f"{count} run{'s' * (count > 1)} without a score count{'s' * (count == 1)} as {worst:.0f}"
    ]


def _stopped_note(rows: Sequence[SummaryRow]) -> list[str]:
    stopped, runs = sum(r["stopped_at_target"] for r in rows), sum(r["seeds"] for r in rows)
    if not stopped:
        return []
    return [f"{stopped} of {runs} runs stopped at the target: their scores do not compare"]


def _examined_note(rows: Sequence[SummaryRow]) -> list[str]:
    examined, runs = sum(row["examined"] for row in rows), sum(row["seeds"] for row in rows)
    if examined < runs and any(row["findings"] for row in rows):
        return [f"findings are of the {examined} of {runs} runs that were examined"]
    return []


def timing_notes(concurrent: int, shares: Iterable[float | None]) -> list[str]:
    """Return a remark on what makes seconds and tokens/s imprecise, if there is something.

    Args:
        concurrent: the largest number of other runs at the same time.
        shares: the share of a core that each run had.
    """
    others = f"up to {concurrent} other run{'s' * (concurrent > 1)} at the same time"
    least = min((share for share in shares if share is not None), default=1.0)
    if least < FULL_CORE:
        beside = f", {others}" if concurrent else ""
        return [f"timings unreliable: the CPU was shared ({least * 100:.0f} % of a core{beside})"]
    return [f"timed with {others}"] if concurrent else []
