"""Settings survive the page's address."""

import pytest

from playground.families import ddpm
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
