"""`app`: open the pages in a browser."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import convexviz
from convexviz.errors import SpecError


def add(commands: Any) -> None:
    """The subcommand."""
    parser = commands.add_parser("app", help="open the app")
    parser.add_argument("--port", type=int, default=8501, help="default 8501")
    parser.set_defaults(act=serve)


def serve(args: argparse.Namespace) -> int:
    """Become the server: this process is replaced, so that Ctrl-C reaches it alone.

    Raises:
        SpecError: the port is none, or the app is not installed here.
    """
    if not 1 <= args.port <= 65535:
        raise SpecError(f"port must be in [1, 65535], got {args.port}")
    root = Path(convexviz.__file__).resolve().parents[1]
    if not (root / "app.py").exists() or find_spec("streamlit") is None:
        raise SpecError("the app is part of the repository; run `make app` in a clone of it")
    os.chdir(root)  # Streamlit reads its settings from where it is started
    headless = "true" if not os.environ.get("DISPLAY") and sys.platform != "darwin" else "false"
    os.execv(
        sys.executable,
        [sys.executable, "-m", "convexviz.views.server", f"--server.port={args.port}",
         f"--server.headless={headless}", "--server.showEmailPrompt=false"],
    )  # fmt: skip
