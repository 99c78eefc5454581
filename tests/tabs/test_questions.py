"""The questions of the start page: short answers, figures that were measured, and experiments that open as they say."""

import dataclasses
import re
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from playground.datasets import densities
from playground.families.gan.lab import Lab
from playground.runtime.validation import UserError
from playground.tabs import compare, ddpm, gan, normalizing_flow, score_matching, start, vae
from playground.tabs.gan import lab
from playground.tabs.latent_diffusion.latent_space import ViewParams as LatentParams
from playground.tabs.latent_diffusion.latent_vs_pixel import ViewParams as CostParams
from playground.tabs.start import questions
from playground.tabs.start.questions import QUESTIONS, Experiment, Question
from playground.web import links

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = (ROOT / "weights" / "README.md").read_text(encoding="utf-8")
# The parameters of the views that experiments open, by tab and view.
PARAMS = {
    "vae": vae.ViewParams, "vae.gradients": vae.ViewParams, "vae.beta": vae.ViewParams, "vae.elbo": vae.ViewParams,
    "gan.samples": gan.samples.ViewParams, "gan.losses": gan.loss_comparison.ViewParams, "gan.lab": lab.ViewParams,
    "score_matching.digits": score_matching.digits.ViewParams, "score_matching.lab": score_matching.lab.ViewParams,
    "ddpm": ddpm.reverse.ViewParams, "latent_diffusion.latent_vs_pixel": CostParams,
    "latent_diffusion.latent_space": LatentParams, "normalizing_flow.digits": normalizing_flow.digits.ViewParams,
    "normalizing_flow.lab": normalizing_flow.lab.ViewParams, "compare.drawing": compare.drawing.ViewParams,
    "compare.likelihoods": compare.likelihoods.ViewParams,
}  # fmt: skip
ALL = [experiment for question in QUESTIONS.values() for experiment in question.experiments]
# Figures of the answers, with the rows of weights/README.md that they were measured in.
FIGURES = {
    "are at 31 × real": "| `vae-digits` | N(0, I) | 30.88 ",
    "r3gan at 6.1 × real": "| `r3gan` | relativistic, R1 and R2 of 1 (Huang 2024) | 6.14 ",
    "comes to 3.6": "| `vae-digits` | 100 Gaussians fitted to the codes of the training digits | 3.61 ",
    "comes to 1.62 × real": "of classes by projection (Miyato and Koyama 2018) | 1.62 ",
    "1.53 in 20": "| `ddim-20-eta1`: DDIM, 20 steps, eta 1 | 3 | 1.53 ",
    "1.15 in 50": "| `ddim-50-eta1`: DDIM, 50 steps, eta 1 | 3 | 1.15 ",
    "98.9% to 99.9%": "0.882 | 1.125 | 0.926 | 0.976 | 99.92% ",
    "0.946 to 0.882": "0.946 | 1.005 | 0.945 | 0.997 | 98.87% ",
    "98.3% as asked": "0.962 | 0.872 | 0.933 | 0.985 | 98.32% ",
    "32.0 dB": "come back with a PSNR of 32.0 dB",
    "covers 0.8": "| Cause collapse | 0.8 ",
    "8.0, 8.0, 7.9 and 8.0": "| Wasserstein, gradient penalty | 7.9 ",
    "23.8 nats and the distortion 68.1": "| 1 | 23.8 | 68.1 |",
    "4.1 and 136.3, and 6": "| 10 | 4.1 | 136.3 | 140.4 | 6 |",
}


def settings_of(experiment: Experiment) -> object:
    """Return the parameters of the view that an address opens; None if it sets none."""
    name, _, query = experiment.address.partition("?")
    parameters = dict(parse_qsl(query))
    tab = ".".join(filter(None, [name, parameters.get("view", "")]))
    fields = {field.name for field in dataclasses.fields(PARAMS[tab])}
    assert parameters.keys() <= fields | {"view"}, experiment.address
    return links.restore(PARAMS[tab], tab, parameters)


@pytest.mark.parametrize("experiment", ALL, ids=lambda experiment: experiment.address)
def test_an_experiment_opens_a_view_with_settings_that_it_accepts(experiment: Experiment) -> None:
    assert (settings_of(experiment) is None) == (set(dict(parse_qsl(experiment.address.partition("?")[2]))) <= {"view"})


def test_the_settings_of_an_experiment_are_checked() -> None:
    with pytest.raises(UserError, match="guidance w"):
        settings_of(Experiment("", "ddpm?w=-1"))
    with pytest.raises(AssertionError):
        settings_of(Experiment("", "ddpm?guidance=2"))


def test_mode_collapse_is_caused_and_mended_by_presets_of_the_lab() -> None:
    presets = ["collapse", "fix", "r3gan", "wasserstein-gp", "minibatch"]
    experiments = QUESTIONS["mode-collapse"].experiments
    assert [settings_of(experiment) for experiment in experiments] == [lab.preset_params(name) for name in presets]


def test_a_discriminator_that_wins_stops_the_minimax_generator_only() -> None:
    moves = {}
    for experiment in QUESTIONS["discriminator-wins"].experiments[:2]:
        params = settings_of(experiment)
        assert isinstance(params, lab.ViewParams)
        training = Lab(densities.DENSITIES[params.data](), params.settings())
        before = training.sample(100)
        for _ in range(150):
            training.step()
        moves[params.loss] = (training.sample(100) - before).norm(dim=1).mean().item()
    assert moves["minimax"] < 0.1
    assert moves["nonsaturating"] > 1
    assert "0.024 on average in 600 steps" in WEIGHTS
    assert "by 0.02 on average" in QUESTIONS["discriminator-wins"].observation


def test_the_slopes_of_a_loss_are_shown_where_an_experiment_promises_them() -> None:
    (experiment,) = [experiment for experiment in ALL if experiment.text == "Slopes in whole trainings"]
    settings = settings_of(experiment)
    assert isinstance(settings, gan.loss_comparison.ViewParams)
    assert dict(map(reversed, gan.diagnostics.TITLES))[settings.below] == "Why it saturates"


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_an_answer_has_five_sentences_at_most_and_a_guess_before(question: Question) -> None:
    assert len(re.findall(r"[.?!](?= [A-ZΑ-Ω]|$)", question.answer)) <= 5
    assert len(set(question.choices)) in (2, 3)
    assert question.choices[question.answer_index]
    assert question.experiments


def test_the_figures_of_the_answers_were_measured() -> None:
    answers = " ".join(question.answer for question in QUESTIONS.values())
    for figure, row in FIGURES.items():
        assert figure in answers
        assert row in WEIGHTS, figure


def test_experiments_and_ways_in_of_tabs_that_are_not_there_are_left_out() -> None:
    names = {"start", "ddpm"}
    assert set(re.findall(r'href="(\w+)', questions.to_html(names))) == {"ddpm"}
    assert "compare" not in start.make_doors(names)
    assert start.make_doors(names | {"compare"}).count('href="compare') == 2


def test_the_documentation_is_that_of_the_page() -> None:
    assert (ROOT / "docs" / "QUESTIONS.md").read_text(encoding="utf-8") == questions.as_markdown()
