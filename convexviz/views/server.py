"""The server: `python -m convexviz.views.server --server.port=8501 ...`, from the app's folder.

It is Streamlit's own, with everything that a page imports already imported: otherwise the first
visitor after a start would wait for that, about two seconds of a core.
"""

from __future__ import annotations

import inspect
import sys
from importlib import import_module

from convexviz import architectures


def prepare() -> None:
    """Import what the pages import."""
    import_module("convexviz.views.lab")
    heroes = import_module("convexviz.views.heroes")
    for name in architectures.registry():
        heroes.of(name)
        import_module(f"convexviz.architectures.{name}.figures")
    import_module("PIL.Image")  # for the icon
    inspect.stack()  # Streamlit asks once; the first time every module is looked through


def main() -> None:
    """Become `streamlit run app.py` with the same arguments."""
    prepare()
    from streamlit.web import cli

    sys.argv = ["streamlit", "run", "app.py", *sys.argv[1:]]
    cli.main()


if __name__ == "__main__":
    main()
