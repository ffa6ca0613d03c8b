"""Configure the site for Sphinx; see `assemble.py` for what is in it."""

from importlib import metadata

from sphinx.application import Sphinx

project = "pyro_gmvae"
author = "The pyro_gmvae developers"
copyright = author
release = metadata.version("pyro-gmvae")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx-mathjax-offline",
    "sphinx_copybutton",
]
default_role = "py:obj"  # a name in single backticks leads to its page of the reference

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the notebooks have their outputs, and the tests run them
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say shapes and units
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # an attribute of a named tuple is described once
napoleon_attr_annotations = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"pyro_gmvae {release}"


def setup(app: Sphinx) -> None:
    """Leave out what scikit-learn adds to every estimator; copy the list for language models."""
    app.connect("autodoc-skip-member", _is_request)
    app.config.html_extra_path = [str(app.srcdir / "llms.txt")]


def _is_request(
    app: Sphinx, what: str, name: str, member: object, skip: bool, options: object
) -> bool:
    return skip or name.endswith("_request")
