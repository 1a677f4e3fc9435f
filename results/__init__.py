"""What came out: records, store, tables. Numbers and strings; never torch."""
