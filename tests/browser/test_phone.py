"""Every view of every tab on a narrow phone, in the dark."""

import pytest
from playwright.sync_api import Browser, expect

from playground.tabs import discover

# Elements of complete views, at least one in each.
COMPLETE = "[data-ready], .line, .xy img, #text-measure, #vae-meter, #vae-betas img, #vae-nearest p, #vae-nearest img"
COMPLETE += ", .families img"
COMPLETE += ", .caption:has-text('is missing')"  # of a view whose checkpoint is still to be trained


@pytest.mark.parametrize("tab", discover())
def test_a_phone_never_scrolls_sideways(chromium: Browser, address: str, tab: str) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 780}, color_scheme="dark", has_touch=True)
    page = context.new_page()
    page.goto(f"{address}{'' if tab == 'start' else tab}?__theme=dark")
    expect(page.get_by_role("link", name=discover()[tab].title, exact=True)).to_have_attribute("aria-current", "page")
    complete = page.locator(COMPLETE).locator("visible=true").first
    expect(complete).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    for view in page.get_by_role("tab").all()[1:]:
        view.click()
        expect(complete).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, view.inner_text()
    context.close()
