"""The tab of score matching in a real browser."""

import json
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from visitor import (
    caption,
    control,
    eventually,
    later,
    nameless,
    next_value,
    open_again,
    pixels,
    ready,
    saved,
    set_control,
)

from playground.runtime.checkpoint import WEIGHTS

TAB = "score_matching?view=langevin"
WALK, LAB, DIGITS, RESTORE = "#score-langevin", "#score-lab", "#score-digits", "#score-restoration"


def test_particles_walk_when_the_tab_is_opened_and_annealing_corrects_their_weights(page: Page) -> None:
    before = ready(page, WALK)
    page.locator(f"{WALK} .position").fill("0")
    first = pixels(page, f"{WALK} .strips canvas")
    page.locator(f"{WALK} .position").fill("50")
    assert not np.array_equal(pixels(page, f"{WALK} .strips canvas"), first)
    verdict = page.locator(f"{WALK} .below p")
    expect(verdict).to_contain_text("The modes have wrong weights.")
    assert verdict.bounding_box()["y"] < 800, "above the fold"
    page.locator(f"{WALK} .droppable").click(position={"x": 360, "y": 120})
    path = f"{WALK} .overlay"
    eventually(page, lambda: page.locator(path).is_visible() and pixels(page, path).any())
    page.locator(f"{WALK} .position").fill("0")
    rows, columns = np.nonzero(pixels(page, path))
    assert (columns.mean(), rows.mean()) == pytest.approx((720, 240), abs=2), "only where it was dropped"
    page.locator(f"{WALK} .position").fill("50")
    assert np.count_nonzero(pixels(page, path)) > len(rows), "the path so far"
    step = page.get_by_label("Step size").locator("visible=true")
    usual = step.input_value()
    step.fill("-1")
    page.keyboard.press("Tab")
    page.locator("#score-langevin-sample").click()
    expect(page.locator(f"{WALK} .caption")).to_contain_text("must be a number from")
    step.fill(usual)
    page.locator("label").filter(has_text="Annealed").locator("visible=true").click()
    set_control(page, "Steps", "400")
    page.locator("#score-langevin-sample").click()
    page.wait_for_function(f"document.querySelector('{WALK} .caption').innerText.includes('of 400')")
    assert ready(page, WALK) != before
    page.locator(f"{WALK} .position").fill("1000")
    assert float(caption(page, WALK).split("KL of the modes ")[1].split(" nats")[0]) < 0.05
    assert not nameless(page)


def test_a_link_restores_a_walk(page: Page, address: str) -> None:
    page.goto(f"{address}score_matching?view=langevin&data=ring&sampler=probability+flow&steps=60&n=200")
    ready(page, WALK)
    assert "step 30 " in caption(page, WALK), "each of Heun's steps asks for the score twice"
    expect(control(page, "number input for Particles")).to_have_value("200")
    expect(page.get_by_label("Step size").locator("visible=true")).to_be_disabled()


def test_a_score_is_learned_while_one_watches(page: Page, address: str) -> None:
    page.goto(f"{address}score_matching?view=lab")
    ready(page, LAB)
    page.get_by_role("button", name="Play", exact=True).locator("visible=true").click()
    page.wait_for_function(f"Number(document.querySelector('{LAB} [data-ready]').dataset.step) >= 30")
    page.get_by_role("button", name="Pause", exact=True).locator("visible=true").click()
    assert pixels(page, f"{LAB} .field").any()


trained = pytest.mark.skipif(not (WEIGHTS / "ddpm-digits.safetensors").exists(), reason="digits are not trained yet")


@trained
def test_digits_are_drawn_by_a_score(page: Page, address: str, tmp_path: Path) -> None:
    page.goto(f"{address}score_matching?view=digits&n=2&evaluations=20")
    ready(page, DIGITS)
    page.wait_for_function(f"document.querySelector('{DIGITS} .caption').innerText.includes('step 20 of 20')")
    assert page.locator(f"{DIGITS} .strips figure").count() == 3
    page.get_by_role("button", name="Export").locator("visible=true").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="This frame (PNG)").locator("visible=true").click()
    file = saved(download.value)
    assert file.size == (4 * (3 * 64 + 2 * 4), 4 * 32), "two digits in each of three strips"
    assert json.loads(file.text["settings"])["evaluations"] == 20
    assert file.text["frame"].startswith("step 20 of 20")
    open_again(page, download.value, tmp_path)
    ready(page, DIGITS)
    expect(control(page, "number input for Evaluations")).to_have_value("20")


@trained
def test_restore_denoises_when_it_is_opened_and_a_task_is_a_click_away(page: Page, address: str) -> None:
    page.goto(f"{address}score_matching?view=restoration&evaluations=20")
    next_value(page, "", RESTORE)  # which may take longer than others: the model draws the picture first
    before = ready(page, RESTORE)
    assert "PSNR" in caption(page, RESTORE)
    assert page.locator(f"{RESTORE} .strips figure").count() == 4
    page.get_by_test_id("Likelihood-radio-label").click()
    next_value(page, before, RESTORE)
    assert "nats" in caption(page, RESTORE)
    page.wait_for_function("location.search.includes('task=Likelihood')")
    assert not nameless(page)


@trained
def test_restore_fills_what_is_painted_away_and_says_if_nothing_is(page: Page, address: str) -> None:
    page.goto(f"{address}score_matching?view=restoration&task=Inpaint&mask=Square&evaluations=10")
    before = ready(page, RESTORE)
    page.get_by_test_id("Paint-radio-label").click()
    pad = page.locator("#score-restoration-mask canvas")
    expect(pad).to_be_visible()
    page.locator(f"{RESTORE}-sample").click()
    expect(page.locator(f"{RESTORE} .caption")).to_contain_text("Nothing is missing")
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 80, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 160, steps=5)
    page.mouse.up()
    expect(page.locator(f"{RESTORE}-sample")).to_be_enabled()
    later(page, 300)  # the pad sends its pixels a moment after the stroke
    page.locator(f"{RESTORE}-sample").click()
    next_value(page, before, RESTORE)
    assert "known pixels off by 0 ·" in caption(page, RESTORE)
    page.wait_for_function("!location.search.includes('mask')")  # a mask that was painted fits into no link
