"""What the verbs of the command line do, as functions for Python: they return and never print."""
