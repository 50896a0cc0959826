"""The app's server: `python -m convexviz.views.server [options of streamlit run]`.

The same as `streamlit run app.py`, but for one thing: Streamlit takes a folder called pages/ for
the older kind of multipage app until app.py has run once, and would show whoever opens a deep
link first a bare page. app.py declares its pages itself, so Streamlit is told beforehand.
"""

from __future__ import annotations

import sys
from pathlib import Path

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

APP = Path(__file__).parents[2] / "app.py"


def main() -> None:
    """Serve until stopped."""
    PagesManager.uses_pages_directory = False
    sys.argv = ["streamlit", "run", str(APP), *sys.argv[1:]]
    cli.main()


if __name__ == "__main__":
    main()
