"""How long a lab takes to answer a hand, in Chromium: `python benchmarks/interface.py [--faces]`.

With `--faces` only the threshold over 25 faces is dragged, for four seconds.

Prints median, 95th percentile and count beside the goal. Hover and slider are answered in the
browser (`handler`: what our script takes; `frame`: from the event to the painted frame); a click
goes to the server and back. A first paint is measured from the navigation to the drawn hero: in
a fresh profile everything is loaded and compiled anew, later it comes from the browser's cache.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
LOOK = {"viewport": {"width": 1440, "height": 900}}
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
# The inspector's root; then events at given places, each followed to the frame it is painted in.
FIND = """const root = [...document.querySelectorAll('*')]
    .find((e) => e.shadowRoot?.querySelector('.den')).shadowRoot;
const den = root.querySelector('.den');
const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));"""
HOVER = f"""async (n) => {{ {FIND}
    const square = root.querySelector('[data-image=noisy]'), box = square.getBoundingClientRect();
    const out = [];
    for (let i = 0; i < n; i++) {{
        const x = box.left + box.width * (0.1 + 0.8 * ((i * 0.618) % 1));
        const y = box.top + box.height * (0.1 + 0.8 * ((i * 0.382) % 1));
        const start = performance.now();
        square.dispatchEvent(new PointerEvent('pointermove',
            {{clientX: x, clientY: y, pointerType: 'mouse', bubbles: true}}));
        await painted();
        out.push([Number(den.dataset.frameMs), performance.now() - start]);
    }}
    return out; }}"""
SLIDE = f"""async (n) => {{ {FIND}
    const slider = root.querySelector('.decay input'), out = [];
    for (let i = 0; i < n; i++) {{
        const start = performance.now();
        slider.value = i % (Number(slider.max) + 1);
        slider.dispatchEvent(new Event('input'));
        await painted();
        out.push([Number(den.dataset.stateMs), performance.now() - start]);
    }}
    return out; }}"""
# A click at (x, y), until the server has written the pin into the address.
CLICK = f"""async ([x, y]) => {{ {FIND}
    const square = root.querySelector('[data-image=clean]'), box = square.getBoundingClientRect();
    const at = {{clientX: box.left + x, clientY: box.top + y, pointerType: 'mouse', bubbles: true}};
    const before = location.search, start = performance.now();
    square.dispatchEvent(new PointerEvent('pointerdown', at));
    square.dispatchEvent(new PointerEvent('pointerup', at));
    while (location.search === before) await painted();
    return performance.now() - start; }}"""
# The same, until the server has drawn another figure below.
FIGURE = """async (title) => {
    const label = [...document.querySelectorAll('[role=radio]')]
        .find((e) => e.textContent.trim() === title);
    const start = performance.now(), slug = title.replaceAll(' ', '-');
    label.click();
    while (!document.querySelector(`[class*="st-key-denoiser-figure-${slug}"] .main-svg`)) {
        await new Promise((done) => requestAnimationFrame(done));
    }
    return performance.now() - start; }"""

# The threshold dragged down and up again, a step an animation frame; intervals and drawing times.
DRAG = """async () => {
    const app = [...document.querySelectorAll('*')].map((e) => e.shadowRoot?.__app)
        .find((each) => each?.panels);
    const of = (id) => app.panels.find((panel) => panel.spec.id === id);
    const {canvas} = of('spectrum'), box = canvas.getBoundingClientRect(), out = [];
    canvas.setPointerCapture = () => {};
    const send = (type, share) => canvas.dispatchEvent(new PointerEvent(type, {bubbles: true,
        pointerId: 1, clientX: box.left + box.width / 2, clientY: box.top + share * box.height}));
    let start, last;
    send('pointerdown', 0.8);
    await new Promise((done) => {
        const tick = (time) => {
            start ??= time;
            const {held} = of('faces');
            if (last) out.push([time - last, Number(app.box.dataset.frameMs), held.redrawn]);
            last = time;
            const way = (time - start) / 4000;
            if (way >= 1) return done();
            send('pointermove', 0.8 - 0.6 * (1 - Math.abs(1 - 2 * way)));
            return requestAnimationFrame(tick);
        };
        requestAnimationFrame(tick);
    });
    send('pointerup', 0.5);
    return out; }"""


@contextmanager
def server() -> Iterator[str]:
    """The app on a free port, with a store of its own."""
    with socket.socket() as probe, tempfile.TemporaryDirectory() as folder:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        own = {"PYTHON": sys.executable, "PORT": str(port), "CONVEXVIZ_STORE": folder}
        process = subprocess.Popen(
            [ROOT / ".ci" / "app", "--server.headless=true"],
            env={**os.environ, **own},
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}/_stcore/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def wait_until_healthy(url: str) -> None:
    """Return once the server answers; give up after 30 s."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    sys.exit("convexviz: the server did not start within 30 s")


def chromium() -> str:
    """The browser that the tests use."""
    found = subprocess.run(
        [ROOT / ".ci" / "chromium", "find"],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    ).stdout.strip()
    return found or sys.exit("convexviz: no Chromium; `make test` installs one, or set CHROMIUM")


def seconds_to(page: Page, url: str, drawn: str) -> float:
    """Milliseconds from the navigation until what `drawn` selects is there."""
    start = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.locator(drawn).first.wait_for(state="visible")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    return 1000 * (time.perf_counter() - start)


def first_paints(browser: Browser, url: str, drawn: str, n: int) -> list[float]:
    """In a fresh profile each."""
    times = []
    for _ in range(n):
        context = browser.new_context(**LOOK)
        times.append(seconds_to(context.new_page(), url, drawn))
        context.close()
    return times


def line(what: str, times: list[float], goal: str) -> None:
    """Print one row of the table."""
    ranked = sorted(times)
    high = ranked[min(len(ranked) - 1, round(0.95 * (len(ranked) - 1)))]
    print(f"{what:44}{statistics.median(times):9.1f}{high:9.1f}{len(times):6}   {goal}")


def columns(pairs: list[list[float]]) -> tuple[list[float], ...]:
    """Pairs of (handler, frame) as two lists."""
    return tuple(list(column) for column in zip(*pairs, strict=True))


def measure(browser: Browser, url: str) -> None:
    """Every row, in order."""
    hero, home = ".at-clean[data-ready]", ".home[data-ready]"
    seconds_to(browser.new_page(**LOOK), f"{url}/denoiser", hero)  # the server reads its files
    line("first paint, home, fresh profile", first_paints(browser, url, home, 4), "1500")
    line("first paint, lab, fresh profile", first_paints(browser, f"{url}/denoiser", hero, 4), "-")
    page = browser.new_page(**LOOK)
    seconds_to(page, f"{url}/denoiser", hero)
    later = [seconds_to(page, f"{url}/denoiser", hero) for _ in range(8)]
    line("first paint, lab, later visits", later, "1000")
    page.locator(".js-plotly-plot").wait_for()
    page.evaluate(HOVER, 20)  # compiled by the browser before it counts
    handler, frame = columns(page.evaluate(HOVER, 200))
    line("hover, handler", handler, "16")
    line("hover, event to painted frame", frame, "one frame more")
    page.evaluate(SLIDE, 20)
    handler, frame = columns(page.evaluate(SLIDE, 100))
    line("weight decay dragged, handler", handler, "16")
    line("weight decay dragged, event to painted frame", frame, "one frame more")
    places = [[20 + 9 * i, 60 + 5 * i] for i in range(24)]
    line("click, until the address has the pin", [page.evaluate(CLICK, p) for p in places], "200")
    titles = ["Path sparsity", "Filter gallery", "Convergence", "Primal and dual"] * 4
    line("figure chosen, until it is drawn", [page.evaluate(FIGURE, t) for t in titles], "200")


def drag_faces(browser: Browser, url: str) -> None:
    """Frames a second while the threshold over 25 faces of 64 x 64 x 3 is dragged."""
    page = browser.new_page(**LOOK)
    drawn = ".board[data-ready] [data-panel=faces] canvas"
    seconds_to(page, f"{url}/wgan?wgan.dataset=faces", drawn)
    page.wait_for_timeout(3000)  # the same game is being solved for the figures below
    page.evaluate(DRAG)
    gaps, drawing, redrawn = columns(page.evaluate(DRAG))
    seconds = sum(gaps) / 1000
    print(f"{len(gaps) / seconds:.1f} frames a second over {seconds:.1f} s, goal 30")
    line("between two frames", gaps, "33")
    line("drawing", drawing, "33")
    line("directions drawn again a frame, of 100", redrawn, "-")


def main() -> None:
    """Read what to measure, and do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", action="store_true", help="only the faces")
    run(only_faces=parser.parse_args().faces)


def run(*, only_faces: bool) -> None:
    """Serve, measure, stop."""
    with server() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET.split())
        print(f"Chromium {browser.version}, headless, 1440 x 900; {os.cpu_count()} cores, ", end="")
        print(f"load {os.getloadavg()[0]:.1f}")
        print(f"{'milliseconds':44}{'median':>9}{'p95':>9}{'n':>6}   goal")
        try:
            if not only_faces:
                measure(browser, url)
            drag_faces(browser, url)
        finally:
            browser.close()


if __name__ == "__main__":
    main()
