"""The tab of text to image in a real browser."""

import re
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect
from visitor import caption, eventually, nameless, next_value, open_again, pixels, ready, saved, set_control

from playground.datasets.scenes import BACKGROUNDS

TAB = "latent_diffusion"
SCRUBBER, COMPARED, WAY, VARIED = "#text-scrubber", "#text-compare", "#text-inside", "#text-varied"


def type_prompt(page: Page, text: str) -> None:
    page.locator("#text-prompt textarea").fill(text)
    page.locator("#text-prompt textarea").press("Tab")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).locator("visible=true").click()


def test_a_prompt_is_drawn_scrubbed_and_its_words_light_up(page: Page) -> None:
    before = ready(page, SCRUBBER)
    type_prompt(page, "a big owl on a red background")
    page.locator("#text-sample").click()
    next_value(page, before, SCRUBBER)
    final = pixels(page, f"{SCRUBBER} .strips canvas")
    assert np.abs(final[:4].astype(int) - BACKGROUNDS["red"][0]).mean() < 25, "so much red is in the upper border"
    words = page.locator(f"{SCRUBBER} .words button")
    expect(words).to_have_text(["start", "a", "big", "owl", "on", "a", "red", "background", "end"])
    overlay = f"{SCRUBBER} .overlay"
    assert not pixels(page, overlay).any()
    words.nth(3).hover()
    owl = pixels(page, overlay)
    assert owl.any()
    inside = owl[:250, :250].astype(int)  # of the first picture; a place of its map is 16 pixels wide
    assert np.abs(np.diff(inside)).max() <= 10, "the map is smooth over the picture"
    page.mouse.move(0, 0)
    assert not pixels(page, overlay).any()
    page.locator(f"{SCRUBBER} .position").fill("3")
    assert "step 3 of 20" in caption(page, SCRUBBER)
    words.nth(3).focus()
    page.keyboard.press("ArrowRight")
    expect(words.nth(4)).to_be_focused()
    on = pixels(page, overlay)
    assert on.any()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(words.nth(3)).to_have_attribute("aria-pressed", "true")
    early = pixels(page, overlay)
    assert not np.array_equal(early, on)
    page.locator(f"{SCRUBBER} .words select").select_option("all steps")
    assert not np.array_equal(pixels(page, overlay), early)
    words.nth(6).click()
    page.mouse.move(0, 0)
    expect(page.locator(f"{SCRUBBER} .words [aria-pressed=true]")).to_have_count(2)
    both = pixels(page, overlay)
    words.nth(6).click()
    words.nth(3).click()
    page.mouse.move(0, 0)
    assert both.any()
    assert not pixels(page, overlay).any()


def test_enter_draws_a_prompt_without_marking_it_stale(page: Page) -> None:
    before = ready(page, SCRUBBER)
    prompt, words = page.locator("#text-prompt textarea"), page.locator(f"{SCRUBBER} .words")
    stale = page.locator(f"{SCRUBBER} [data-stale]")
    prompt.fill("a zeppelin on pink")  # as by pasting
    expect(stale).to_have_count(1)
    prompt.press("Enter")
    expect(words).to_be_hidden()  # they are those of the prompt before
    next_value(page, before, SCRUBBER)
    expect(stale).to_have_count(0)
    expect(words.locator("button")).to_have_text(["start", "a", "pink", "background", "end"])
    prompt.press("Backspace")
    expect(stale).to_have_count(1)


def test_the_line_under_a_prompt_says_how_it_is_read_and_mends_it(page: Page) -> None:
    before = ready(page, SCRUBBER)
    prompt, stale = page.locator("#text-prompt textarea"), page.locator(f"{SCRUBBER} [data-stale]")
    line = page.locator(".reading[data-prompt=text-prompt]")
    expect(line.locator("p")).to_have_text("Read as a small pizza, on a blue background.")
    expect(line.get_by_role("button")).to_have_count(0)
    prompt.fill("")
    prompt.press_sequentially("two kittens on gray")
    expect(line.locator("em")).to_have_text(["kittens", "cat", "gray", "grey", "two"])
    expect(stale).to_have_count(1)
    line.get_by_role("button", name="gray → grey").click()
    expect(prompt).to_have_value("two kittens on grey")
    expect(prompt).to_be_focused()
    expect(line.locator("em")).to_have_text(["kittens", "cat", "two"])
    prompt.press("Enter")
    next_value(page, before, SCRUBBER)
    expect(page.locator(f"{SCRUBBER} .words button").nth(2)).to_have_text("cat")
    expect(stale).to_have_count(0)
    line.get_by_role("button", name="two kittens → a cat").press("Enter")
    expect(prompt).to_have_value("a cat on grey")
    expect(stale).to_have_count(1)
    expect(line.locator("p")).to_have_text("Read as a cat face, on a grey background.")
    prompt.fill("zeppelin")
    expect(line.locator("p")).to_contain_text("No word of “zeppelin” names an emoji")
    prompt.press("Enter")
    expect(page.locator(SCRUBBER)).to_contain_text("No word of “zeppelin” names an emoji")
    expect(stale).to_have_count(1)
    after = f"getComputedStyle(document.querySelector('{SCRUBBER} .caption'), '::after').content"
    assert page.evaluate(after) == "none", "the error is of these settings"
    page.locator(f"{SCRUBBER} [data-do=last]").click()
    assert "settings changed" in page.evaluate(after), "the pictures are of others"


def test_other_layers_and_guidance_are_looked_at_without_a_new_run(page: Page) -> None:
    before = ready(page, SCRUBBER)
    thumbnail = pixels(page, f"{SCRUBBER} .words canvas", 3)
    page.locator(f"{SCRUBBER} [data-do=pin]").click()
    page.get_by_role("button", name="Look inside").click()
    page.get_by_label("Attention of").locator("visible=true").click()
    page.get_by_role("option", name=re.compile("layer 1,")).click()
    eventually(page, lambda: not np.array_equal(pixels(page, f"{SCRUBBER} .words canvas", 3), thumbnail))
    page.locator(f"{SCRUBBER} .words button").nth(3).click()
    page.mouse.move(0, 0)
    smooth = pixels(page, f"{SCRUBBER} .overlay")
    page.locator("label").filter(has_text="Exact").locator("visible=true").last.click()
    eventually(page, lambda: not np.array_equal(pixels(page, f"{SCRUBBER} .overlay"), smooth))
    exact = pixels(page, f"{SCRUBBER} .overlay")[:256, :256].reshape(16, 16, 16, 16)
    assert (exact == exact[:, :1, :, :1]).all(), "a square for each place"
    page.locator("label").filter(has_text="Guidance").locator("visible=true").last.click()
    next_value(page, before, SCRUBBER)
    expect(page.locator(f"{SCRUBBER} .scrubber > .strips figure")).to_have_count(4)
    page.locator(f"{SCRUBBER} .position").press(
        "Home"
    )  # the pinned run keeps its pictures, or the page reports an error


def test_a_link_restores_prompt_and_settings(page: Page, address: str) -> None:
    page.goto(f"{address}latent_diffusion?prompt=an+owl+on+pink&n=1&steps=4&w=2.5&seed=7")
    ready(page, SCRUBBER)
    expect(page.locator("#text-prompt textarea")).to_have_value("an owl on pink")
    assert "step 4 of 4" in caption(page, SCRUBBER)


def test_any_prompt_is_drawn_and_nothing_of_it_is_html(page: Page) -> None:
    set_control(page, "Pictures", "1")
    set_control(page, "Steps", "4")
    for prompt in ("", "<img src=x onerror=alert(1)> другое 🍕", "zeppelin owl " * 20, "*<img src=x>* ёж"):
        before = ready(page, SCRUBBER)
        type_prompt(page, prompt)
        page.locator("#text-sample").click()
        next_value(page, before, SCRUBBER)
        assert page.locator("img[src='x']").count() == 0, prompt


def test_an_example_and_a_random_prompt_are_drawn(page: Page) -> None:
    before = ready(page, SCRUBBER)
    page.get_by_text("a rocket above a guitar on purple").click()
    next_value(page, before, SCRUBBER)
    before = ready(page, SCRUBBER)
    expect(page.locator("#text-prompt textarea")).to_have_value("a rocket above a guitar on purple")
    press(page, "Random prompt")
    next_value(page, before, SCRUBBER)
    assert page.locator("#text-prompt textarea").input_value() != "a rocket above a guitar on purple"


def test_pictures_are_saved_and_shown_to_clip_and_an_emoji_is_picked(page: Page) -> None:
    ready(page, SCRUBBER)
    assert not nameless(page)
    page.get_by_role("button", name="Export").locator("visible=true").click()
    with page.expect_download() as download:
        press(page, "Pictures (PNG)")
    start, out = "python -m playground sample text-to-image-emoji", "text-to-image-emoji-seed0.png"
    assert saved(download.value).text["command"] == f"{start} --out {out}"
    press(page, "What does CLIP see in these pictures?")
    expect(page.locator("#text-seen")).to_contain_text("on a blue background")
    page.get_by_role("button", name="Emoji and backgrounds").click()
    page.get_by_role("button", name="🦉", exact=True).click()
    expect(page.locator("#text-prompt textarea")).to_have_value("an owl on a blue background")
    page.locator("#text-sample").click()
    expect(page.locator("#text-seen")).not_to_contain_text("background")  # it was of other pictures


def test_two_prompts_are_compared_when_the_view_is_first_seen_and_on_demand(page: Page) -> None:
    ready(page, SCRUBBER)
    page.get_by_role("tab", name="Two prompts").click()
    before = ready(page, COMPARED)
    assert page.locator(f"{COMPARED} .strips figure").count() == 2
    page.locator("#text-compare-sample").click()
    next_value(page, before, COMPARED)


def test_a_link_to_two_prompts_draws_them(page: Page, address: str) -> None:
    page.goto(f"{address}latent_diffusion?view=compare&prompt=a+dog&edited_prompt=a+cat&n=1&steps=3")
    ready(page, COMPARED)
    assert page.locator(f"{COMPARED} .strips figure").all_inner_texts()[1].startswith("a cat")


def test_a_grid_is_filled_when_the_view_is_first_seen_until_it_is_stopped(page: Page, address: str) -> None:
    page.goto(f"{address}latent_diffusion?view=grid&across=steps&columns=5")
    grid, images = page.locator("#text-grid"), page.locator("#text-grid img")
    expect(images.nth(5)).to_be_visible()  # in the second row
    expect(grid).to_contain_text("50 steps")
    for _ in range(2):
        page.locator("#text-grid-stop").click()
        expect(grid).to_contain_text("Stopped at picture")
        n = images.count()
        assert 1 <= n < 30
        expect(grid).to_contain_text(f"Stopped at picture {n} of 30.")
        page.locator("#text-grid-sample").click()
        expect(grid).not_to_contain_text("Stopped")  # it is being filled anew
    page.locator("#text-grid-stop").click()
    expect(grid).to_contain_text("Stopped at picture")
    for prompt, shown in (("zeppelin", "names an emoji or a background"), ("an owl", "of 30, about")):
        page.locator("#text-grid-prompt textarea").fill(prompt)
        page.locator("#text-grid-prompt textarea").press("Tab")
        press(page, "New seed")
        expect(grid).to_contain_text(shown)
    page.locator("#text-grid-stop").click()
    expect(grid).to_contain_text("Stopped at picture")
    expect(page.locator("#text-grid-sample")).to_be_enabled()


def test_inside_the_autoencoder(page: Page, address: str, tmp_path: Path) -> None:
    page.goto(f"{address}latent_diffusion?view=latent_space")
    ready(page, WAY)
    assert "50% of the way" in caption(page, WAY)
    page.locator(f"{WAY} .position").fill("0")
    assert "PSNR" in caption(page, WAY)
    page.locator("#text-vary").click()
    ready(page, VARIED)
    page.get_by_role("button", name="Export").locator("visible=true").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Pictures (PNG)").locator("visible=true").click()
    assert "strength" in saved(download.value).text["settings"]
    open_again(page, download.value, tmp_path)
    ready(page, VARIED)


def test_why_latent_is_measured(page: Page, address: str) -> None:
    page.goto(f"{address}latent_diffusion?view=latent_vs_pixel")
    costs = page.locator("#text-why")
    expect(costs).to_contain_text("times the operations")  # without a click
    columns = costs.locator("th[scope=col]")
    expect(columns).to_have_count(4)
    latent, pixels = (costs.locator(".bars i").nth(k).bounding_box()["width"] for k in (0, 1))
    assert 0 < latent < pixels / 2
    page.locator("#text-measure").click()
    expect(columns).to_have_count(2)  # it is measured anew
    expect(columns).to_have_count(4)
