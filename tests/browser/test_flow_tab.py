"""The tab of normalizing flows in a real browser."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from server import LocalApp
from visitor import caption, nameless, next_value, open_again, pixels, ready, saved, set_control, upload

from playground.families import normalizing_flow
from playground.runtime import checkpoint

TAB, NAME = "normalizing_flow?view=lab", "flow-digits"
LAB, DIGITS = "#flow-lab", "#flow-digits"


def test_a_flow_is_trained_and_seen_layer_by_layer_and_other_data_begin_another(page: Page) -> None:
    ready(page, LAB)
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(f"Number(document.querySelector('{LAB} [data-ready]').dataset.step) >= 30")
    page.evaluate(
        f"""() => {{
          const mark = document.querySelector('{LAB} .dial output');
          window.marks = [];
          new MutationObserver(() => marks.push(mark.value)).observe(mark, {{childList: true}});
        }}"""
    )
    page.get_by_role("button", name="Play through", exact=True).click()  # which ends the training
    page.wait_for_function("marks.at(-1)?.startsWith('18 of')")
    assert len(set(page.evaluate("marks"))) == 19, "before any layer, and after each"
    expect(page.get_by_role("button", name="Play through", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    through = pixels(page, f"{LAB} .field", 1)
    page.locator(f"{LAB} .dial input").fill("0")
    expect(page.locator(f"{LAB} .caption")).to_contain_text("so far 0.000")
    assert not np.array_equal(pixels(page, f"{LAB} .field", 1), through), "before any layer the data are the data"
    assert not nameless(page)
    before = ready(page, LAB)
    page.locator("label").filter(has_text="spirals").click()
    next_value(page, before, LAB)


# --- digits: a small model that learned nothing, so that all is there without a training ------------


@pytest.fixture
def digits(local_app: LocalApp) -> str:
    """The address of the view in an app without a data set."""
    model = normalizing_flow.Model(
        normalizing_flow.Config(steps=(1, 1), widths=(8, 8), bins=3, noise_steps=1, noise_width=8)
    )
    checkpoint.save(local_app.paths.weights / f"{NAME}.safetensors", model, {})
    return f"{local_app.address}normalizing_flow?view=digits"


def test_digits_come_out_of_noise_layer_by_layer(page: Page, digits: str) -> None:
    page.goto(f"{digits}&show=samples")
    before = ready(page, DIGITS)
    assert "layer 6 of 6: normalize" in caption(page, DIGITS)
    drawn = pixels(page, f"{DIGITS} .strips canvas")
    page.locator(f"{DIGITS} .position").fill("0")
    expect(page.locator(f"{DIGITS} .caption")).to_contain_text("the noise")
    page.locator(f"{DIGITS} .position").fill("6")
    set_control(page, "Temperature", "0")
    next_value(page, before, DIGITS)
    cold = pixels(page, f"{DIGITS} .strips canvas")
    assert not np.array_equal(cold, drawn)
    assert (cold == cold[0, 0]).all(), "nothing was learned: z = 0 is grey"


def test_digits_go_to_noise_and_back_and_are_compared(page: Page, digits: str) -> None:
    page.goto(digits)
    ready(page, DIGITS)
    assert "bits per dimension" in caption(page, DIGITS)
    expect(page.locator("#flow-likelihood .line")).to_have_count(4)
    page.locator(f"{DIGITS} .position").fill("0")
    x = pixels(page, f"{DIGITS} .strips canvas")
    page.locator(f"{DIGITS} .position").fill("12")
    expect(page.locator(f"{DIGITS} .caption")).to_contain_text("x again")
    assert np.array_equal(pixels(page, f"{DIGITS} .strips canvas"), x)


def test_a_link_restores_the_way_between_two_digits(page: Page, digits: str, tmp_path: Path) -> None:
    page.goto(f"{digits}&show=way&picture=A+sample&to_number=3&seed=2")
    ready(page, DIGITS)
    assert "50% of the way" in caption(page, DIGITS)
    expect(page.get_by_label("Seed or number").locator("visible=true")).to_have_value("3")
    page.get_by_role("button", name="Export").locator("visible=true").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Pictures (PNG)").locator("visible=true").click()
    file = saved(download.value)
    assert file.size == (4 * 28, 4 * 28)
    assert '"to_number": 3' in file.text["settings"]
    open_again(page, download.value, tmp_path)
    ready(page, DIGITS)
    expect(page.get_by_label("Seed or number").locator("visible=true")).to_have_value("3")


def test_a_picture_of_digits_that_is_none_is_one_sentence(page: Page, digits: str, broken_picture: Path) -> None:
    page.goto(f"{digits}&show=picture")
    ready(page, DIGITS)
    page.locator("label").filter(has_text="Draw").locator("visible=true").click()
    expect(page.locator(f"{DIGITS} .caption")).to_have_text("The drawing pad is blank: draw something on it.")
    page.locator("label").filter(has_text="Upload").locator("visible=true").click()
    upload(page, broken_picture)
    expect(page.locator(f"{DIGITS} .caption")).to_contain_text("The file is not a picture that can be read")


def test_a_link_to_digits_that_are_not_allowed_says_so(page: Page, digits: str) -> None:
    page.goto(f"{digits}&temperature=3")
    ready(page, DIGITS)
    expect(page.locator(f"{DIGITS} .caption")).to_contain_text("Temperature must be a number from 0 to 2, not 3.0.")


@pytest.mark.skipif((checkpoint.WEIGHTS / f"{NAME}.safetensors").exists(), reason="digits are trained")
def test_digits_that_are_not_trained_are_one_sentence(page: Page, address: str) -> None:
    page.goto(f"{address}normalizing_flow?view=digits")
    expect(page.locator(f"{DIGITS} .caption")).to_contain_text(f"“python -m train {NAME}” makes it")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_digits_fit_a_phone_and_have_names(chromium: Browser, digits: str, scheme: str) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 780}, color_scheme=scheme, has_touch=True)
    page = context.new_page()
    page.goto(f"{digits}&show=picture&__theme={scheme}")
    ready(page, DIGITS)
    page.wait_for_selector("#flow-likelihood .line")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert not nameless(page)
    context.close()
