"""Does what the verbs of the command line do, for callers in Python: returns, never prints."""
