"""Commands that are killed: at every change of a file below a folder, and at random moments.

`kill_points.c` is preloaded and counts the changes, whichever library makes them; `fork_server`
runs a command again and again without importing its libraries anew; `commands` lists the commands,
with what they may leave behind.
"""
