"""The page looks and works alike whether the browser renders it or, as on Spaces, the server."""

import shutil
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect
from server import shipped
from visitor import next_value, ready

import app

STAGE = "#ddpm-scrubber"
BLUE, WHITE = "rgb(37, 99, 235)", "rgb(255, 255, 255)"

# What each declaration of a style sheet comes to, in every element that its rule means.
STYLE = """css => {
  const sheet = new CSSStyleSheet(), found = {};
  sheet.replaceSync(css);
  const within = (parent, text) => !parent ? text : text.includes("&") ? text.replaceAll("&", `:is(${parent})`)
    : `:is(${parent}) :is(${text})`;
  const visit = (rules, parent) => [...rules].forEach(rule => {
    const selector = rule.selectorText ? within(parent, rule.selectorText) : parent;
    if (rule.cssRules) visit(rule.cssRules, selector);
    if (!rule.selectorText) return;
    const names = [...rule.style];
    (found[selector] ??= []).push(...[...document.querySelectorAll(selector)].map(element =>
      names.map(name => `${name}: ${getComputedStyle(element).getPropertyValue(name)}`)));
  });
  visit(sheet.cssRules);
  return found;
}"""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of the same app, its page rendered by Node on the server."""
    if not shutil.which("node"):
        pytest.skip("server-side rendering needs Node")
    with shipped(tmp_path_factory.mktemp("rendered"), GRADIO_SSR_MODE="true") as server:
        assert psutil.Process(server.pid).children(), "Node did not start: is it older than Gradio asks for?"
        yield server.address


def style(chromium: Browser, address: str, width: int) -> dict[str, list[list[str]]]:
    context = chromium.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(f"{address}ddpm")
    ready(page, STAGE)
    page.wait_for_selector(".guide-card:not([hidden])")
    found = page.evaluate(STYLE, app.CSS)
    context.close()
    return found


@pytest.mark.parametrize("width", [1280, 360])
def test_no_rule_of_the_page_loses_to_those_of_the_components(
    chromium: Browser, address: str, rendered: str, width: int
) -> None:
    client, server = (style(chromium, url, width) for url in (address, rendered))
    assert any(client.values())
    assert server == client


@pytest.mark.parametrize("side", ["address", "rendered"])
def test_a_visitor_sees_what_is_chosen_and_samples(
    page: Page, address: str, side: str, request: pytest.FixtureRequest
) -> None:
    page.goto(f"{request.getfixturevalue(side)}ddpm")
    before = ready(page, STAGE)
    expect(page.get_by_role("button", name="Settings").locator("visible=true")).to_have_count(0)
    ddim, ddpm = (
        page.locator("label", has=page.get_by_role("radio", name=name, exact=True)).locator("visible=true").first
        for name in ("DDIM", "DDPM")
    )
    expect(ddim).to_have_css("background-color", BLUE)
    expect(ddim).to_have_css("color", WHITE)
    ddpm.click()
    expect(ddpm).to_have_css("background-color", BLUE)
    expect(ddim).not_to_have_css("background-color", BLUE)
    page.locator("#ddpm-sample").click()
    next_value(page, before, STAGE)


@pytest.mark.parametrize("side", ["address", "rendered"])
def test_a_link_selects_its_view(page: Page, address: str, side: str, request: pytest.FixtureRequest) -> None:
    page.goto(f"{request.getfixturevalue(side)}vae?view=map")
    ready(page, "#vae-map")
    expect(page.get_by_role("tab", name="Map")).to_have_attribute("aria-selected", "true")
