"""Fixtures of the browser tests: the shipped app in a real Chromium."""

import inspect
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from server import LocalApp, Server, in_process, shipped
from visitor import FAMILIAR, LIMIT

from playground.runtime.paths import Paths

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
expect.set_options(timeout=LIMIT)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try a failed test of this folder once more: on a busy machine a browser may be slower than any time limit."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with shipped(tmp_path_factory.mktemp("app")) as running:
        yield running


@pytest.fixture(scope="session")
def address(server: Server) -> str:
    return server.address


@pytest.fixture(scope="session")
def shared_local_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalApp]:
    paths = Paths(tmp_path_factory.mktemp("weights"), tmp_path_factory.mktemp("data"))
    with in_process(paths) as address:
        yield LocalApp(address, paths)


@pytest.fixture
def local_app(shared_local_app: LocalApp) -> LocalApp:
    """Return an app in this process, its folders empty.

    A test may fill them: the app reads them anew for each page. To build an app for each test takes seconds.
    """
    for folder in (shared_local_app.paths.weights, shared_local_app.paths.data):
        shutil.rmtree(folder)
        folder.mkdir()
    return shared_local_app


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
    """Return the list to which a page's errors will be added.

    One of Gradio's own is left out: if a run is stopped while it begins, Gradio cancels a run without a number, and the
    server refuses.
    """
    errors: list[str] = []

    def add(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.location["url"].endswith("/cancel"):
            errors.append(message.text)

    page.on("pageerror", lambda error: errors.append(f"page error: {error}"))
    page.on("console", add)
    return errors


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Print what the page shows when a test fails."""
    outcome = yield
    page = getattr(item, "funcargs", {}).get("page")
    if call.when == "call" and outcome.get_result().failed and isinstance(page, Page):
        print(page.url, page.locator("body").inner_text()[:3000], sep="\n")


@pytest.fixture
def page(chromium: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Open a page on a desktop, at the address `TAB` of the test's file unless the test uses the address itself, for a
    visitor who knows the page and wants no motion.

    The test fails if the browser reports an error.
    """
    context = chromium.new_context(
        viewport={"width": 1280, "height": 900}, accept_downloads=True, reduced_motion="reduce"
    )
    context.set_default_timeout(LIMIT)
    context.add_init_script(FAMILIAR)
    page = context.new_page()
    errors = watch(page)
    if "address" not in inspect.signature(request.function).parameters:
        page.goto(f"{address}{request.module.TAB}")
    yield page
    context.close()
    assert not errors, errors


@pytest.fixture
def broken_picture(tmp_path: Path) -> Path:
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"no picture")
    return path
