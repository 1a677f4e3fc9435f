"""Computes statistics of paired runs: intervals, tests, power, and looks at growing samples."""
