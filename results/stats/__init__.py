"""Statistics of paired runs: tests, intervals, power, sequential looks."""
