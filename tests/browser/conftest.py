"""The app as it is shipped, served to a real Chromium."""

import inspect
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

import app
from playground import checkpoint
from playground.tabs import Places

NAMES = ("chromium", "chromium-browser", "google-chrome", "msedge")
CHROMIUM = next((path for path in map(shutil.which, NAMES) if path), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The running app: the shipped weights, and no data set."""
    empty = tmp_path_factory.mktemp("data")
    page = app.build(Places(checkpoint.WEIGHTS, empty))
    _, url, _ = app.launch(page, prevent_thread_lock=True, quiet=True, server_port=None)
    yield url
    page.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        missing = pytest.fail if "CI" in os.environ else pytest.skip
        missing(f"the browser tests need one of {', '.join(NAMES)} on the path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def watch(page: Page) -> list[str]:
    """Collect what a browser finds wrong, but for what Gradio does when a run is stopped that only begins: it cancels
    one without a number, and the server refuses."""
    wrong: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.location["url"].endswith("/cancel"):
            wrong.append(message.text)

    page.on("pageerror", lambda error: wrong.append(f"page error: {error}"))
    page.on("console", heard)
    return wrong


@pytest.fixture
def page(chromium: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A visitor on a desktop: on the tab `TAB` of the test's file, unless the test takes the address to go by itself.

    The test fails if the browser finds anything wrong.
    """
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page = context.new_page()
    wrong = watch(page)
    if "address" not in inspect.signature(request.function).parameters:
        page.goto(f"{address}?tab={request.module.TAB}")
    yield page
    context.close()
    assert not wrong, wrong


@pytest.fixture
def broken_picture(tmp_path: Path) -> Path:
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"no picture")
    return path
