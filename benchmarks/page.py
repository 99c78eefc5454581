"""python -m benchmarks.page: how fast the app's page is, in a real Chromium.

Starts `app.py` on a free port, as a user would, and ends it. Times within the page are taken by the page itself, from
the event to the frame that shows its effect, so that what drives the browser does not count.
"""

import json
import shutil
import socket
import subprocess
import sys
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

from playground import checkpoint

ROOT = Path(__file__).parents[1]
LAUNCH = "import app, time; print('imported', time.time(), flush=True); app.main()"  # python app.py, and a stamp
CHROMIUM = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
DIGITS, STEPS = 16, 20
TIMEOUT = 120_000  # milliseconds
BUTTON = "#ddpm-sample"
READY = "#ddpm-scrubber[data-ready], #ddpm-scrubber [data-ready]"

# Press the button; milliseconds until the first preview is on show, and until the finished run is.
SAMPLE = """(button) => new Promise((resolve) => {
  const root = document.querySelector('#ddpm-scrubber'), found = {};
  let start;
  const seen = (name) => {   // an animation frame is painted after its callbacks; a message runs after that
    if (name in found) return;
    found[name] = null;
    requestAnimationFrame(() => {
      const {port1, port2} = new MessageChannel();
      port1.onmessage = () => {
        found[name] = performance.now() - start;
        if (name === 'finished') { observer.disconnect(); resolve([found.preview ?? found.finished, found.finished]); }
      };
      port2.postMessage(null);
    });
  };
  const observer = new MutationObserver((changes) => {
    for (const {attributeName, target} of changes) {
      if (attributeName === 'data-preview') seen('preview');
      if (attributeName === 'data-ready') seen('finished');
    }
  });
  observer.observe(root, {subtree: true, attributes: true, attributeFilter: ['data-preview', 'data-ready']});
  start = performance.now();
  document.querySelector(button).click();
})"""

# Show every frame of the run, one an animation frame; how many there were.
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


# Move a slider of the VAE to many places; milliseconds from each move to the picture that follows it.
FOLLOW = """async (moves) => {
  const shown = document.querySelector('#vae-traverse [data-ready]'), range = shown.querySelector('input[type=range]');
  const times = [];
  for (let k = 0; k < moves; k++) {
    const answers = shown.dataset.decoded, start = performance.now();
    range.value = 3 * Math.sin(k);
    range.dispatchEvent(new Event('input', {bubbles: true}));
    while (shown.dataset.decoded === answers) await new Promise((done) => setTimeout(done));
    times.push(performance.now() - start);
  }
  return times;
}"""

# Drag over the map, a move each 4 ms as a fast mouse does; milliseconds that each picture takes.
DRAG = """async (moves) => {
  const shown = document.querySelector('#vae-map [data-ready]'), plane = shown.querySelector('.plane');
  const box = plane.getBoundingClientRect(), before = Number(shown.dataset.decoded || 0), start = performance.now();
  for (let k = 0; k < moves; k++) {
    const clientX = box.left + box.width * (0.5 + 0.4 * Math.cos(k / 20));
    const clientY = box.top + box.height * (0.5 + 0.4 * Math.sin(k / 20));
    plane.dispatchEvent(new PointerEvent('pointermove', {clientX, clientY, buttons: 1, bubbles: true}));
    await new Promise((done) => setTimeout(done, 4));
  }
  return (performance.now() - start) / (Number(shown.dataset.decoded) - before);
}"""


# Let the lab train for some seconds; milliseconds a picture and a step.
TRAIN = """async (seconds) => {
  const shown = document.querySelector('#gan-lab [data-ready]'), play = shown.querySelector('[data-do=play]');
  const count = (name) => Number(shown.dataset[name]);
  const now = () => ({time: performance.now(), pictures: count("pictures"), steps: count("step")});
  play.click();
  await new Promise((done) => setTimeout(done, 500));
  const begun = now();
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  const ended = now();
  play.click();
  return ['pictures', 'steps'].map((name) => (ended.time - begun.time) / (ended[name] - begun[name]));
}"""


@dataclass(frozen=True)
class Options:
    """Measure the page; print a Markdown table and whether the bars are met.

    Attributes:
        weights, data: what `app.py` is given.
        starts: of the app, and trainings of the lab.
        clicks: on Sample.
        sweeps: of the scrubber, over all frames of a run with the default settings, and over the map.
        moves: of a slider, and in a sweep over the map.
        json: where to write all that was measured.
    """

    weights: Path = checkpoint.WEIGHTS
    data: Path = Path("data")
    starts: int = 3
    clicks: int = 20
    sweeps: int = 10
    moves: int = 100
    json: Path | None = None


class Row(NamedTuple):
    """What was measured, in its unit, and the largest median that is allowed."""

    name: str
    values: Sequence[float]
    unit: str
    bar: float | None = None

    @property
    def median(self) -> float:
        return float(np.median(self.values))

    def __str__(self) -> str:
        verdict = "" if self.bar is None else "pass" if self.median <= self.bar else "FAIL"
        bar = "" if self.bar is None else f"{self.bar:g} {self.unit}"
        p90 = np.quantile(self.values, 0.9)
        return f"| {self.name} | {self.median:.3g} [{p90:.3g}] {self.unit} | {bar} | {verdict} |"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(options: Options) -> Iterator[tuple[str, float]]:
    """The address of an app that answers there, and when it had imported its libraries."""
    port = _free_port()
    places = ["--weights", str(options.weights.resolve()), "--data", str(options.data.resolve())]
    command = [sys.executable, "-c", LAUNCH, "--port", str(port), *places]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as app:
        try:
            assert app.stdout is not None
            imported = app.stdout.readline()  # empty if it ended before
            while not _answers(port):
                if app.poll() is not None:
                    raise SystemExit("the app ended before its page was there")
                time.sleep(0.01)
            yield f"http://127.0.0.1:{port}/", float(imported.split()[1])
        finally:
            app.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Page]:
    """A page in a context of its own: nothing is cached."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)
    page.goto(url, wait_until="commit")
    yield page
    context.close()


def start(browser: Browser, options: Options) -> tuple[float, float]:
    """Seconds from the imports to a button that can be pressed, and to the first run under the scrubber."""
    with running(options) as (url, imported), opened(browser, f"{url}?tab=ddpm") as page:
        page.wait_for_selector(f"{BUTTON}:enabled")
        pressable = time.time() - imported
        page.wait_for_selector(READY)
        return pressable, time.time() - imported


def sample(browser: Browser, url: str, clicks: int) -> tuple[list[float], list[float]]:
    """Seconds from each click to the first preview and to the finished run; the link sets the controls."""
    settings = {f"n={DIGITS}", f"steps={STEPS}"}
    with opened(browser, f"{url}?tab=ddpm&{'&'.join(settings)}") as page:
        page.wait_for_selector(READY)
        times = np.array([page.evaluate(SAMPLE, BUTTON) for _ in range(clicks)]) / 1000
        if not settings <= set(urlsplit(page.url).query.split("&")):  # the address tells the run on show
            raise SystemExit(f"the page sampled something else: {page.url}")
    return times[:, 0].tolist(), times[:, 1].tolist()


def scrub(browser: Browser, url: str, sweeps: int) -> tuple[list[float], list[float]]:
    """For each sweep over a run: milliseconds of the page's main thread for a frame, and requests made."""
    costs, requests = [], []
    with opened(browser, f"{url}?tab=ddpm") as page:
        page.wait_for_selector(READY)
        page.wait_for_timeout(2000)  # whatever the start still asks for
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        made: list[str] = []
        page.on("request", lambda request: made.append(request.url))
        for _ in range(sweeps):
            made.clear()
            before = _busy(session.send("Performance.getMetrics"))
            frames = page.evaluate(SCRUB)
            costs.append(1000 * (_busy(session.send("Performance.getMetrics")) - before) / frames)
            requests.append(float(len(made)))
    return costs, requests


def explore(browser: Browser, url: str, moves: int, sweeps: int) -> tuple[list[float], list[float]]:
    """Milliseconds from moves of a VAE's slider to their pictures, and for a picture while the map is dragged."""
    with opened(browser, f"{url}?tab=vae") as page:
        page.wait_for_selector("#vae-traverse [data-ready]", state="attached")
        followed = page.evaluate(FOLLOW, moves)
        page.get_by_role("tab", name="Map").click()
        page.wait_for_selector("#vae-map [data-ready]", state="attached")
        return followed, [page.evaluate(DRAG, moves) for _ in range(sweeps)]


def train(browser: Browser, url: str, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds for a picture and for a step of the GAN lab with its first settings, three seconds each time."""
    with opened(browser, f"{url}?tab=gan.lab") as page:
        page.wait_for_selector("#gan-lab [data-ready]", state="attached")
        found = [page.evaluate(TRAIN, 3) for _ in range(times)]
        return [picture for picture, _ in found], [step for _, step in found]


def _busy(metrics: dict[str, list[dict[str, float]]]) -> float:
    """Seconds that the page's main thread has worked: script, style, layout, painting."""
    return next(metric["value"] for metric in metrics["metrics"] if metric["name"] == "TaskDuration")


def measure(browser: Browser, options: Options) -> Iterator[Row]:
    started = [start(browser, options) for _ in range(options.starts)]
    yield Row("libraries imported to Sample can be pressed", [pressable for pressable, _ in started], "s")
    yield Row("libraries imported to page usable: the first run can be scrubbed", [usable for _, usable in started],
              "s", 3.0)  # fmt: skip
    with running(options) as (url, _):
        preview, finished = sample(browser, url, options.clicks)
        yield Row("click to first preview", preview, "s", 0.5)
        yield Row(f"click to finished, {DIGITS} digits in {STEPS} steps", finished, "s", 1.0)
        costs, requests = scrub(browser, url, options.sweeps)
        yield Row("scrubbing, cost of a frame", costs, "ms", 16.7)
        yield Row("requests while scrubbing over a run", requests, "requests", 0)
        followed, dragged = explore(browser, url, options.moves, options.sweeps)
        yield Row("VAE, a slider moved to the picture that follows", followed, "ms", 40)
        yield Row("VAE, a picture while the map is dragged", dragged, "ms", 50)
        shown, taken = train(browser, url, options.starts)
        yield Row("GAN, a picture of the lab in training", shown, "ms", 125)
        yield Row("GAN, a step of the lab in training", taken, "ms", 1000 / 150)


def main(options: Options) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        version = f"Chromium {browser.version}"
        rows = list(measure(browser, options))
        browser.close()
    print("| | median [90th percentile] | bar | |\n|---|---|---|---|", *rows, f"\nin {version}", sep="\n")
    if options.json:
        found = {"browser": version, "rows": [row._asdict() for row in rows]}
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options))
