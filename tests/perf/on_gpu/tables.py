"""Writes what a GPU check found as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def tables(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of docs/speed.md's part on GPUs."""
    machine, parts = found["machine"], found["parts"]
    yield f"{machine['device']}, {machine['processor']}, torch {machine['torch']}"
    yield from _checks(parts)
    yield from _steps(parts)
    yield from _peer(parts.get("joeynmt", {}).get("rows", []))


def _checks(parts: dict[str, Any]) -> Iterator[str]:
    yield from (
        "",
        "| check | runs | as on the CPU | worst difference |",
        "| --- | ---: | ---: | ---: |",
    )
    for name, part in parts.items():
        if "checked" in part:
            right = part["checked"] - len(part["wrong"])
            yield f"| {name} | {part['checked']} | {right} | {part['worst']:.1e} |"


def _steps(parts: dict[str, Any]) -> Iterator[str]:
    yield from (
        "",
        "| variant | models | ms per step and model | tokens/s | of machine |",
        "| --- | ---: | ---: | ---: | ---: |",
    )
    for name in ("stacks", "layers"):
        for row in parts.get(name, {}).get("rows", []):
            share = "" if row["machine_share"] is None else f"{row['machine_share']:.0%}"
            each = row["step_seconds"] / row["replicas"] * 1e3
            yield (
                f"| `{row['variant']}` | {row['replicas']} | {each:.3g} | "
                f"{row['tokens_per_second']:,.0f} | {share} |"
            )


def _peer(rows: list[dict[str, Any]]) -> Iterator[str]:
    if rows:
        yield from (
            "",
            "| work | ours ms | JoeyNMT ms | times as fast |",
            "| --- | ---: | ---: | --- |",
        )
    for row in rows:
        ours, peer = (row[side] * 1e3 for side in ("ours_seconds", "peer_seconds"))
        between = f"{row['ratio_low']:.2f} to {row['ratio_high']:.2f}"
        yield f"| {row['work']} | {ours:.3g} | {peer:.3g} | {row['ratio']:.2f} ({between}) |"
