"""Settings of the documentation; build it with `sphinx-build -W docs docs/_build`."""

from importlib.metadata import version as installed

project = "iqa_zoo"
author = "the iqa_zoo authors"
copyright = "2026, the iqa_zoo authors"
version = release = installed("iqa_zoo")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"iqa_zoo {release}"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
autodoc_typehints = "signature"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
