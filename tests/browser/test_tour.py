"""The tour, walked from stop to stop."""

import re

from playwright.sync_api import Page, expect

from playground.web.tour import STOPS

TAB = ""


def test_the_tour_is_walked_to_its_end(page: Page) -> None:
    page.get_by_role("link", name="Take the tour").click()
    card = page.get_by_role("dialog", name="Tour")
    for k, stop in enumerate(STOPS, 1):
        expect(card).to_contain_text(f"Stop {k} of {len(STOPS)}")
        expect(card).to_contain_text(stop.text)
        assert f"tour={k}" in page.url
        assert page.locator(stop.target).locator("visible=true").first.evaluate("e => e.matches('.guide-target')")
        card.get_by_role("button", name="Next" if k < len(STOPS) else "Done").click()
    expect(card).to_be_hidden()


def test_a_tour_that_was_left_goes_on_from_the_start_page(page: Page, address: str) -> None:
    page.goto(f"{address}?tour=3")  # which leads to the tab of the stop
    card = page.get_by_role("dialog", name="Tour")
    expect(card).to_contain_text(STOPS[2].text)
    expect(page).to_have_url(re.compile(r"/vae\?.*view=map"))
    page.get_by_role("tab", name="Interpolate").click()
    expect(page).to_have_url(re.compile(r"view=interpolate"))
    assert "tour=" not in page.url, "the stop is in another view"
    page.go_back()
    expect(page).to_have_url(re.compile(r"tour=3.*view=map"))
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    assert "tour=" not in page.url
    page.goto(address)
    page.get_by_role("link", name="Go on with the tour, stop 3").click()
    expect(card).to_contain_text(STOPS[2].text)
    card.get_by_role("button", name="Back").click()
    expect(card).to_contain_text(STOPS[1].text)
    expect(page).to_have_url(re.compile(r"/vae\?.*tour=2"))
