"""The command line: reads options, calls the suite, prints what comes back."""
