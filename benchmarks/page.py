"""python -m benchmarks.page: measure the speed of the app's page in Chromium.

The benchmark starts `app.py` on a free port, as a user does, and ends it. The page itself measures times within it,
from an event to the animation frame that shows its effect, so that driving the browser does not count.
"""

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
import tyro
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.serving import run_app
from playground.runtime import checkpoint

CHROMIUM = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
DIGITS, STEPS = 16, 20
TIMEOUT = 120_000  # milliseconds
BUTTON = "#ddpm-sample"
READY = "#ddpm-scrubber[data-ready], #ddpm-scrubber [data-ready]"

# Begin a run with a new seed, since one that was made before comes from memory; return the milliseconds until the first
# preview is visible, and until the finished run is.
SAMPLE = """() => new Promise((resolve) => {
  const root = document.querySelector('#ddpm-scrubber'), times = {};
  let start;
  const record = (name) => {   // a frame is painted after its callbacks, and the message is handled after that
    if (name in times) return;
    times[name] = null;
    requestAnimationFrame(() => {
      const {port1, port2} = new MessageChannel();
      port1.onmessage = () => {
        times[name] = performance.now() - start;
        if (name === 'end') { observer.disconnect(); resolve([times.preview ?? times.end, times.end]); }
      };
      port2.postMessage(null);
    });
  };
  const observer = new MutationObserver((changes) => {
    for (const {attributeName, target} of changes) {
      if (attributeName === 'data-preview') record('preview');
      if (attributeName === 'data-ready') record('end');
    }
  });
  observer.observe(root, {subtree: true, attributes: true, attributeFilter: ['data-preview', 'data-ready']});
  start = performance.now();
  [...document.querySelectorAll('button')].find((b) => b.offsetParent && b.innerText === 'New seed').click();
})"""

# Show all frames of the run, one in each animation frame; return their number.
SCRUB = """() => new Promise((resolve) => {
  const position = document.querySelector('#ddpm-scrubber .position'), frames = Number(position.max) + 1;
  let k = 0;
  const next = () => {
    if (k === frames) return resolve(frames);
    position.value = k++;
    position.dispatchEvent(new Event('input', {bubbles: true}));
    requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
})"""


# Move a slider of the VAE many times; return the milliseconds from each move to its image.
TRAVERSE = """async (moves) => {
  const root = document.querySelector('#vae-traverse [data-ready]'), range = root.querySelector('input[type=range]');
  const times = [];
  for (let k = 0; k < moves; k++) {
    const before = root.dataset.decoded, start = performance.now();
    range.value = 3 * Math.sin(k);
    range.dispatchEvent(new Event('input', {bubbles: true}));
    while (root.dataset.decoded === before) await new Promise((resolve) => setTimeout(resolve));
    times.push(performance.now() - start);
  }
  return times;
}"""

# Drag over the map, where the mouse is pressed, with a move every 4 ms as from a fast mouse; return the milliseconds
# per image. A page calls its mouse pointer 1.
DRAG = """async (moves) => {
  const root = document.querySelector('#vae-map [data-ready]'), plane = root.querySelector('.plane');
  const box = plane.getBoundingClientRect(), before = Number(root.dataset.decoded || 0), start = performance.now();
  for (let k = 0; k < moves; k++) {
    const clientX = box.left + box.width * (0.5 + 0.4 * Math.cos(k / 20));
    const clientY = box.top + box.height * (0.5 + 0.4 * Math.sin(k / 20));
    plane.dispatchEvent(new PointerEvent('pointermove', {clientX, clientY, buttons: 1, bubbles: true, pointerId: 1}));
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
  return (performance.now() - start) / (Number(root.dataset.decoded) - before);
}"""


# Train in the lab for some seconds; return the milliseconds per image and per step.
TRAIN = """async (seconds) => {
  const root = document.querySelector('#gan-lab [data-ready]'), play = root.querySelector('[data-do=play]');
  const count = (name) => Number(root.dataset[name]);
  const now = () => ({time: performance.now(), pictures: count("pictures"), steps: count("step")});
  play.click();
  await new Promise((resolve) => setTimeout(resolve, 500));
  const start = now();
  await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  const end = now();
  play.click();
  return ['pictures', 'steps'].map((name) => (end.time - start.time) / (end[name] - start[name]));
}"""


@dataclass(frozen=True)
class Options:
    """Measure the page; print a Markdown table and whether the bars are met.

    Attributes:
        weights, data: Folders for `app.py`.
        starts: Number of starts of the app, and of trainings in the lab.
        clicks: Number of clicks on Sample.
        sweeps: Number of sweeps of the scrubber over a run with the default settings, and over the map.
        moves: Number of moves of a slider, and in a sweep over the map.
        json: File to write all measurements to.
    """

    weights: Path = checkpoint.WEIGHTS
    data: Path = Path("data")
    starts: int = 3
    clicks: int = 20
    sweeps: int = 10
    moves: int = 100
    json: Path | None = None


class Row(NamedTuple):
    """Measurements of one quantity in a unit, with the largest median allowed."""

    name: str
    values: Sequence[float]
    unit: str
    bar: float | None = None

    @property
    def median(self) -> float:
        """Median of the values."""
        return float(np.median(self.values))

    def __str__(self) -> str:
        result = "" if self.bar is None else "pass" if self.median <= self.bar else "FAIL"
        bar = "" if self.bar is None else f"{self.bar:g} {self.unit}"
        p90 = np.quantile(self.values, 0.9)
        return f"| {self.name} | {self.median:.3g} [{p90:.3g}] {self.unit} | {bar} | {result} |"


@contextmanager
def open_page(browser: Browser, url: str) -> Iterator[Page]:
    """Open a page in a new context, where nothing is cached."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)
    page.goto(url, wait_until="commit")
    yield page
    context.close()


def start(browser: Browser, options: Options) -> tuple[float, float]:
    """Measure the seconds from the imports to a clickable Sample button, and to the first run in the scrubber."""
    with run_app(options.weights, options.data) as server, open_page(browser, f"{server.url}ddpm") as page:
        page.wait_for_selector(f"{BUTTON}:enabled")
        clickable = time.time() - server.imported
        page.wait_for_selector(READY)
        return clickable, time.time() - server.imported


def sample(browser: Browser, url: str, clicks: int) -> tuple[list[float], list[float]]:
    """Measure the seconds from each click to the first preview and to the end of the run."""
    settings = {f"n={DIGITS}", f"steps={STEPS}"}
    with open_page(browser, f"{url}ddpm?{'&'.join(settings)}") as page:
        page.wait_for_selector(READY)
        times = np.array([page.evaluate(SAMPLE) for _ in range(clicks)]) / 1000
        if not settings <= set(urlsplit(page.url).query.split("&")):  # the address holds the settings of the run
            raise SystemExit(f"the page sampled something else: {page.url}")
    return times[:, 0].tolist(), times[:, 1].tolist()


def scrub(browser: Browser, url: str, sweeps: int) -> tuple[list[float], list[float]]:
    """Measure each sweep over a run: milliseconds of the page's main thread per frame, and number of requests."""
    costs, requests = [], []
    with open_page(browser, f"{url}ddpm") as page:
        page.wait_for_selector(READY)
        page.wait_for_timeout(2000)  # until the requests of the start are over
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        urls: list[str] = []
        page.on("request", lambda request: urls.append(request.url))
        for _ in range(sweeps):
            urls.clear()
            before = _busy(session.send("Performance.getMetrics"))
            frames = page.evaluate(SCRUB)
            costs.append(1000 * (_busy(session.send("Performance.getMetrics")) - before) / frames)
            requests.append(float(len(urls)))
    return costs, requests


def explore(browser: Browser, url: str, moves: int, sweeps: int) -> tuple[list[float], list[float]]:
    """Measure the milliseconds from moves of a VAE's slider to their images, and per image while the map is dragged."""
    with open_page(browser, f"{url}vae") as page:
        page.wait_for_selector("#vae-traverse [data-ready]", state="attached")
        traversal = page.evaluate(TRAVERSE, moves)
        page.get_by_role("tab", name="Map").click()
        page.wait_for_selector("#vae-map [data-ready]", state="attached")
        page.locator("#vae-map .plane").hover()
        page.mouse.down()
        page.wait_for_selector("#vae-map [data-decoded]", state="attached")
        return traversal, [page.evaluate(DRAG, moves) for _ in range(sweeps)]


def train(browser: Browser, url: str, times: int) -> tuple[list[float], list[float]]:
    """Measure the milliseconds per image and per step of the GAN lab with its default settings, for 3 s each time."""
    with open_page(browser, f"{url}gan?view=lab") as page:
        page.wait_for_selector("#gan-lab [data-ready]", state="attached")
        pairs = [page.evaluate(TRAIN, 3) for _ in range(times)]
        return [image for image, _ in pairs], [step for _, step in pairs]


def _busy(metrics: dict[str, list[dict[str, float]]]) -> float:
    """Return the busy time of the page's main thread in seconds: script, style, layout and painting."""
    return next(metric["value"] for metric in metrics["metrics"] if metric["name"] == "TaskDuration")


def measure(browser: Browser, options: Options) -> Iterator[Row]:
    """Yield all measurements."""
    starts = [start(browser, options) for _ in range(options.starts)]
    yield Row("libraries imported to Sample can be pressed", [clickable for clickable, _ in starts], "s")
    yield Row("libraries imported to page usable: the first run can be scrubbed", [usable for _, usable in starts],
              "s", 3.0)  # fmt: skip
    with run_app(options.weights, options.data) as (url, *_):
        preview, end = sample(browser, url, options.clicks)
        yield Row("click to first preview", preview, "s", 0.5)
        yield Row(f"click to finished, {DIGITS} digits in {STEPS} steps", end, "s", 1.0)
        costs, requests = scrub(browser, url, options.sweeps)
        yield Row("scrubbing, cost of a frame", costs, "ms", 16.7)
        yield Row("requests while scrubbing over a run", requests, "requests", 0)
        traversal, drag = explore(browser, url, options.moves, options.sweeps)
        yield Row("VAE, a slider moved to the picture that follows", traversal, "ms", 40)
        yield Row("VAE, a picture while the map is dragged", drag, "ms", 50)
        images, steps = train(browser, url, options.starts)
        yield Row("GAN, a picture of the lab in training", images, "ms", 125)
        yield Row("GAN, a step of the lab in training", steps, "ms", 1000 / 150)


def main(options: Options) -> None:
    """Run the benchmark."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        version = f"Chromium {browser.version}"
        rows = list(measure(browser, options))
        browser.close()
    print("| | median [90th percentile] | bar | |\n|---|---|---|---|", *rows, f"\nin {version}", sep="\n")
    if options.json:
        report = {"browser": version, "rows": [row._asdict() for row in rows]}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options))
