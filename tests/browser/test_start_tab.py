"""A visitor on the start page, in a real browser."""

import re

from playwright.sync_api import Page, expect
from visitor import nameless

TAB = ""


def test_every_family_shows_a_film_and_opens(page: Page) -> None:
    films = page.locator(".families img")
    expect(films).to_have_count(6)
    page.wait_for_function("[...document.querySelectorAll('.families img')].every((film) => film.naturalWidth > 100)")
    assert not nameless(page)
    page.get_by_role("link", name="A flow is a network").click()
    expect(page).to_have_url(re.compile("/normalizing_flow"))
    expect(page.get_by_role("link", name="Flow", exact=True)).to_have_attribute("aria-current", "page")
    page.go_back()
    page.get_by_role("link", name="A lower bound, the ELBO").click()
    expect(page).to_have_url(re.compile(r"/vae\?view=elbo"))
    expect(page.get_by_role("tab", name="ELBO")).to_have_attribute("aria-selected", "true")


def test_a_tab_opens_again_as_it_was_left(page: Page, address: str) -> None:
    page.goto(f"{address}ddpm?n=2&steps=3&seed=5")
    expect(page.locator("#ddpm-scrubber .caption")).to_contain_text("step 3 of 3")
    page.get_by_role("link", name="Start").click()
    page.get_by_role("link", name="DDPM / DDIM", exact=True).click()
    expect(page.locator("#ddpm-scrubber .caption")).to_contain_text("step 3 of 3")
    expect(page.get_by_label("number input for Pictures")).to_have_value("2")
