"""Pages of docs/ that are generated: axes, claims and commands."""
