"""A visitor on the GAN tab: losses, samples, and what the discriminators say, in a real browser."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from visitor import caption, control, nameless, next_value, open_again, pixels, ready, saved

from playground.runtime.checkpoint import WEIGHTS
from playground.tabs.gan import variants

SHIPPED = list(WEIGHTS.glob("gan-digits-*.safetensors"))
pytestmark = pytest.mark.skipif(
    len(SHIPPED) < len(variants.SHIPPED), reason="the models of the losses are still being trained"
)
TAB = "gan?view=losses"
ARENA, SAMPLES, VERDICTS = "#gan-losses", "#gan-samples", "#gan-verdicts"


def notes(page: Page) -> list[str]:
    return page.locator(f"{ARENA} .below p").all_inner_texts()


def test_one_scrubber_moves_the_training_of_every_loss(page: Page) -> None:
    ready(page, ARENA)
    strips = page.locator(f"{ARENA} .strips canvas").count()
    assert strips == len(notes(page)) == 3
    late, said = [pixels(page, f"{ARENA} .strips canvas", k) for k in range(strips)], notes(page)
    bars = page.locator(f"{ARENA} .below path").first
    drawn = bars.get_attribute("d")
    page.locator(f"{ARENA} .position").press("Home")
    assert "step 1 of" in caption(page, ARENA)
    for k in range(strips):
        assert np.abs(pixels(page, f"{ARENA} .strips canvas", k).astype(int) - late[k]).mean() > 10
    assert all(re.match(r"Fréchet distance [\d.,]+ × real · \d+ of 10 digits", note) for note in said)
    assert all(before != after for before, after in zip(said, notes(page), strict=True))
    assert bars.get_attribute("d") != drawn


def test_losses_are_ticked_the_moment_stays_and_an_animation_is_saved(page: Page) -> None:
    first = ready(page, ARENA)
    page.locator(f"{ARENA} .position").press("Home")
    control(page, "Minimax").click()
    next_value(page, first, ARENA)
    assert page.locator(f"{ARENA} .strips canvas").count() == 2
    assert "step 1 of" in caption(page, ARENA)
    assert not nameless(page)
    page.get_by_role("button", name="Export").locator("visible=true").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Animation (GIF)").locator("visible=true").click()
    assert saved(download.value).n_frames >= 40


def test_why_it_saturates_and_how_steep_d_is(page: Page) -> None:
    first = ready(page, ARENA)
    page.get_by_label("Why it saturates").click()
    next_value(page, first, ARENA)
    assert all("slope of G's loss" in note for note in notes(page))
    assert page.locator(f"{ARENA} .below polyline").count() == 6, "a loss and its steepness for each"
    second = ready(page, ARENA)
    page.get_by_label("Slope of D").click()
    next_value(page, second, ARENA)
    assert all("median slope of D" in note for note in notes(page))
    page.wait_for_function("location.search.includes('below=slopes')")
    page.goto(page.url)
    ready(page, ARENA)
    assert all("median slope of D" in note for note in notes(page))


def test_samples_walk_from_seed_to_seed(page: Page, address: str, tmp_path: Path) -> None:
    page.goto(f"{address}gan?view=samples&to=5")
    first = ready(page, SAMPLES)
    assert "from seed 0 to seed 5" in caption(page, SAMPLES)
    start = pixels(page, f"{SAMPLES} .strips canvas")
    assert 0.05 < (start > 128).mean() < 0.4, "ink on a dark ground"
    page.locator(f"{SAMPLES} .position").press("End")
    assert np.abs(pixels(page, f"{SAMPLES} .strips canvas").astype(int) - start).mean() > 10
    page.get_by_role("button", name="New seed").locator("visible=true").click()
    next_value(page, first, SAMPLES)
    seed = control(page, "Seed").input_value()
    assert f"from seed {seed} to seed 5" in caption(page, SAMPLES)
    page.get_by_role("button", name="Export").locator("visible=true").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Animation (GIF)").locator("visible=true").click()
    page.goto(f"{address}gan?view=samples")
    ready(page, SAMPLES)
    open_again(page, download.value, tmp_path)
    ready(page, SAMPLES)
    assert f"from seed {seed} to seed 5" in caption(page, SAMPLES)


def test_a_class_is_chosen_where_the_model_knows_them(page: Page, address: str) -> None:
    page.goto(f"{address}gan?view=samples")
    first = ready(page, SAMPLES)
    expect(page.get_by_text("The class of all pictures.")).to_be_hidden()
    page.get_by_label("class-conditional").locator("visible=true").click()
    next_value(page, first, SAMPLES)
    second = ready(page, SAMPLES)
    page.get_by_label("7", exact=True).locator("visible=true").click()
    next_value(page, second, SAMPLES)
    page.wait_for_function("location.search.includes('label=7')")


def test_a_bad_link_says_what_is_wrong_and_shows_the_first_samples(page: Page, address: str) -> None:
    page.goto(f"{address}gan?view=samples&truncation=wide")
    ready(page, SAMPLES)
    assert "truncation must be a number" in caption(page, SAMPLES)


def test_every_discriminator_is_asked(page: Page, address: str) -> None:
    page.goto(f"{address}gan?view=ask")
    rows = page.locator(f"{VERDICTS} .line")
    expect(rows.first).to_be_visible()
    assert rows.count() == len(SHIPPED)
    before = page.locator(VERDICTS).inner_text()
    page.get_by_role("button", name="New seed").locator("visible=true").click()
    page.wait_for_function(f"document.querySelector('{VERDICTS}').innerText !== {before!r}")
    page.get_by_label("Draw").locator("visible=true").click()
    expect(page.locator(VERDICTS)).to_contain_text("Draw")


def test_a_link_to_nowhere_shows_the_first_view(page: Page, address: str) -> None:
    page.goto(f"{address}gan?view=nowhere")
    expect(page.get_by_role("tab", selected=True)).to_have_text("2-D lab")
    expect(page.locator("canvas:visible").first).to_be_visible()
