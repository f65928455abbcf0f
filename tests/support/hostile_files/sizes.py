"""Sizes that several kinds of files share."""

SIDE = 10_000
"""Pixels; an image of this height and width is as large as the limits allow."""
MIB = 2**20
