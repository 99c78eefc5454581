"""What a visitor does and sees, for the tests of every tab."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Download, Locator, Page


def ready(page: Page, component: str) -> str:
    """Wait for a component of our own to show a value; the value's id."""
    shown = page.wait_for_selector(f"{component} [data-ready]", state="attached", timeout=60_000)
    return shown.get_attribute("data-ready")


def next_value(page: Page, before: str, component: str) -> None:
    """Wait for it to show another value than the one with the id `before`."""
    page.wait_for_selector(f"{component} [data-ready]:not([data-ready='{before}'])", state="attached", timeout=60_000)


def pixels(page: Page, canvas: str, number: int = 0) -> np.ndarray:
    """The red of a canvas's pixels, (H, W)."""
    width, values = page.evaluate(
        f"(() => {{ const c = document.querySelectorAll('{canvas}')[{number}]; return [c.width, "
        "[...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].filter((_, i) => i % 4 === 0)]; })()"
    )
    return np.array(values, np.uint8).reshape(-1, width)


def control(page: Page, label: str) -> Locator:
    """The visible control of this label, whichever tab it is in."""
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
    """A picture that the page handed out."""
    return Image.open(io.BytesIO(Path(download.path()).read_bytes()))


def nameless(page: Page) -> list[str]:
    """Visible pictures and controls without a name for those who cannot see them."""
    return page.evaluate(
        """() => [...document.querySelectorAll('canvas, img, button, input')]
          .filter((e) => e.offsetParent && !e.closest('[aria-hidden=true]'))
          .filter((e) => !(e.getAttribute('aria-label') || e.alt || e.title))
          .filter((e) => !(e.innerText || e.labels?.length))
          .map((e) => e.outerHTML.slice(0, 120))"""
    )
