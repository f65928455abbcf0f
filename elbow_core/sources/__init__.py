"""Readers of data sets: each turns a folder into rows of the manifest."""
