"""The reading room: a page on which a released model reads radiographs, and a JSON interface.

``python -m reading_room --model DIR`` serves both. `decoding` turns uploaded files into arrays in
processes that may die alone, `server` scores and answers, and `page` is what a browser gets.
"""
