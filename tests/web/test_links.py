"""Settings survive the page's address."""

import pytest

from playground.families import ddpm
from playground.tabs.ddpm import runs as ddpm_runs
from playground.tabs.latent_diffusion import runs as text_runs
from playground.web import links


@pytest.mark.parametrize(
    "settings",
    [
        ddpm.Settings(),
        ddpm.Settings(n=3, label=0, sampler="dpm-solver++", steps=7, eta=0.25, w=2.5, clip=False, seed=5),
    ],
)
def test_a_link_is_the_inverse_of_itself(settings: ddpm.Settings) -> None:
    parameters = {name: value for name, value in links.query("ddpm", settings).items() if value is not None}
    assert links.restore(ddpm.Settings, "ddpm", parameters) == settings


def test_the_link_of_another_view_is_none_of_ours() -> None:
    assert links.restore(ddpm.Settings, "ddpm", {"view": "forward", "steps": "7"}) is None
    assert links.restore(ddpm.Settings, "ddpm.forward", {"steps": "7"}) is None


@pytest.mark.parametrize(
    "parameters", [{"steps": "many"}, {"w": "nan"}, {"n": "0"}, {"sampler": "<b>"}, {"label": "-1"}]
)
def test_bad_parameters_get_one_sentence(parameters: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"must be|is no"):
        links.restore(ddpm.Settings, "ddpm", parameters)


@pytest.mark.parametrize(
    ("params", "parameters", "limits"),
    [
        (ddpm_runs.ViewParams, {"n": "65"}, "from 1 to 64"),
        (ddpm_runs.ViewParams, {"w": "9"}, "from 0 to 8"),
        (text_runs.ViewParams, {"steps": "251"}, "from 1 to 250"),
        (text_runs.ViewParams, {"steps": "5000"}, "from 1 to 250"),
        (text_runs.ViewParams, {"n": "10"}, "from 1 to 9"),
    ],
)
def test_a_link_is_told_the_limits_of_the_page(params: type, parameters: dict[str, str], limits: str) -> None:
    with pytest.raises(ValueError, match=limits):
        links.restore(params, "tab", parameters)
