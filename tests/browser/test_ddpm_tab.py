"""A visitor on the diffusion tab, in a real browser."""

import json
import re

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from visitor import (
    caption,
    control,
    count_frames,
    eventually,
    idle,
    nameless,
    next_value,
    pixels,
    ready,
    saved,
    set_control,
    strip,
)

TAB = "ddpm"
SCRUBBER = "#ddpm-scrubber"


def test_a_finished_run_is_there_without_a_click_and_all_of_it_has_a_name(page: Page) -> None:
    ready(page, SCRUBBER)
    assert "step 20 of 20" in caption(page, SCRUBBER)
    digits = strip(page, SCRUBBER, 0)
    assert digits.shape == (64, 160)
    assert 0.05 < (digits > 128).mean() < 0.4, "ink on a dark ground"
    assert not nameless(page)


def test_keys_buttons_play_and_curves_repaint_at_once_and_ask_the_server_for_nothing(page: Page) -> None:
    ready(page, SCRUBBER)
    idle(page)  # the page has loaded all that it loads by itself
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    final = strip(page, SCRUBBER, 0)
    frames = page.evaluate(
        f"""() => {{
          const range = document.querySelector('{SCRUBBER} .position'), frames = [];
          const canvas = document.querySelector('{SCRUBBER} .strips canvas');
          for (let k = 0; k <= Number(range.max); k++) {{
            range.value = k; range.dispatchEvent(new Event('input', {{bubbles: true}}));
            frames.push(canvas.toDataURL());
          }}
          return frames;
        }}"""
    )
    assert len(set(frames)) == 21, "each frame is painted before anything else can happen; how fast is for benchmarks"
    page.locator(f"{SCRUBBER} .position").press("Home")
    assert "step 0 of 20 · t = 1000" in caption(page, SCRUBBER)
    noise = strip(page, SCRUBBER, 0)
    assert np.abs(noise.astype(int) - final).mean() > 20
    page.locator(f"{SCRUBBER} .position").press("ArrowRight")
    assert "step 1 of 20 · t = 950" in caption(page, SCRUBBER)
    eventually(page, lambda: count_frames(page, 1000) == 0)  # it comes to rest

    page.get_by_role("button", name="First frame").click()
    assert "step 0 of" in caption(page, SCRUBBER)
    page.get_by_role("button", name="One frame on").click()
    assert "step 1 of" in caption(page, SCRUBBER)
    page.get_by_role("button", name="Play", exact=True).first.click()
    page.wait_for_function(f"Number(document.querySelector('{SCRUBBER} [data-index]').dataset.index) > 4")
    page.get_by_role("button", name="Pause", exact=True).first.click()
    chart = page.locator(f"{SCRUBBER} .curve svg").first
    box = chart.bounding_box()
    chart.click(position={"x": box["width"] / 2, "y": 20})
    assert "step 10 of 20" in caption(page, SCRUBBER)
    assert page.locator(f"{SCRUBBER} .formula [data-number=s]").inner_text() == "450"
    assert not requests


def test_a_number_box_without_a_number_keeps_its_last(page: Page) -> None:
    ready(page, SCRUBBER)
    box, message = control(page, "number input for Steps"), page.locator(".controls [role=alert]")
    box.press("ControlOrMeta+a")
    box.press("e")  # the only letter that Chromium takes
    box.blur()
    expect(box).to_have_value("20")
    expect(message).to_have_text("This must be a number: it stays 20.")
    box.fill("30")
    expect(message).to_have_count(0)


def test_sample_shows_previews_and_then_an_even_subset_of_a_long_run(page: Page) -> None:
    before = ready(page, SCRUBBER)
    set_control(page, "Pictures", "2")
    set_control(page, "Steps", "400")
    page.locator("#ddpm-sample").click()
    page.wait_for_selector(f"{SCRUBBER} [data-live=true][data-preview]", state="attached")
    next_value(page, before, SCRUBBER)
    assert "step 400 of 400" in caption(page, SCRUBBER)
    assert "251 of 401 frames kept" in caption(page, SCRUBBER)
    assert page.locator(f"{SCRUBBER} .position").get_attribute("max") == "250"
    assert strip(page, SCRUBBER, 1).shape == (32, 64)
    assert re.search(r"/ddpm\?n=2&.*steps=400", page.url)


def test_a_stopped_run_stays_and_can_be_scrubbed_and_saved(page: Page) -> None:
    before = ready(page, SCRUBBER)
    page.get_by_role("button", name="Export").click()
    set_control(page, "Pictures", "64")
    set_control(page, "Steps", "250")
    page.locator("#ddpm-sample").click()
    page.wait_for_selector(f"{SCRUBBER} [data-live=true][data-preview]", state="attached")
    expect(page.get_by_text("files can be saved once it has finished").locator("visible=true")).to_be_visible()
    page.get_by_role("button", name="This frame (PNG)").press("Enter")
    expect(page.get_by_text("A run is in progress").locator("visible=true")).to_have_count(2)  # one is a message
    link = page.get_by_role("button", name="Copy link").locator("visible=true")
    link.click()
    expect(page.get_by_role("button", name="Wait for the run, or stop it")).to_be_visible()
    page.locator("#ddpm-stop").click()
    next_value(page, before, SCRUBBER)
    page.wait_for_selector(f"{SCRUBBER} [data-live=false]", state="attached")
    step = re.search(r"Stopped at step (\d+) of 250", caption(page, SCRUBBER))[1]
    assert f"\nstep {step} of 250 · t = " in caption(page, SCRUBBER)
    page.locator(f"{SCRUBBER} .position").press("Home")
    page.locator(f"{SCRUBBER} .position").press("End")
    assert f"step {step} of 250" in caption(page, SCRUBBER)
    with page.expect_download() as download:
        page.get_by_role("button", name="Pictures (PNG)").click()
    picture = saved(download.value)
    assert picture.text["stopped"] == f"stopped at step {step} of 250"
    assert json.loads(picture.text["settings"])["steps"] == 250


@pytest.mark.parametrize("progress", ["", r"of 300", r"step ([2-9]\d|\d{3}) of"])
def test_stop_at_any_moment_never_leaves_a_preview(page: Page, progress: str) -> None:
    """At once, at the first preview, and at later ones; what was on its way then comes, and changes nothing."""
    ready(page, SCRUBBER)
    set_control(page, "Steps", "300")
    page.locator("#ddpm-sample").click()
    if progress:
        expect(page.locator(f"{SCRUBBER} .caption")).to_contain_text(re.compile(progress))
    page.locator("#ddpm-stop").click()
    stopped = "Stopped at step" if progress else re.compile("the previous run is shown|Stopped at step")
    expect(page.locator(f"{SCRUBBER} .caption")).to_contain_text(stopped)
    shown = ready(page, SCRUBBER)
    idle(page)
    assert page.locator(f"{SCRUBBER} .position").is_enabled()
    assert ready(page, SCRUBBER) == shown


def test_a_reload_goes_on_with_the_run_under_way(page: Page) -> None:
    ready(page, SCRUBBER)
    set_control(page, "Steps", "1000")
    page.locator("#ddpm-sample").click()
    expect(page).to_have_url(re.compile("steps=1000"))
    shown = page.locator(f"{SCRUBBER} .caption")

    def step_on_show() -> int:
        expect(shown).to_contain_text(re.compile(r"step \d\d+ of 1000"))
        return int(re.search(r"step (\d+)", caption(page, SCRUBBER))[1])

    before = step_on_show()
    page.reload()
    assert step_on_show() > before
    page.locator("#ddpm-stop").click()
    expect(shown).to_contain_text("Stopped at step")
    expect(page).to_have_url(re.compile("steps=1000"))


def control_of_dice(page: Page) -> Locator:
    return page.get_by_role("button", name="New seed").locator("visible=true")


def run_begins(page: Page) -> None:
    """Wait for a run's first preview: Gradio does not stop what it has no number of yet."""
    expect(page.locator(f"{SCRUBBER} .caption")).to_contain_text("of 300")


def test_only_stop_can_be_pressed_while_a_run_is_under_way(page: Page) -> None:
    ready(page, SCRUBBER)
    held: list[Route] = []
    page.route("**/cancel", lambda route: route.continue_() if held else held.append(route))
    go, stop, dice = page.locator("#ddpm-sample"), page.locator("#ddpm-stop"), control_of_dice(page)
    expect(stop).to_be_disabled()
    set_control(page, "Steps", "300")
    go.click()
    expect(stop).to_be_enabled()
    expect(go).to_be_disabled()
    expect(dice).to_be_disabled()
    run_begins(page)
    stop.click()
    eventually(page, lambda: len(held) == 1)
    expect(go).to_be_disabled()  # a run that began before the other is cancelled would be cancelled too
    expect(dice).to_be_disabled()
    held[0].continue_()
    expect(go).to_be_enabled()
    expect(stop).to_be_disabled()
    dice.click()
    run_begins(page)
    stop.click()
    expect(page.locator(f"{SCRUBBER} .caption")).to_contain_text("Stopped at step")
    expect(page.locator(f"{SCRUBBER} [data-stale]")).to_have_count(0)  # the pictures are of the new seed


def test_every_control_marks_the_run_as_stale_and_enter_samples(page: Page) -> None:
    before = ready(page, SCRUBBER)
    changes = {
        "Class": lambda: page.get_by_role("radio", name="3", exact=True).check(force=True),
        "Sampler": lambda: page.get_by_role("radio", name="DPM-Solver++").check(force=True),
        "Clip": lambda: page.get_by_label("Clip").uncheck(),
        **{name: lambda name=name: set_control(page, name, "2") for name in ("Pictures", "Steps", "Guidance w")},
    }
    for change in changes.values():
        change()
        expect(page.locator(f"{SCRUBBER} [data-stale]")).to_have_count(1)
        control(page, "Seed").press("Enter")
        next_value(page, before, SCRUBBER)
        before = ready(page, SCRUBBER)
        expect(page.locator(f"{SCRUBBER} [data-stale]")).to_have_count(0)
    assert "label=3&sampler=dpm-solver%2B%2B&steps=2&eta=0.0&w=2.0&clip=0" in page.url
    assert "guidance" in page.locator(f"{SCRUBBER} .formula").inner_text()


def test_a_new_seed_is_that_of_the_pictures(page: Page) -> None:
    before = ready(page, SCRUBBER)
    set_control(page, "Steps", "20")
    expect(page.locator(f"{SCRUBBER} [data-stale]")).to_have_count(1)
    said = f"getComputedStyle(document.querySelector('{SCRUBBER} .caption'), '::after').content"
    assert "settings changed" in page.evaluate(said), "and the page says so"
    control_of_dice(page).click()
    next_value(page, before, SCRUBBER)
    shown = control(page, "Seed").input_value()
    assert shown != "0"
    assert f"seed={shown}" in page.url
    expect(page.locator(f"{SCRUBBER} [data-stale]")).to_have_count(0)


def test_the_first_run_plays_once_when_it_arrives(page: Page) -> None:
    page.add_init_script(
        f"""window.seen = [];
        new MutationObserver(() => {{
          const index = Number(document.querySelector('{SCRUBBER} [data-index]')?.dataset.index);
          if (index >= 0 && index !== window.seen.at(-1)) window.seen.push(index);
        }}).observe(document, {{subtree: true, childList: true, attributeFilter: ['data-index']}});"""
    )

    def frames_shown() -> list[int]:
        page.goto(page.url)
        ready(page, SCRUBBER)
        page.wait_for_function("window.seen.at(-1) === 20")
        expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled()
        return page.evaluate("window.seen")

    assert frames_shown() == [20], "this visitor wants no motion"
    page.emulate_media(reduced_motion="no-preference")
    played = frames_shown()
    first = played.index(0)
    assert played[first:] == sorted(played[first:])
    assert len(played[first:]) > 3
    page.get_by_label("Loop").check()
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("window.seen.findLastIndex((index) => index === 0) > window.seen.indexOf(20) + 5")


def test_a_phone_shows_the_stage_first(chromium: Browser, address: str) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 780}, has_touch=True)
    page = context.new_page()
    page.goto(f"{address}ddpm")
    ready(page, SCRUBBER)
    assert page.locator("#ddpm-sample").is_visible()
    stage, controls = (page.locator(f"{part}:visible").bounding_box() for part in (".stage", ".controls"))
    assert stage["y"] < controls["y"]
    context.close()


def test_a_pinned_run_stays_beside_the_next_and_says_what_differs(page: Page) -> None:
    before = ready(page, SCRUBBER)
    pinned, shown = page.locator(f"{SCRUBBER} .pinned"), f"{SCRUBBER} .strips canvas"
    first = pixels(page, shown, 1)
    page.locator(f"{SCRUBBER} [data-do=pin]").click()
    set_control(page, "Steps", "5")
    page.locator("#ddpm-sample").click()
    next_value(page, before, SCRUBBER)
    expect(pinned.locator(".pinned-title")).to_contain_text("steps 20 → 5")
    assert np.array_equal(pixels(page, f"{SCRUBBER} .pinned canvas", 1), first)
    page.locator(f"{SCRUBBER} .position").focus()
    page.keyboard.press("Home")
    at_start = pixels(page, f"{SCRUBBER} .pinned canvas", 1)
    assert not np.array_equal(at_start, first), "it follows the run above"
    page.locator(f"{SCRUBBER} [data-do=pin]").click()
    expect(pinned).to_be_hidden()
