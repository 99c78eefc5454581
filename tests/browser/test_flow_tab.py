"""The tab of normalizing flows in a real browser."""

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from visitor import nameless, next_value, pixels, ready

from playground.tabs import discover

TAB = "flow.lab"
pytestmark = pytest.mark.skipif("flow" not in discover(), reason="the tab is still being built")
LAB = "#flow-lab"


def test_a_flow_is_trained_and_seen_layer_by_layer(page: Page) -> None:
    ready(page, LAB)
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(f"Number(document.querySelector('{LAB} [data-ready]').dataset.step) >= 30", timeout=30_000)
    page.get_by_role("button", name="Pause", exact=True).click()
    through = pixels(page, f"{LAB} .field", 1)
    page.locator(f"{LAB} .dial input").fill("0")
    expect(page.locator(f"{LAB} .caption")).to_contain_text("so far 0.000")
    assert not np.array_equal(pixels(page, f"{LAB} .field", 1), through), "before any layer the data are the data"


def test_other_data_begin_another_lab(page: Page) -> None:
    before = ready(page, LAB)
    page.locator("label").filter(has_text="spirals").click()
    next_value(page, before, LAB)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_never_scrolls_sideways(chromium: Browser, address: str, scheme: str) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 780}, color_scheme=scheme, has_touch=True)
    page = context.new_page()
    page.goto(f"{address}?tab={TAB}&__theme={scheme}")
    ready(page, LAB)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    context.close()


def test_every_picture_and_control_has_a_name(page: Page) -> None:
    ready(page, LAB)
    assert not nameless(page)
