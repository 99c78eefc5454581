"""A visitor on the GAN tab, in a real browser."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from server import LocalApp
from visitor import caption, idle, later, nameless, next_value, pixels, ready

from playground.tabs.gan import lab
from playground.web import lab_sessions

TAB = "gan?view=lab"
LAB = "#gan-lab"


def steps(page: Page) -> int:
    return int(page.locator(f"{LAB} [data-ready]").get_attribute("data-step"))


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def wait_for_step(page: Page, step: int) -> None:
    page.wait_for_function(f"Number(document.querySelector('{LAB} [data-ready]').dataset.step) >= {step}")


def test_a_training_is_watched_and_stops_at_once(page: Page) -> None:
    ready(page, LAB)
    before = pixels(page, f"{LAB} .field")
    assert steps(page) == 0
    press(page, "Play")
    wait_for_step(page, 60)
    more = page.evaluate(
        f"""async () => {{
          const shown = document.querySelector('{LAB} [data-ready]'), before = shown.dataset.pictures;
          shown.querySelector('[data-do=play]').click();
          await new Promise((done) => setTimeout(done, 1000));
          return shown.dataset.pictures - before;
        }}"""
    )
    assert more <= 1, "after Pause comes what was on its way, and no more"
    assert np.abs(pixels(page, f"{LAB} .field").astype(int) - before).mean() > 1
    assert "modes covered" in caption(page, LAB)


def test_the_planes_are_saved_as_they_are_or_not_at_all(page: Page, tmp_path: Path) -> None:
    """Some browsers alter what a page reads of a canvas."""
    ready(page, LAB)
    shown = pixels(page, f"{LAB} .field")
    with page.expect_download() as download:
        press(page, "Save picture")
    assert download.value.suggested_filename == "gan-lab-step0.png"
    download.value.save_as(tmp_path / "saved.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "saved.png"))[..., 0], shown), "their red"
    page.evaluate("CanvasRenderingContext2D.prototype.getImageData = () => ({data: [7, 0, 3, 255]})")
    press(page, "Save picture")
    assert caption(page, LAB) == "This browser alters what is saved: take a screenshot."


def test_steps_by_hand_and_reset(page: Page) -> None:
    first = ready(page, LAB)
    before = pixels(page, f"{LAB} .field")
    press(page, "Step G")
    page.wait_for_function(f"document.querySelector('{LAB} [data-ready]').dataset.pictures === '2'")
    assert not np.array_equal(pixels(page, f"{LAB} .field"), before)
    press(page, "Reset")
    next_value(page, first, LAB)
    assert np.array_equal(pixels(page, f"{LAB} .field"), before), "the same seed begins the same"
    assert not nameless(page)


def test_slow_motion_goes_step_by_step_and_the_diagram_shows_the_losses(page: Page) -> None:
    ready(page, LAB)
    numbers = page.locator(f"{LAB} .diagram b")
    expect(numbers.nth(1)).to_be_empty()  # no step, no loss
    page.get_by_label("Slow motion").check()
    press(page, "Play")
    wait_for_step(page, 3)
    press(page, "Pause")
    shown = page.locator(f"{LAB} [data-ready]")
    assert shown.get_attribute("data-pictures") == str(steps(page) + 1)
    expect(page.locator(f"{LAB} .caption")).to_contain_text(f"of G {numbers.nth(1).inner_text()}")
    page.get_by_role("button", name="discriminator D").click()
    expect(page.locator(f"{LAB} .diagram .about")).to_contain_text("passes the gradient on")


def test_a_preset_says_why_and_its_link_restores_it(page: Page) -> None:
    first = ready(page, LAB)
    page.locator("label").filter(has_text="Cause collapse").click()
    next_value(page, first, LAB)
    expect(page.locator(f"{LAB} .why")).to_contain_text("100 times as slowly")
    page.wait_for_function("location.search.includes('lr_d=5e-05')")
    page.goto(page.url)
    ready(page, LAB)
    page.get_by_role("button", name="More").locator("visible=true").click()
    expect(page.get_by_label("Learning rate of D").locator("visible=true")).to_have_value("0.00005")
    r1, chip = page.get_by_label("R1", exact=True).locator("visible=true"), page.get_by_label("Cause collapse")
    expect(chip).to_be_checked()
    before = r1.input_value()
    r1.fill("0.5")
    expect(chip).not_to_be_checked()  # the settings are no longer its own
    chip.check()
    expect(r1).to_have_value(before)


def test_a_bad_number_and_a_blank_drawing_are_one_sentence_and_what_was_there_stays(page: Page) -> None:
    ready(page, LAB)
    press(page, "Step D")
    page.get_by_label("R1", exact=True).locator("visible=true").fill("-3")
    page.keyboard.press("Tab")
    expect(page.locator(f"{LAB} .caption")).to_contain_text("R1 must be a number from 0")
    assert pixels(page, f"{LAB} .field").any()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_disabled()
    r1 = page.get_by_label("R1", exact=True).locator("visible=true")
    expect(r1).to_have_attribute("aria-invalid", "true")
    r1.fill("0.1")
    expect(r1).to_have_attribute("aria-invalid", "false")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled()
    page.get_by_role("button", name="More").locator("visible=true").click()
    slider = page.get_by_label("number input for Steps of D").locator("visible=true")
    slider.fill("")
    expect(page.locator(f"{LAB} .caption")).to_contain_text("Steps of D must be a whole number from 1 to 20, not empty")
    expect(slider).to_have_attribute("aria-invalid", "true")
    slider.fill("1")
    expect(slider).to_have_attribute("aria-invalid", "false")
    page.get_by_test_id("draw-radio-label").click()
    expect(page.locator(f"{LAB} .caption")).to_contain_text("draw")
    shown = page.locator(f"{LAB} [data-ready]").get_attribute("data-ready") or ""
    stroke_on_plane(page, (0.3, 0.5), (0.7, 0.5))
    next_value(page, shown, LAB)
    expect(page.locator(f"{LAB} .caption")).to_contain_text("step 0")
    field = pixels(page, f"{LAB} .field").astype(int)
    rows = np.abs(np.diff(field, axis=1)).mean(1)  # where the points of the data are
    assert rows[len(rows) // 2] > 3 * rows[len(rows) // 6], "along the stroke"


def stroke_on_plane(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a stroke between two places on the plane, as shares of its sides."""
    field = page.locator(f"{LAB} .field")
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    assert box
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=5)
    page.mouse.up()


def test_a_lab_trains_for_a_moment_when_the_page_opens(page: Page) -> None:
    ready(page, LAB)
    assert steps(page) == 0, "this visitor wants no motion"
    page.emulate_media(reduced_motion="no-preference")
    idle(page)
    page.goto(page.url)
    ready(page, LAB)
    wait_for_step(page, 1)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()  # no longer Pause
    later(page, 1000)  # for what was on its way
    rested = steps(page)
    later(page, 300)
    assert steps(page) == rested
    press(page, "Play")
    later(page, 4500)
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    assert steps(page) > rested


@pytest.fixture
def within(local_app: LocalApp) -> str:
    """The address of the lab in an app whose labs a test can see."""
    return f"{local_app.address}{TAB}"


def test_a_lab_that_is_gone_says_so(page: Page, within: str) -> None:
    page.goto(within)
    ready(page, LAB)
    lab_sessions._sessions.clear()
    press(page, "Play")
    expect(page.locator(f"{LAB} .caption")).to_contain_text("press Reset")


def test_labs_that_were_left_do_not_pile_up(page: Page, within: str) -> None:
    page.goto(within)
    for _ in range(3):
        shown = ready(page, LAB)
        press(page, "Reset")
        next_value(page, shown, LAB)
    owners = [session.owner for session in lab_sessions._sessions.values() if session.owner]
    owners = [owner for owner in owners if owner[1] == lab.TAB]
    assert owners.count(owners[-1]) == 2, "of this page"


def test_two_visitors_train_each_their_own(chromium: Browser, address: str) -> None:
    pages = [chromium.new_context(reduced_motion="reduce").new_page() for _ in range(2)]
    for page in pages:
        page.goto(f"{address}{TAB}")
        ready(page, LAB)
    press(pages[0], "Play")
    wait_for_step(pages[0], 20)
    assert steps(pages[1]) == 0
    for page in pages:
        page.context.close()
