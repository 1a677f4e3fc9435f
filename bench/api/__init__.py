"""Does what the verbs of the command line do, as functions: returns, never prints.

    run             make a matrix from options, plan its runs, train those that a store lacks
    until_decided   add seeds to two variants until a verdict stands
    store           find, select and remove runs; the status of a plan
    compare         variants, axes, stores or periods against each other
    doctor          examine a stored run again, and test the advice of a diagnosis
    claims          try what others reported
    throughput      time training and decoding
    guard           compare the code with a baseline or a git revision
    translate       give a trained model a source text
    check           test whether a variant or a task keeps the contract
    export          render tables, or send runs to trackers
    listing, data   what can be named; corpora
    device          choose cpu or cuda

What a user got wrong is a ValueError or a StoreError of one sentence, and an engine that does not
start an EngineError; the command line turns them into exit codes.
"""
