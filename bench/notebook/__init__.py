"""Serves Python callers: the functions that `import bench` offers to scripts and notebooks.

    run                         train what a store lacks, and return its tables
    runs, curves, outputs       what a store holds, as pandas DataFrames
    score                       outputs scored again by another metric
    compare, axis, claim        verdicts
    diagnose                    why a run did not learn
    task, model, load           a task's data, a new model, a trained model
    plot                        matplotlib figures of the same
    register                    parts and tasks of your own

They call what the command line calls. What a caller got wrong is a ValueError with the sentence
that the command line would print.
"""
