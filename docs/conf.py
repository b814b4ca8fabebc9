"""Settings of Sphinx; ``python -m docs`` builds the site."""

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "numpy"
os.environ["KERAS_VERBOSE"] = "0"
sys.path.insert(0, str(Path(__file__).parent.parent))

import polykeras  # noqa: E402
from docs import docstrings  # noqa: E402

project = "polykeras"
author = "The polykeras authors"
project_copyright = author
version = release = polykeras.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/*", "images/*", "programs/*.ipynb", "programs/uses", "**sg_execution_times.rst"]
suppress_warnings = ["config.cache"]

html_theme = "furo"
html_title = "polykeras"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
# tests/test_notebooks.py runs them, on every backend.
nb_execution_mode = "off"

autodoc_typehints = "signature"
autodoc_member_order = "groupwise"
autodoc_inherit_docstrings = True
add_module_names = True
napoleon_use_param = False  # which would repeat a description for each of the arguments that share it
napoleon_use_rtype = False
napoleon_custom_sections = [("Call arguments", "params_style")]
python_maximum_signature_line_length = 100

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "programs",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "programs/uses",
    "doc_module": ("polykeras",),
    "remove_config_comments": True,
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 1e9,
    "abort_on_example_error": True,
    "reset_modules": ("matplotlib", "docs.docstrings.start_program"),
    "matplotlib_animations": False,
    "capture_repr": (),
    "plot_gallery": "True",
}


def setup(app):
    """Connect what reads docstrings as they are written here."""
    app.connect("autodoc-process-docstring", docstrings.join_names, priority=400)  # both before napoleon
    app.connect("autodoc-process-docstring", docstrings.escape, priority=450)
    app.connect("autodoc-process-signature", docstrings.signature_of_class)
    app.connect("autodoc-skip-member", docstrings.skip)
