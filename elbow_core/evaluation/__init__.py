"""From prediction files to figures, tables and a report."""
