"""The guide as a book: Sphinx and MyST-NB run every cell; Korean is a translation of the same pages (gettext)."""

from pathlib import Path

project = "Jumok · 주목"
author = "the Jumok engineers"
extensions = ["myst_nb", "sphinx-mathjax-offline"]
myst_enable_extensions = ["dollarmath", "deflist"]
nb_execution_mode = "cache"  # the second language takes the outputs of the first
nb_execution_cache_path = str(Path(__file__).parent / "_build" / "cells")
nb_execution_raise_on_error = True
nb_execution_timeout = 180
nb_merge_streams = True
locale_dirs = ["locale"]
gettext_compact = False
language = "en"
html_theme = "furo"
html_title = "Jumok · 주목"
exclude_patterns = ["_build", "locale"]
