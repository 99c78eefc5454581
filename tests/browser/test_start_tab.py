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


def test_a_question_is_answered_by_keyboard_and_opens_its_experiment(page: Page, address: str) -> None:
    page.goto(f"{address}start?question=guidance")  # the name of the first tab leads to the root
    question = page.locator("#question-guidance")
    expect(question).to_have_attribute("open", "")
    assert page.url == f"{address}?question=guidance"
    expect(page).to_have_title("Generative Playground")
    expect(question.locator(".answer")).to_be_hidden()
    question.locator("summary").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(question.get_by_role("button", name="Nothing but noise")).to_have_attribute("aria-pressed", "true")
    expect(question.get_by_role("status")).to_contain_text("Any digits, as if nobody had asked for sevens.")
    link = question.get_by_role("link", name="Sevens with w = 0")
    for _ in range(12):  # past the other choices, and the terms of the answer
        if link.evaluate("link => link === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/ddpm\?"))
    expect(page).to_have_title("Diffusion · Generative Playground")
    expect(page.get_by_label("number input for Guidance w")).to_have_value("0")
    expect(page.get_by_role("radio", name="7", exact=True)).to_be_checked()


def test_the_address_names_the_question_that_was_opened(page: Page) -> None:
    summary = page.locator("#question-elbo summary")
    summary.click()
    expect(page).to_have_url(re.compile(r"\?question=elbo$"))
    summary.click()
    expect(page).to_have_url(re.compile(r"/$"))


def test_a_tab_opens_again_as_it_was_left(page: Page, address: str) -> None:
    page.goto(f"{address}ddpm?n=2&steps=3&seed=5")
    expect(page.locator("#ddpm-scrubber .caption")).to_contain_text("step 3 of 3")
    page.get_by_role("link", name="Start").click()
    page.get_by_role("link", name="Diffusion", exact=True).click()
    expect(page.locator("#ddpm-scrubber .caption")).to_contain_text("step 3 of 3")
    expect(page.get_by_label("number input for Pictures")).to_have_value("2")
