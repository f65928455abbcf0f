"""Commands in trouble: killed, stopped, on a full disk, without permission, with damaged files.

`intercept.c` is preloaded; it counts the changes and reads of files, whichever library makes them,
and interferes at one of them. `fork_server` runs a command again and again without importing its
libraries anew; `cases` lists the commands, with the `folders` in which they run and what they may
leave behind; `trials` compares a disturbed command with an undisturbed one; `records` lists the
files of ours that are damaged.
"""
