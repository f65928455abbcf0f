"""What a browser gets: one page, its style sheet and its modules, without a build step.

`index.html` is the skeleton and `main.js` joins the modules. `api.js` talks to the server,
`files.js` finds what was dropped, `studies.js` is the list and its order, `worklist.js`,
`viewer.js` and `reading.js` draw the three columns, `scale.js` draws a score, `keys.js` has the
keys. Nothing is loaded from elsewhere, and no file of a reader is stored.
"""
