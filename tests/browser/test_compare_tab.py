"""A visitor compares the families, in a real browser."""

import csv
import json
from pathlib import Path

from playwright.sync_api import Page, expect
from visitor import nameless, open_again, ready, saved

TAB = "compare?who=vae,gan,flow&n=2&digit=7&seed=3&sort=parameters"
LANES = "#compare-race section"


def order(page: Page) -> list[str]:
    """Return the names of the lanes from top to bottom."""
    return page.locator(LANES).evaluate_all("(lanes) => lanes.map((lane) => lane.dataset.lane)")


def test_the_same_request_is_raced_sorted_saved_and_stopped(page: Page, tmp_path: Path) -> None:
    race = page.locator("#compare-race")
    expect(race.locator(".caption")).to_have_text("2 pictures each, of 7, seed 3")
    expect(page.locator(f"{LANES}[data-done] .place")).to_have_count(3)
    assert order(page) == ["vae", "gan", "flow"], "fewest parameters first"
    expect(page.locator("[data-lane=gan]")).to_contain_text("of 2 as 7.")
    expect(page.locator("[data-lane=flow]")).to_contain_text("It learned no classes")
    expect(page.get_by_role("checkbox", name="DDIM")).not_to_be_checked()
    assert not nameless(page)

    page.get_by_role("radio", name="time", exact=True).locator("xpath=..").click()
    places = page.locator(f"{LANES} .place")
    expect(places).to_have_text(["1st", "2nd", "3rd"])
    page.wait_for_url("**sort=seconds**")
    page.get_by_role("button", name="Export").locator("visible=true").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Pictures (PNG)").click()
    picture = saved(download.value)
    assert picture.height / picture.width == (3 * 34 - 2) / (2 * 34 - 2), "a line for each"
    rows = json.loads(picture.text["rows"])  # type: ignore[attr-defined]
    assert [row["name"] for row in rows] == order(page)
    assert all(row["evaluations"] == 1 for row in rows)
    open_again(page, download.value, tmp_path)
    expect(page.locator(f"{LANES}[data-done]")).to_have_count(3)

    expect(page.locator("#compare-race[data-stale]")).to_have_count(0)
    for name in ("VAE", "Conditional GAN", "Flow"):
        page.get_by_role("checkbox", name=name, exact=True).locator("xpath=..").click()
    expect(page.locator("#compare-race[data-stale]")).to_have_count(1)
    page.get_by_role("button", name="Sample").click()
    expect(race).to_contain_text("Choose at least one to take part. The previous run is shown.")
    expect(race.locator("[data-stale] section")).to_have_count(3)
    said = "getComputedStyle(document.querySelector('#compare-race .caption'), '::after').content"
    assert "settings changed" in page.evaluate(said), "it is still of other settings"
    for name in ("VAE", "Conditional GAN", "Flow", "Langevin dynamics"):
        page.get_by_role("checkbox", name=name, exact=True).locator("xpath=..").click()
    page.get_by_role("button", name="Sample").click()
    expect(page.locator("#compare-race[data-stale], #compare-race [data-stale]")).to_have_count(0)
    expect(page.locator(LANES)).to_have_count(4)
    expect(page.locator(f"{LANES}[data-done]")).to_have_count(3)
    page.get_by_role("button", name="Stop").click()
    expect(race.locator(".caption")).to_have_text("Stopped with 3 of 4 finished. 2 pictures each, of 7, seed 3")
    expect(page.get_by_role("button", name="Sample")).to_be_enabled()


def test_the_scoreboard_is_sorted_linked_and_saved(page: Page, address: str) -> None:
    page.goto(f"{address}compare?view=scoreboard&sort=coverage&descending=1&row=flow-digits, test digits, 10000")
    ready(page, "#scoreboard")
    rows = page.locator("#scoreboard tbody tr")
    expect(rows.last).to_contain_text("flow-digits")
    expect(page.locator("#scoreboard th[aria-sort=descending]")).to_have_text("Coverage")
    expect(page.locator("#scoreboard-about")).to_contain_text(
        "flow-digits, likelihood of test digits: 10,000 pictures."
    )
    page.locator("#sort-bits_tight").press("Enter")
    expect(rows.first).to_contain_text("flow-digits")
    expect(page.locator("#sort-bits_tight")).to_be_focused()
    page.get_by_role("button", name="gan-digits-conditional").click()
    expect(page.locator("#scoreboard-about")).to_contain_text("gan-digits-conditional, codes from N(0, I): 3 sets")
    expect(page.locator("#scoreboard tr[data-picked]")).to_contain_text("no likelihood")
    page.wait_for_url("**sort=bits_tight**gan-digits-conditional**")
    expect(page.locator(".js-plotly-plot .point").first).to_be_visible()
    page.get_by_role("button", name="Export").locator("visible=true").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Scoreboard (CSV)").click()
    lines = list(csv.DictReader(Path(download.value.path()).read_text(encoding="utf-8").splitlines()))
    assert len(lines) == rows.count()
    assert lines[0]["checkpoint"] == "flow-digits"
    page.goto(f"{address}compare?view=scoreboard&sort=beauty")
    expect(page.locator("#scoreboard [role=status]")).to_contain_text("Sort must be one of model, settings")
    expect(rows).to_have_count(len(lines))
