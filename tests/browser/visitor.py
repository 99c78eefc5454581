"""Actions of a visitor and views of the page, for the tests of every tab."""

import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Download, Locator, Page, Request

from playground.export.read import read_metadata

LIMIT = 180_000  # milliseconds of waiting for anything, since a busy machine is slow
# Script of a visitor who has opened all layers and closed the guide before.
FAMILIAR = """try {
  for (const key of ['layer.dimensions', 'layer.numbers', 'layer.maths', 'guide.off']) localStorage[key] = 'open';
} catch { /* an empty page keeps nothing */ }"""


def ready(page: Page, component: str) -> str:
    """Wait until a component of our own shows a value; return the value's id."""
    element = page.wait_for_selector(f"{component} [data-ready]", state="attached", timeout=LIMIT)
    return element.get_attribute("data-ready")


def next_value(page: Page, before: str, component: str) -> None:
    """Wait until a component shows another value than the one with the id `before`."""
    page.wait_for_selector(f"{component} [data-ready]:not([data-ready='{before}'])", state="attached", timeout=LIMIT)


def eventually(page: Page, condition: Callable[[], bool]) -> None:
    """Wait for a condition that no event of the page announces, such as the pixels of a canvas."""
    deadline = time.monotonic() + LIMIT / 1000
    while not condition():
        assert time.monotonic() < deadline, "it has not come about"
        later(page, 50)


def later(page: Page, milliseconds: int) -> None:
    """Wait by the page's own clock, so that its shorter timers have fired, however slow the machine is."""
    page.evaluate(f"new Promise((done) => setTimeout(done, {milliseconds}))")


def count_frames(page: Page, milliseconds: int) -> int:
    """Return how many frames the page's scripts ask the browser for in a time: none while nothing moves."""
    return page.evaluate(
        f"""new Promise((done) => {{
          const ask = window.requestAnimationFrame;
          let n = 0;
          window.requestAnimationFrame = (draw) => {{ n++; return ask.call(window, draw); }};
          setTimeout(() => {{ window.requestAnimationFrame = ask; done(n); }}, {milliseconds});
        }})"""
    )


def idle(page: Page) -> None:
    """Wait until a page has sent no request, and none of its streams has ended, for a second."""
    seen = [time.monotonic()]

    def note(_: Request) -> None:
        seen.append(time.monotonic())

    for event in ("request", "requestfinished", "requestfailed"):
        page.on(event, note)
    eventually(page, lambda: time.monotonic() - seen[-1] > 1)
    for event in ("request", "requestfinished", "requestfailed"):
        page.remove_listener(event, note)


def pixels(page: Page, canvas: str, number: int = 0) -> np.ndarray:
    """Return the red channel of a canvas, (H, W)."""
    width, values = page.evaluate(
        f"(() => {{ const c = document.querySelectorAll('{canvas}')[{number}]; return [c.width, "
        "[...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].filter((_, i) => i % 4 === 0)]; })()"
    )
    return np.array(values, np.uint8).reshape(-1, width)


def strip(page: Page, scrubber: str, number: int) -> np.ndarray:
    """Return the pixels of a strip, (H, W)."""
    return pixels(page, f"{scrubber} .strips canvas", number)


def control(page: Page, label: str) -> Locator:
    """Return the visible control with a label, in any tab."""
    return page.get_by_label(label).locator("visible=true").first


def set_control(page: Page, label: str, value: str) -> None:
    """Type a number into a slider's box."""
    box = control(page, f"number input for {label}")
    box.fill(value)
    box.press("Enter")


def upload(page: Page, path: Path) -> None:
    """Choose a picture."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a picture").click()
    chooser.value.set_files(path)


def caption(page: Page, component: str) -> str:
    return page.locator(f"{component} .caption").inner_text()


def saved(download: Download) -> Image.Image:
    """Return a picture that the page saved."""
    return Image.open(io.BytesIO(Path(download.path()).read_bytes()))


def open_again(page: Page, download: Download, folder: Path) -> None:
    """Give a saved picture back to the page, and wait until its view is opened with its settings."""
    path = folder / download.suggested_filename
    download.save_as(path)
    with page.expect_navigation():
        page.locator(".title input[type=file]").set_input_files(path)
    assert page.url.endswith(read_metadata(path)["link"])


def nameless(page: Page) -> list[str]:
    """Return the HTML of visible pictures and controls without a name for screen readers."""
    return page.evaluate(
        """() => [...document.querySelectorAll('canvas, img, button, input')]
          .filter((e) => e.offsetParent && e.checkVisibility() && !e.closest('[aria-hidden=true]'))
          .filter((e) => !(e.getAttribute('aria-label') || e.alt || e.title))
          .filter((e) => !(e.innerText || e.labels?.length))
          .map((e) => e.outerHTML.slice(0, 120))"""
    )
