"""What a page shows at the first visit: its guide, folded layers, and explanations of terms."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from visitor import LIMIT, later, ready

from playground.tabs import discover
from playground.tabs.compare import scoreboard
from playground.web import glossary

SCRUBBER = "#ddpm-scrubber"


@pytest.fixture
def newcomer(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(LIMIT)
    yield context.new_page()
    context.close()


def test_the_guide_leads_through_a_tab_and_comes_back_when_asked(newcomer: Page, address: str) -> None:
    newcomer.goto(f"{address}ddpm")
    card, steps = newcomer.locator("[aria-label='Guided minute']"), discover()["ddpm"].guide
    for k, step in enumerate(steps):
        expect(card).to_contain_text(step.text)
        expect(card).to_contain_text(f"{k + 1} of {len(steps)}")
        expect(newcomer.locator(".guide-target")).to_have_count(1)
        assert newcomer.locator(step.target).first.evaluate("e => e.matches('.guide-target')")
        card.get_by_role("button", name="Next" if k + 1 < len(steps) else "Done").click()
    expect(card).to_be_hidden()
    newcomer.reload()
    ready(newcomer, SCRUBBER)
    newcomer.get_by_role("button", name="Show me around").click()
    expect(card).to_contain_text(steps[0].text)
    newcomer.keyboard.press("Escape")
    expect(card).to_be_hidden()
    newcomer.goto(f"{address}vae")  # closed once, it does not come by itself in another tab
    ready(newcomer, "#vae-traverse")
    later(newcomer, 1000)
    expect(card).to_have_count(0)


@pytest.mark.parametrize("tab", [name for name, tab in discover().items() if tab.guide])
def test_every_step_of_a_guide_has_something_to_point_at(page: Page, address: str, tab: str) -> None:
    page.goto(f"{address}{tab}")
    page.wait_for_selector("[data-ready]", state="attached")
    for step in discover()[tab].guide:
        expect(page.locator(step.target).locator("visible=true").first).to_be_visible()


def test_layers_are_folded_until_they_are_opened_and_stay_open(newcomer: Page, address: str) -> None:
    newcomer.goto(f"{address}ddpm")
    ready(newcomer, SCRUBBER)
    curves, maths = newcomer.locator(f"{SCRUBBER} .curves"), newcomer.locator(f"{SCRUBBER} .formula")
    expect(curves).to_be_hidden()
    newcomer.locator(f"{SCRUBBER} summary", has_text="Numbers and curves").click()
    expect(curves).to_be_visible()
    newcomer.reload()
    ready(newcomer, SCRUBBER)
    expect(curves).to_be_visible()
    expect(maths).to_be_hidden()


def test_a_term_explains_itself_on_hover_focus_and_press(page: Page, address: str) -> None:
    page.goto(f"{address}vae")
    ready(page, "#vae-traverse")
    term, note = page.locator("dfn", has_text="autoencoder").first, page.locator("#about-term")
    text = glossary.TERMS["autoencoder",]
    term.hover()
    expect(note).to_have_text(text)
    page.mouse.move(0, 0)
    expect(note).to_be_hidden()
    term.focus()
    expect(note).to_be_visible()
    page.keyboard.press("Escape")
    expect(note).to_be_hidden()
    term.click()
    expect(note).to_be_visible()
    assert term.get_attribute("aria-description") == text


def test_a_hint_explains_itself_on_hover_focus_and_tap(chromium: Browser, address: str) -> None:
    context = chromium.new_context(has_touch=True, reduced_motion="reduce")
    context.set_default_timeout(LIMIT)
    page = context.new_page()
    page.goto(f"{address}compare?view=scoreboard")
    ready(page, "#scoreboard")
    heading, note = page.locator("#sort-recall"), page.locator("#about-term")
    heading.hover()
    expect(note).to_have_text(scoreboard.FIGURES["recall"].hint)
    page.mouse.move(0, 0)
    expect(note).to_be_hidden()
    page.locator("#sort-precision").focus()
    page.keyboard.press("Tab")
    expect(note).to_have_text(scoreboard.FIGURES["recall"].hint)
    page.keyboard.press("Escape")
    expect(note).to_be_hidden()
    page.locator("#sort-density").tap()
    expect(note).to_have_text(scoreboard.FIGURES["density"].hint)
    page.wait_for_url("**sort=density**")
    context.close()
