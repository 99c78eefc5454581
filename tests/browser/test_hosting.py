"""The page below a sub-path behind nginx, and in a frame of another site."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from proxy import PREFIX, nginx
from server import shipped
from visitor import FAMILIAR, LIMIT, idle, next_value, open_again, ready, set_control

STAGE = "#ddpm-scrubber"
# Script of a browser that keeps nothing for a frame of another site, and has no clipboard for it.
FORGETFUL = """if (window !== top) {
  for (const name of ['localStorage', 'sessionStorage'])
    Object.defineProperty(window, name, {get() { throw new DOMException('denied', 'SecurityError'); }});
  Object.defineProperty(navigator, 'clipboard', {value: undefined});
}"""


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of the page below a sub-path."""
    folder = tmp_path_factory.mktemp("below")
    with shipped(folder, GRADIO_ROOT_PATH=PREFIX) as server, nginx(folder, server.address) as address:
        yield address


def test_a_visitor_never_leaves_the_sub_path(page: Page, below: str, address: str, tmp_path: Path) -> None:
    outside: list[str] = []

    def note(url: str) -> None:
        if not url.startswith((below.rstrip("/"), "data:", "blob:")):
            outside.append(url)

    page.on("request", lambda request: note(request.url))
    page.goto(below.rstrip("/"))
    page.wait_for_function("[...document.querySelectorAll('.families img')].every((film) => film.naturalWidth > 100)")
    page.get_by_role("link", name="A lower bound, the ELBO").click()
    expect(page).to_have_url(f"{below}vae?view=elbo")
    expect(page.get_by_role("tab", name="ELBO")).to_have_attribute("aria-selected", "true")
    page.get_by_role("link", name="Diffusion", exact=True).click()
    before = ready(page, STAGE)
    page.locator("#ddpm-sample").click()
    next_value(page, before, STAGE)
    expect(page).to_have_url(re.compile(f"^{below}ddpm.*seed="))
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Pictures (PNG)").click()
    open_again(page, download.value, tmp_path)
    ready(page, STAGE)
    idle(page)
    page.get_by_role("link", name="Start", exact=True).click()
    page.locator("#take-tour").click()
    page.get_by_role("button", name="Next").click()
    expect(page).to_have_url(re.compile(f"^{below}.*tour=2"))
    assert not outside


def test_answers_are_passed_on_one_by_one(below: str) -> None:
    with httpx.stream("GET", f"{below}gradio_api/heartbeat/visitor", timeout=120) as stream:
        assert len(next(stream.iter_raw())) < 1000  # nginx buffers 4,000 bytes or more


def test_each_visitor_stays_at_one_replica(below: str) -> None:
    first, again, other = (
        httpx.get(below, headers=headers).cookies["playground"] for headers in ({}, {"Cookie": "playground=abc"}, {})
    )
    assert again == "abc"
    assert len({first, again, other}) == 3


def test_the_page_works_in_a_frame_where_the_browser_keeps_nothing(page: Page, address: str, tmp_path: Path) -> None:
    site = tmp_path / "site.html"
    site.write_text(f'<iframe src="{address}ddpm" width=1200 height=800></iframe>')
    page.add_init_script(FORGETFUL)
    page.goto(site.as_uri())
    frame = page.frame_locator("iframe")
    stage = frame.locator(f"{STAGE} [data-ready]")
    stage.wait_for(state="attached")
    frame.get_by_role("button", name="Close").click()  # of the guide: the frame does not know the visitor
    before = stage.get_attribute("data-ready")
    frame.locator("#ddpm-sample").click()
    expect(stage).not_to_have_attribute("data-ready", before or "")
    frame.get_by_role("button", name="Copy link").locator("visible=true").click()
    expect(frame.get_by_role("button", name="Copied")).to_be_visible()
    frame.get_by_role("link", name="VAE", exact=True).click()
    frame.locator("#vae-traverse [data-ready]").wait_for(state="attached")


@pytest.mark.slow
def test_who_loses_a_replica_in_mid_run_is_told_and_goes_on_with_the_other(chromium: Browser, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with (
        shipped(folders[0], GRADIO_ROOT_PATH=PREFIX) as one,
        shipped(folders[1], GRADIO_ROOT_PATH=PREFIX) as other,
        nginx(tmp_path, one.address, other.address) as address,
        chromium.new_context() as context,
    ):
        context.set_default_timeout(LIMIT)
        context.add_init_script(FAMILIAR)
        page = context.new_page()
        page.goto(f"{address}ddpm")
        ready(page, STAGE)
        set_control(page, "Steps", "1000")
        page.locator("#ddpm-sample").click()
        expect(page.locator(f"{STAGE} .caption")).to_contain_text(re.compile(r"step \d+ of 1000"))
        apps, health = [one, other], "gradio_api/health"
        apps.sort(key=lambda app: httpx.get(f"{app.address}{health}", timeout=60).json()["running"])
        with page.expect_navigation():  # the page comes anew from the other, and its address says which run to make
            os.kill(apps.pop().pid, signal.SIGKILL)
            expect(page.get_by_text("Connection to the server was lost. Attempting reconnection")).to_be_visible()
        expect(page.locator(f"{STAGE} .caption")).to_contain_text(re.compile(r"step \d+ of 1000"))
        assert httpx.get(f"{apps[0].address}{health}", timeout=60).json()["running"] == 1
