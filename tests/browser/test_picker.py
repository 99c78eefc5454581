"""The choice between checkpoints, in a real browser: a folder with two diffusion models, a damaged file and no more."""

import json

import pytest
import torch
from playwright.sync_api import Page, expect
from server import LocalApp
from visitor import next_value, ready, saved, set_control

from playground.families import ddpm, score_matching
from playground.runtime import checkpoint
from playground.runtime.paths import Paths

SCRUBBER = "#ddpm-scrubber"


def put(paths: Paths, name: str) -> None:
    """A small diffusion model that learned nothing."""
    torch.manual_seed(len(name))
    model = ddpm.Model(ddpm.Config(width=8, multipliers=(1,), blocks=1, emb_dim=8))
    checkpoint.save(paths.weights / f"{name}.safetensors", model, {"recipe": name})


@pytest.fixture
def paths(local_app: LocalApp) -> Paths:
    """Where the files lie."""
    put(local_app.paths, "ddpm-digits-try")
    return local_app.paths


@pytest.fixture
def address(local_app: LocalApp, paths: Paths) -> str:
    """An app with those files alone."""
    return local_app.address


def test_what_a_training_made_is_shown_and_what_comes_later_is_offered(page: Page, address: str, paths: Paths) -> None:
    """As after `python -m train ddpm --name ddpm-digits-try --out DIR`, with `python app.py --weights DIR`."""
    page.goto(f"{address}ddpm")
    before = ready(page, SCRUBBER)
    mine = page.get_by_label("ddpm-digits-try").locator("visible=true")
    expect(mine).to_have_count(0)  # there is nothing to choose
    page.locator("#ddpm-sample").click()
    next_value(page, before, SCRUBBER)
    page.wait_for_function("location.search.includes('model=ddpm-digits-try')")

    put(paths, "ddpm-digits")
    (paths.weights / "half.safetensors").write_bytes(b"no checkpoint")
    page.goto(f"{address}ddpm")
    before = ready(page, SCRUBBER)
    expect(page.get_by_label("ddpm-digits", exact=True).locator("visible=true")).to_be_checked()
    expect(page.get_by_text("The checkpoint half.safetensors is damaged")).to_be_visible()
    mine.click()
    expect(page.locator(f"{SCRUBBER} [data-stale]")).to_have_count(1)
    set_control(page, "Pictures", "2")
    page.locator("#ddpm-sample").click()
    next_value(page, before, SCRUBBER)
    page.wait_for_function("location.search.includes('model=ddpm-digits-try')")
    page.get_by_role("button", name="Export").locator("visible=true").click()
    expect(page.get_by_text("sample ddpm-digits-try")).to_contain_text(f"--weights {paths.weights}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Pictures (PNG)").locator("visible=true").click()
    about = saved(download.value).text
    assert about["checkpoint"] == "ddpm-digits-try"
    assert json.loads(about["provenance"]) == {"recipe": "ddpm-digits-try"}

    page.goto(page.url)
    ready(page, SCRUBBER)
    expect(mine).to_be_checked()


def test_the_score_of_the_chosen_model_draws_and_restores(page: Page, address: str, paths: Paths) -> None:
    put(paths, "ddpm-digits")
    for view in ("digits", "restoration"):
        page.goto(f"{address}score_matching?view={view}&evaluations=10&model=ddpm-digits-try")
        ready(page, f"#score-{view}")
        expect(page.get_by_label("ddpm-digits-try").locator("visible=true")).to_be_checked()


def test_learned_scores_of_the_same_data_are_chosen_between(page: Page, address: str, paths: Paths) -> None:
    for name, data in (("first", "grid"), ("second", "grid"), ("third", "ring")):
        model = score_matching.Model(score_matching.Config(data=data, width=8, layers=1))
        checkpoint.save(paths.weights / f"{name}.safetensors", model, {})
    params = "data=grid&score=learned&sampler=annealed&n=10&steps=10&model=second"
    page.goto(f"{address}score_matching?view=langevin&{params}")
    before = ready(page, "#score-langevin")
    first, second = (page.get_by_label(name, exact=True).locator("visible=true") for name in ("first", "second"))
    expect(second).to_be_checked()
    first.click()
    next_value(page, before, "#score-langevin")
    page.wait_for_function("location.search.includes('model=first')")
    before = ready(page, "#score-langevin")
    page.get_by_label("ring", exact=True).locator("visible=true").click()
    next_value(page, before, "#score-langevin")
    page.wait_for_function("location.search.includes('model=third')")
    expect(first).to_have_count(0)  # there is one of this data


def test_tabs_without_a_checkpoint_name_the_recipe(page: Page, address: str) -> None:
    for path, recipe in (("vae", "vae-digits"), ("gan?view=losses", "gan-digits-r3gan"),
                         ("normalizing_flow?view=digits", "flow-digits"),
                         ("latent_diffusion", "text-to-image-emoji")):  # fmt: skip
        page.goto(f"{address}{path}")
        expect(page.get_by_text(f"“python -m train {recipe}” makes it").first).to_be_visible()


def test_a_link_to_a_model_that_is_not_here_says_so(page: Page, address: str) -> None:
    page.goto(f"{address}ddpm?steps=3&model=elsewhere")
    expect(page.locator(f"{SCRUBBER} .caption")).to_contain_text(
        "Model must be one of ddpm-digits-try, not 'elsewhere'"
    )
