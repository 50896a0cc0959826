"""A component in a page of its own, mounted as Streamlit does it, without a server."""

import re
import tomllib
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from convexviz.views import component

ROOT = Path(__file__).parents[2]


def roles_css(theme: str = "light") -> str:
    """The variables that Streamlit would set."""
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))
    colours = config["theme"][theme]
    plain = {k: v for k, v in colours.items() if isinstance(v, str)}
    lists = {k: ", ".join(v) for k, v in colours.items() if isinstance(v, list)}
    names = {re.sub("([A-Z])", r"-\1", k).lower(): v for k, v in (plain | lists).items()}
    return "".join(f"--st-{name}:{value};" for name, value in names.items())


def mount(page: Page, name: str, order: dict[str, Any], data: bytes) -> None:
    """Kit and component in a shadow root; `sent` holds what it reports."""
    kinds = {}
    for kind in ("js", "css", "html"):
        files = [f for n in ("kit", name) for f in sorted((component.FOLDER / n).glob(f"*.{kind}"))]
        kinds[kind] = "\n".join(file.read_text("utf-8") for file in files)
    page.set_content(
        f"<style>:root{{{roles_css()}}}</style><div id=host></div><p style=height:2000px>"
    )
    page.add_script_tag(content=kinds["js"].replace("export default function", "function start"))
    page.evaluate(
        """([html, css, bytes]) => {
            window.sent = [];
            window.root = document.querySelector('#host').attachShadow({mode: 'open'});
            root.innerHTML = `<style>${css}</style>${html}`;
            window.mount = (bytes) => start({parentElement: root, data: Uint8Array.from(bytes),
                setStateValue: (name, value) => sent.push([name, value])});
            mount(bytes);
        }""",
        [kinds["html"], kinds["css"], list(component.headed(order, data))],
    )


def mount_again(page: Page, order: dict[str, Any], data: bytes) -> None:
    """What a rerun of the page sends to the component that is there."""
    page.evaluate("(bytes) => mount(bytes)", list(component.headed(order, data)))
