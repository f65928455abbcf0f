"""The documentation site: `make docs` builds it into `docs/_build/html`.

The pages are the Markdown files of this folder, which read the same where a repository is browsed.
`_site` holds what the site needs beyond them: tables of contents made from links, pages of the
reference made from docstrings, pages of source files that the documents link to.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE)]

# Code cells compile networks that run for seconds: slower code that compiles sooner is faster.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(HERE / "_build" / "jax"))
# Code cells start commands of this checkout, from folders of their own.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, (str(ROOT), os.environ.get("PYTHONPATH", "")))
)

project = "Elbow radiographs"
author = "the authors"
copyright = "the authors; Apache-2.0"  # noqa: A001 - Sphinx's name

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "_site.contents",
    "_site.reference",
    "_site.sources",
]
exclude_patterns = ["_build", "_site", "**/.ipynb_checkpoints"]
highlight_language = "none"
suppress_warnings = [
    "myst.header",  # decisions are headings of the third level below the title, for anchors
]

# Pages.
myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath"]
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_execution_in_temp = True
nb_merge_streams = True
nb_output_stderr = "remove"  # progress, and how long XLA took

# Docstrings. A name in single backticks is a link where it is one of ours, else code.
default_role = "py:obj"
nitpick_ignore_regex = [
    ("py:obj", ".*"),
    ("py:.*", r"(?!elbow_core\b|elbow_jax\b|vlm_torch\b).*"),  # other libraries' types
]
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
add_module_names = False
python_maximum_signature_line_length = 88

# The look.
html_theme = "furo"
html_title = "Elbow radiographs"
html_static_path = ["_site/static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
pygments_style = "tango"
pygments_dark_style = "monokai"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
