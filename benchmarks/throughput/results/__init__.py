"""What was measured: `records` keeps it as JSON, `summary`, `tables`, `plots` and `page` show it.

`sources` digests the code that a row depends on.
"""
