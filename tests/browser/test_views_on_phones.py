"""Every view of every tab on a narrow phone, in the dark: late in the order, when the first runs were made before."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect
from visitor import FAMILIAR, LIMIT, ready

from playground.tabs import discover

# Elements of complete views, at least one in each.
COMPLETE = "[data-ready], .line, .xy img, #text-measure, #vae-meter, #vae-betas img, #vae-nearest p, #vae-nearest img"
COMPLETE += ", .families img, .lanes section, .js-plotly-plot"
COMPLETE += ", .caption:has-text('is missing')"  # of a view whose checkpoint is still to be trained


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    """A page on a phone, of a visitor who knows the guides."""
    screen = {"viewport": {"width": 360, "height": 780}, "color_scheme": "dark", "has_touch": True}
    context = chromium.new_context(**screen, reduced_motion="reduce")  # type: ignore[arg-type]
    context.set_default_timeout(LIMIT)
    context.add_init_script(FAMILIAR)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("tab", discover())
def test_a_phone_never_scrolls_sideways_and_has_the_settings_in_reach(phone: Page, address: str, tab: str) -> None:
    page = phone
    page.goto(f"{address}{'' if tab == 'start' else tab}?__theme=dark")
    expect(page.get_by_role("link", name=discover()[tab].title, exact=True)).to_have_attribute("aria-current", "page")
    complete = page.locator(COMPLETE).locator("visible=true").first
    views = page.get_by_role("tab").all()
    for k in range(max(1, len(views))):
        if k:
            views[k].click()
        expect(complete).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, k
        if page.locator(".tab-body .controls").locator("visible=true").count():  # below the stage
            button = page.get_by_role("button", name="Settings").locator("visible=true").first
            expect(button).to_be_in_viewport()
            bar = button.locator("xpath=ancestor::*[contains(@class, 'go')][1]").bounding_box()
            assert (bar["x"], bar["width"]) == (0, 360), "below the picture, not over a corner of it"
            play = page.locator(".lab [data-do=play]").locator("visible=true")
            if play.count():
                assert_in_bar(page, play, button, bar)
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark", "as the scroll bars are"


def assert_in_bar(page: Page, play: Locator, settings: Locator, bar: FloatRect) -> None:
    """Check that Play of a lab is beside Settings, which leads to the controls and back to the pictures."""
    box = play.bounding_box()
    assert box["y"] > bar["y"]
    assert box["x"] + box["width"] < settings.bounding_box()["x"]
    settings.click()
    expect(page.locator(".controls").locator("visible=true")).to_be_in_viewport()
    at_controls = page.evaluate("scrollY")
    settings.click()
    page.wait_for_function(f"scrollY < {at_controls}")
    expect(page.locator(".lab .planes").locator("visible=true")).to_be_in_viewport()


def test_on_a_phone_a_race_that_is_begun_among_the_settings_comes_into_view(phone: Page, address: str) -> None:
    page = phone
    page.goto(f"{address}compare")
    lane = page.locator(".lanes section").locator("visible=true").last
    sample = page.get_by_role("button", name="Sample", exact=True).locator("visible=true")
    expect(lane).to_be_visible()
    expect(sample).to_be_enabled()
    page.get_by_role("button", name="Settings").locator("visible=true").click()
    expect(lane).not_to_be_in_viewport()
    sample.click()
    expect(lane.locator("xpath=preceding-sibling::*").first).to_be_in_viewport()


def test_on_a_phone_the_player_lies_below_the_pictures(phone: Page, address: str) -> None:
    page = phone
    page.set_viewport_size({"width": 360, "height": 640})
    page.goto(f"{address}latent_diffusion")
    ready(page, "#text-scrubber")
    picture = page.locator("#text-scrubber .scrubber > .strips .picture").last.bounding_box()
    player = page.locator("#text-scrubber .bar").bounding_box()
    assert picture["y"] + picture["height"] <= player["y"]
    assert player["height"] < 100
    progress = page.locator("#text-scrubber .progress")
    assert progress.bounding_box()["y"] <= page.locator("#text-scrubber .picture").first.bounding_box()["y"]
    page.get_by_role("button", name="Pin", exact=True).click()
    assert page.locator("#text-scrubber .pinned").is_visible()
    assert page.locator("#text-scrubber .bar").bounding_box()["y"] - player["y"] == pytest.approx(
        page.locator("#text-scrubber .scrubber > .strips .picture").last.bounding_box()["y"] - picture["y"]
    ), "the pinned run lies below the player"
    said = page.locator("#text-scrubber .caption").bounding_box()
    assert said["y"] + said["height"] <= page.locator("#text-scrubber .pinned").bounding_box()["y"]
    page.get_by_role("tab", name="Latent space").click()
    expect(page.get_by_text("Press Sample to edit the picture.")).to_be_visible()
    expect(page.locator("#text-varied .bar")).to_be_hidden()  # nothing to play yet


def test_on_a_phone_a_player_of_many_pictures_stays_in_view(phone: Page, address: str) -> None:
    page = phone
    page.goto(f"{address}gan?view=losses")
    ready(page, "#gan-losses")
    picture, player = page.locator("#gan-losses .picture").last, page.locator("#gan-losses .bar")
    expect(picture).not_to_be_in_viewport()
    settings = page.locator(".go").locator("visible=true").bounding_box()
    assert player.bounding_box()["y"] + player.bounding_box()["height"] <= settings["y"]
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert picture.bounding_box()["y"] + picture.bounding_box()["height"] <= player.bounding_box()["y"]
