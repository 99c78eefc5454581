"""A visitor on the VAE tab, in a real browser."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from visitor import caption, control, eventually, idle, nameless, next_value, open_again, pixels, ready, saved, upload

TAB = "vae?seed=0"  # a code from the prior, for which there are seeds
TRAVERSE, MAP, WAY = "#vae-traverse", "#vae-map", "#vae-interpolate"


def turn(page: Page, view: str, component: str) -> str:
    """Open a view, and wait for what it shows."""
    page.get_by_role("tab", name=view).click()
    return ready(page, component)


def answers(page: Page, component: str) -> int:
    """Pictures that came for what was moved."""
    return int(page.locator(f"{component} [data-ready]").get_attribute("data-decoded") or 0)


def wait_for_answer(page: Page, component: str, before: int) -> None:
    page.wait_for_function(
        f"Number(document.querySelector('{component} [data-ready]').dataset.decoded || 0) > {before}"
    )


def test_a_test_digit_and_its_reconstruction_are_there_without_a_click(page: Page, address: str) -> None:
    page.goto(f"{address}vae")
    before = ready(page, TRAVERSE)
    image, decoded, difference = (pixels(page, f"{TRAVERSE} .{name}") for name in ("image", "decoded", "difference"))
    assert image.shape == (28, 28)
    assert 0.03 < (image > 128).mean() < 0.5, "ink on a dark ground"
    assert np.array_equal(difference, np.abs(image.astype(int) - decoded))
    assert 5 < difference.mean() < 40
    expect(page.locator(f"{TRAVERSE} .posterior")).to_have_count(20)
    control(page, "From the prior").click()
    next_value(page, before, TRAVERSE)
    image, decoded = (pixels(page, f"{TRAVERSE} .{name}") for name in ("image", "decoded"))
    assert np.array_equal(image, decoded), "a code from the prior is shown as it is drawn"
    assert pixels(page, f"{TRAVERSE} .traversal canvas").shape == (10 * 28, 11 * 28)


def test_the_picture_follows_a_slider_and_can_be_chosen_in_the_traversal(page: Page) -> None:
    ready(page, TRAVERSE)
    before = pixels(page, f"{TRAVERSE} .decoded")
    slider = page.locator(f"{TRAVERSE} input[type=range]").first
    for value in range(-3, 4):
        count = answers(page, TRAVERSE)
        slider.fill(str(value))
        wait_for_answer(page, TRAVERSE, count)
    moved = pixels(page, f"{TRAVERSE} .decoded")
    assert np.abs(moved.astype(int) - before).mean() > 3
    code = page.locator(f"{TRAVERSE} .diagram li.cut b")
    expect(code).to_have_text(re.compile(r"= 3\.00, set by hand"))
    page.get_by_role("button", name="Back to the image").click()
    eventually(page, lambda: np.array_equal(pixels(page, f"{TRAVERSE} .decoded"), before))
    figure = page.locator(f"{TRAVERSE} .traversal canvas")
    box = figure.bounding_box()
    before = answers(page, TRAVERSE)
    figure.click(position={"x": box["width"] - 5, "y": 5})
    wait_for_answer(page, TRAVERSE, before)
    assert 3.0 in shown_code(page)
    before = answers(page, TRAVERSE)
    figure.press("ArrowLeft")
    wait_for_answer(page, TRAVERSE, before)
    assert 3.0 not in shown_code(page)
    assert 2.4 in [round(value, 3) for value in shown_code(page)]


def shown_code(page: Page) -> list[float]:
    return json.loads(page.locator(f"{TRAVERSE} [data-code]").get_attribute("data-code"))["z"]


def test_the_map_is_dragged_and_the_picture_follows(page: Page) -> None:
    turn(page, "Map", MAP)
    before, count = pixels(page, f"{MAP} .decoded"), answers(page, MAP)
    plane = page.locator(f"{MAP} .plane")
    box = plane.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 20, box["y"] + 20, steps=10)
    page.mouse.up()
    wait_for_answer(page, MAP, count)
    expect(page.locator(f"{MAP} .caption")).to_contain_text("z1 = −3.")
    eventually(page, lambda: np.abs(pixels(page, f"{MAP} .decoded").astype(int) - before).mean() > 3)
    plane.press("ArrowRight")
    page.get_by_role("button", name="Draw z = μ + σ ε").click()
    expect(page.locator(f"{MAP} .numbers")).to_contain_text("z = μ + σ ε")
    page.get_by_role("radio", name=re.compile("20 dimensions")).first.check()
    expect(page.locator(f"{MAP} .caption")).to_contain_text("1st principal axis = ")
    shown = caption(page, MAP)
    page.get_by_label("Across").select_option("z3")
    expect(page.locator(f"{MAP} .caption")).to_contain_text("z3 = ")
    assert caption(page, MAP) != shown


def test_every_view_shows_the_chosen_image_and_a_dearer_code_tells_less_and_misses_more(page: Page) -> None:
    ready(page, TRAVERSE)
    turn(page, "Interpolate", WAY)
    assert pixels(page, f"{WAY} .strips canvas").shape == (28, 28)
    page.get_by_role("tab", name="Beta").click()
    expect(page.locator("#vae-betas")).to_contain_text("distortion")
    page.get_by_role("tab", name="ELBO").click()
    expect(page.locator("#vae-meter")).to_contain_text("of the test images have a lower ELBO")
    page.get_by_role("tab", name="Nearest").click()
    expect(page.locator("#vae-nearest")).to_contain_text("MNIST")  # no data here: one sentence says so
    page.get_by_role("tab", name="Beta").click()
    expect(page.locator("#vae-betas")).to_contain_text("β = 10")
    text = page.locator("#vae-betas").inner_text()
    assert re.findall(r"β = ([\d.]+)", text) == ["0.5", "1", "4", "10"]
    rate, distortion = (
        [float(nats) for nats in re.findall(rf"{word} ([\d.]+) nats", text)] for word in ("rate", "distortion")
    )
    assert rate == sorted(rate, reverse=True)
    assert distortion == sorted(distortion)
    assert len(set(rate)) == len(set(distortion)) == 4


def test_a_view_is_found_as_it_was_left(page: Page) -> None:
    ready(page, TRAVERSE)
    slider = page.locator(f"{TRAVERSE} input[type=range]").first
    slider.fill("3")
    turn(page, "Map", MAP)
    page.wait_for_function("location.search.includes('view=map')")
    page.get_by_role("tab", name="Traverse").click()
    page.wait_for_function("location.search.includes('view=traverse')")
    assert slider.input_value() == "3"
    assert not nameless(page)
    page.get_by_role("tab", name="ELBO").click()
    # Every click changes the address, and plotly would name its clip paths by it.
    clipped = page.locator(".js-plotly-plot [clip-path]").first
    clipped.wait_for(state="attached")
    assert re.match(r"url\(['\"]?#", clipped.get_attribute("clip-path"))


def test_only_what_a_model_can_read_is_offered(page: Page) -> None:
    before = ready(page, TRAVERSE)
    control(page, "Draw").click()
    control(page, "Shapes of six known factors").click()
    next_value(page, before, TRAVERSE)
    expect(page.get_by_label("Draw").locator("visible=true")).to_have_count(0)
    expect(control(page, "From the prior")).to_be_checked()
    page.get_by_role("tab", name="Beta").click()
    expect(page.locator("#vae-betas")).to_contain_text("choose a model of MNIST digits")


def test_nothing_of_a_link_is_rendered_as_html(page: Page, address: str) -> None:
    page.goto(f"{address}vae?view=map&seed=<img src=x onerror=alert(1)>")
    ready(page, MAP)
    expect(page.get_by_text("not '<img src=x onerror=alert(1)>'")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0


HOLD_ENDS_BACK = """
const send = window.fetch, end = 'data: {"msg":"close_stream"';
window.fetch = async (input, init) => {
  const response = await send(input, init);
  if (!String(input.url ?? input).includes('/queue/data')) return response;
  const transform = async (text, controller) => {
    const [before, after] = text.split(end);
    controller.enqueue(before);
    if (after === undefined) return;
    await new Promise((done) => setTimeout(done, 3000));
    controller.enqueue(end + after);
  };
  const texts = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new TransformStream({transform}));
  return new Response(texts.pipeThrough(new TextEncoderStream()), {status: response.status});
};
"""


def test_an_answer_comes_though_it_was_asked_for_as_the_stream_of_answers_ended(page: Page, address: str) -> None:
    page.add_init_script(HOLD_ENDS_BACK)
    page.goto(f"{address}vae?seed=0")
    for _ in range(3):
        before = ready(page, TRAVERSE)
        page.get_by_role("button", name="New seed").locator("visible=true").click()
        next_value(page, before, TRAVERSE)


def test_another_seed_is_another_code_and_an_absurd_one_is_refused(page: Page) -> None:
    before = ready(page, TRAVERSE)
    shown = pixels(page, f"{TRAVERSE} .image")
    page.get_by_role("button", name="New seed").click()
    next_value(page, before, TRAVERSE)
    assert not np.array_equal(pixels(page, f"{TRAVERSE} .image"), shown)
    assert f"seed={control(page, 'Seed').input_value()}" in page.url
    shown = pixels(page, f"{TRAVERSE} .image")
    seed = control(page, "Seed")
    seed.fill("-5")
    seed.press("Enter")
    expect(page.locator(f"{TRAVERSE} .caption")).to_contain_text("Seed must be")
    assert np.array_equal(pixels(page, f"{TRAVERSE} .image"), shown)


def test_a_drawing_and_an_upload_are_encoded(page: Page, broken_picture: Path, tmp_path: Path) -> None:
    before = ready(page, TRAVERSE)
    control(page, "Draw").click()
    expect(page.locator(f"{TRAVERSE} .caption")).to_contain_text("Draw on the pad")
    box = page.locator("#vae-pad canvas").bounding_box()
    page.mouse.move(box["x"] + 140, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 220, steps=5)
    page.mouse.up()
    next_value(page, before, TRAVERSE)
    assert pixels(page, f"{TRAVERSE} .image")[:, 13:15].max() > 250, "one stroke, centred"

    before = ready(page, TRAVERSE)
    page.get_by_label("Upload", exact=True).locator("visible=true").click()
    ink = np.full((60, 60), 255, np.uint8)
    ink[10:50, 25:35] = 0
    Image.fromarray(ink).save(tmp_path / "one.png")
    upload(page, tmp_path / "one.png")
    next_value(page, before, TRAVERSE)
    upload(page, broken_picture)
    expect(page.locator(f"{TRAVERSE} .caption")).to_contain_text("is not a picture that can be read")
    expect(page.locator(f"{TRAVERSE} .image")).to_have_css("opacity", "0.15")  # it belongs to the picture before


def test_a_link_restores_view_model_and_image(page: Page, address: str) -> None:
    page.goto(
        f"{address}vae?view=map&model=vae-shapes&picture=Test+image&number=7&seed=3&to=From+the+prior&to_number=4"
    )
    ready(page, MAP)
    idle(page)  # the view that the link selects is not filled anew with another image
    assert "square" in page.locator(f"{MAP} .legend").inner_text()
    assert pixels(page, f"{MAP} .decoded").shape == (64, 64)
    assert control(page, "number input for Number of the test image").input_value() == "7"
    page.get_by_role("tab", name="Traverse").click()
    ready(page, TRAVERSE)
    assert pixels(page, f"{TRAVERSE} .image").shape == (64, 64)


@pytest.mark.parametrize(("view", "component"), [("traverse", TRAVERSE), ("map", MAP)])
def test_a_bad_link_says_so(page: Page, address: str, view: str, component: str) -> None:
    page.goto(f"{address}vae?view={view}&seed=many")
    expect(page.get_by_text("The link's seed must be a whole number, not 'many'")).to_be_visible()
    ready(page, component)


def test_exports_hold_the_code_on_show(page: Page, tmp_path: Path) -> None:
    ready(page, TRAVERSE)
    page.locator(f"{TRAVERSE} input[type=range]").first.fill("2.5")
    command = page.locator(".cm-content").locator("visible=true")
    page.get_by_role("button", name="Export").click()
    expect(command).to_contain_text("this code was moved")
    with page.expect_download() as download:
        page.get_by_role("button", name="Picture (PNG)").click()
    picture = saved(download.value)
    assert 2.5 in json.loads(picture.text["z"])
    assert picture.text["checkpoint"] == "vae-digits"
    with page.expect_download() as download:
        page.get_by_role("button", name="Traversal (PNG)").click()
    assert saved(download.value).size[0] % (11 * 28) == 0
    turn(page, "Map", MAP)
    before = ready(page, MAP)
    seed = control(page, "Seed")
    seed.fill("5")
    next_value(page, before, MAP)
    expect(command).to_contain_text("--seed 5")
    with page.expect_download() as download:
        page.get_by_role("button", name="Picture (PNG)").click()
    picture = download.value
    assert "--seed 5" in saved(picture).text["command"]
    turn(page, "Interpolate", WAY)
    with page.expect_download() as download:
        page.get_by_role("button", name="Interpolation (GIF)").click()
    assert saved(download.value).n_frames == 41
    open_again(page, picture, tmp_path)
    ready(page, MAP)
    expect(control(page, "Seed")).to_have_value("5")


def test_a_late_answer_of_a_view_that_was_left_is_dropped(page: Page) -> None:
    ready(page, TRAVERSE)
    control(page, "Seed").fill("3")
    page.get_by_role("tab", name="ELBO").click()
    turn(page, "Map", MAP)
    idle(page)
    assert "view=map" in page.url
    before = ready(page, MAP)
    control(page, "Seed").fill("4")
    next_value(page, before, MAP)
    page.get_by_role("tab", name="ELBO").click()
    expect(page.locator("#vae-meter")).to_contain_text("of the test images have a lower ELBO")
