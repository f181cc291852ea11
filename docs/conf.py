"""The site's configuration. Built from the root by ``python -m sphinx -W --keep-going -n docs site``."""

import shutil
import sys
from pathlib import Path

import firconv

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "tools"))
from rooms import write  # noqa: E402 (tools/ is no package)

write(HERE / "api")

project = "firconv"
author = "firconv developers"
copyright = "firconv developers, BSD-3-Clause"
version = release = firconv.__version__

extensions = [
    "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "myst_nb", "sphinx_copybutton",
    "mathml", "plain",  # ours, in tools/
]
html_math_renderer = "mathml"
exclude_patterns = ["figures", "tools"]
nitpicky = True
default_role = "code"
highlight_language = "text"

# Pages are Markdown, which GitHub shows too; $…$ is an equation in both.
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

# Notebooks are shown with the outputs that are committed; executing them is a step of its own in .ci/run.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, str] = {}
shutil.rmtree(HERE / "notebooks", ignore_errors=True)
if (HERE.parent / "notebooks").exists():
    shutil.copytree(HERE.parent / "notebooks", HERE / "notebooks", ignore=shutil.ignore_patterns(".*"))

# Types stand in the numpydoc sections, so signatures need none.
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
copybutton_prompt_text = ">>> |\\.\\.\\. |$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = "firconv"
html_static_path = ["static"]
html_favicon = "static/icon.svg"
html_css_files = ["site.css"]
html_copy_source = False
