"""The HTTP server: what is let in, what it is asked, and who answers.

`networks` is the one module that knows JAX: models, scores and heat maps. `guards` refuses requests
from other hosts and pages, `admission` bounds what is worked on at once, `app` has the routes, and
`serving` runs it.
"""

from reading_room.server.serving import Settings, serve

__all__ = ["Settings", "serve"]
