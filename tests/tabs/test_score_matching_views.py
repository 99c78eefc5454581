"""What the views of score matching show."""

import json
import re
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch

from playground.datasets.densities import make_true_score
from playground.diffusion.samplers import DenoiserOutput
from playground.families import ddpm
from playground.families.score_matching import particles
from playground.families.score_matching.likelihood import FLAT, LOW
from playground.families.score_matching.particles import Measures
from playground.families.score_matching.samplers import FROM_NOISE
from playground.nn.normal import log_normal
from playground.runtime import pictures
from playground.runtime.paths import Paths
from playground.runtime.recording import subsample
from playground.runtime.validation import UserError
from playground.tabs.score_matching import digits, langevin_2d, langevin_runs, restoration
from playground.tabs.score_matching.inverse_params import LEFT, LOWER, PAINTED, SQUARE, Problem, ViewParams
from playground.tabs.score_matching.inverse_problems import entropy
from playground.tabs.score_matching.restoration import TASKS
from playground.web import drawing_pad, image_picker, links, scrubber
from playground.web.newest import Requests


@pytest.fixture
def model() -> ddpm.Model:
    torch.manual_seed(0)
    return ddpm.Model(ddpm.Config(size=8, width=8, multipliers=(1,), blocks=1, emb_dim=8)).eval().requires_grad_(False)


class Exact(ddpm.Model):
    """The diffusion model of pictures of which every pixel is N(0, 1 / 4)."""

    def denoiser(self, y, w, clip):
        def denoise(xt: torch.Tensor, t: int) -> DenoiserOutput:
            a = self.schedule.alpha_bar[t].item()
            return DenoiserOutput(a**0.5 / 4 / (a / 4 + 1 - a) * xt)

        return denoise


def numbers_in(formula: str) -> set[str]:
    """Return the names of the numbers that the page fills in a formula."""
    return set(re.findall(r'data-number="(\w+)"', formula))


@pytest.mark.parametrize("sampler", FROM_NOISE)
def test_every_sampler_ends_with_the_data(sampler: str) -> None:
    exact = Exact(ddpm.Config(size=8, width=8, multipliers=(1,), blocks=1, emb_dim=8))
    params = digits.ViewParams(sampler=sampler, n=20, evaluations=120)
    *_, end = digits.run(exact, params)
    assert end.x.std().item() == pytest.approx(0.5, rel=0.08)


@pytest.mark.parametrize("sampler", FROM_NOISE)
def test_a_run_costs_what_was_asked_for(model: ddpm.Model, sampler: str) -> None:
    calls: list[int] = []
    model.net.register_forward_hook(lambda *_: calls.append(1))
    moments = list(digits.run(model, digits.ViewParams(sampler=sampler, n=2, evaluations=40)))
    assert abs(len(calls) - 40) <= 2
    value = digits.film(digits.ViewParams(sampler=sampler, n=2, evaluations=40), moments)
    assert value.captions[0].startswith("step 0 of")
    assert numbers_in(value.formula) <= {*value.numbers}


def test_every_parameter_makes_other_digits(model: ddpm.Model) -> None:
    for parameter in model.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))  # or no class would matter
    changes = {"sampler": "probability flow", "digit": "4", "evaluations": 20, "step_size": 0.05, "low": 0.2,
               "high": 20.0, "seed": 5}  # fmt: skip
    params = digits.ViewParams(sampler="annealed", n=1, digit="3", evaluations=10)
    *_, end = digits.run(model, params)
    for name, value in changes.items():
        *_, changed = digits.run(model, replace(params, **{name: value}))
        assert not torch.allclose(changed.x, end.x, atol=1e-3), name


def test_the_score_is_the_noise_that_the_model_predicts(model: ddpm.Model) -> None:
    params = digits.ViewParams(n=1, digit="3", evaluations=10)
    first = next(iter(digits.run(model, params)))
    t = 1 + int((digits.langevin.noise_levels(model.schedule)[1:].log() - np.log(first.sigma)).abs().argmin())
    alpha_bar = model.schedule.alpha_bar[t].sqrt()
    x0_hat = model.denoiser(torch.tensor([3]), 1.0, clip=True)(first.x * alpha_bar, t).x0_hat
    eps_hat = (first.x - x0_hat) / first.sigma
    torch.testing.assert_close(first.score * first.sigma, -eps_hat, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [("sampler", "magic"), ("digit", "eleven"), ("n", 0), ("n", 10**9), ("evaluations", float("nan")), ("step_size", 0),
     ("low", -1), ("high", None), ("seed", "x")],
)  # fmt: skip
def test_absurd_settings_are_refused(name: str, value) -> None:
    with pytest.raises(UserError):
        digits.ViewParams(**{"sampler": "annealed", name: value})


# Mend: the score applied to a picture.


@pytest.fixture(scope="module")
def exact() -> Exact:
    return Exact(ddpm.Config(width=8, multipliers=(1,), blocks=1, emb_dim=8))


@pytest.fixture(scope="module")
def x0() -> torch.Tensor:
    return torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)) / 2


def solved(model: ddpm.Model, params: ViewParams, x0: torch.Tensor, gone: torch.Tensor | None = None) -> list:
    """The moments of a task; if nothing else is said, the left half is missing."""
    problem = Problem(x0, restoration.missing(LEFT, "") if gone is None else gone)
    return list(TASKS[params.task].solve(model, params, problem))


def test_denoising_ends_with_the_posterior(exact: Exact, x0: torch.Tensor) -> None:
    """The data are N(0, v): given y, they have the mean y v / (v + σ²) and the variance v σ² / (v + σ²)."""
    params = ViewParams(noise=0.8, n=10, evaluations=400)
    moments = solved(exact, params, x0)
    y, v, noise = moments[0].x[:1], 0.25, 0.8**2
    assert (y - x0).std().item() == pytest.approx(0.8, rel=0.07)
    away = moments[-1].x - y * v / (v + noise)
    assert away.mean().abs().item() < 0.02
    assert (away * y).mean().abs().item() < 0.02, "the mean is that of each pixel"
    assert away.var().item() == pytest.approx(v * noise / (v + noise), rel=0.06)
    assert away.mean(0).var().item() == pytest.approx(away.var().item() / 10, rel=0.2), "the results are independent"


def test_one_step_gives_the_mean_and_a_sample_is_three_decibels_worse(exact: Exact, x0: torch.Tensor) -> None:
    moments = solved(exact, ViewParams(noise=0.8, n=10, evaluations=400), x0)
    first = moments[0]
    one_step = first.x + 0.8**2 * first.score
    torch.testing.assert_close(one_step, first.x * 0.25 / (0.25 + 0.8**2), rtol=1e-2, atol=1e-3)
    gap = pictures.psnr(one_step, x0)[0] - pictures.psnr(moments[-1].x, x0).mean()
    assert gap.item() == pytest.approx(10 * np.log10(2), abs=0.4)


def test_psnr_is_that_of_pictures_from_minus_one_to_one() -> None:
    x0 = torch.zeros(1, 1, 4, 4)
    assert pictures.psnr(x0 + torch.tensor([0.2, 2.0])[:, None, None, None], x0).tolist() == pytest.approx([20.0, 0.0])


@pytest.mark.parametrize("mask", [LEFT, LOWER, SQUARE])
def test_what_is_known_of_a_picture_stays_and_the_rest_is_of_the_data(
    exact: Exact, x0: torch.Tensor, mask: str
) -> None:
    gone = restoration.missing(mask, "")
    end = solved(exact, ViewParams(task="Inpaint", mask=mask), x0, gone)[-1].x
    known, new = ((end - x0)[(where).expand_as(end)] for where in (~gone, gone))
    assert known.abs().max() < 1e-5
    assert end[gone.expand_as(end)].std().item() == pytest.approx(0.5, rel=0.15)
    assert new.std().item() == pytest.approx(0.5 * 2**0.5, rel=0.15), "it does not know what was there"


def test_where_all_is_missing_anything_is_drawn(exact: Exact, x0: torch.Tensor) -> None:
    gone = restoration.missing(PAINTED, json.dumps([[[-20, y], [300, y]] for y in range(0, 281, 10)]))
    assert int(gone.sum()) == 784
    end = solved(exact, ViewParams(task="Inpaint", mask=PAINTED), x0, gone)[-1].x
    assert abs(np.corrcoef(end[:, gone[0]].mean(0), x0[gone])[0, 1]) < 0.15


BLANK = "[[[-100, -100]]]"


@pytest.mark.parametrize("painted", ["", None, drawing_pad.pack_background(None), BLANK])
def test_a_mask_of_nothing_is_one_sentence(painted) -> None:
    with pytest.raises(UserError, match="nothing is missing"):
        restoration.missing(PAINTED, painted)


def test_a_mask_that_no_pad_sends_is_one_sentence() -> None:
    with pytest.raises(UserError, match="list of strokes"):
        restoration.missing(PAINTED, "nonsense")


def test_the_likelihood_is_the_closed_form(exact: Exact, x0: torch.Tensor) -> None:
    params = ViewParams(task="Likelihood", n=4, evaluations=400)
    moments = solved(exact, params, x0)
    first, last = moments[0], moments[-1]
    truth = log_normal(first.x, 0, (0.25 + LOW**2) ** 0.5)
    assert (last.extras["log_p"] - truth).abs().max() < 0.002 * truth.abs().max()
    assert last.extras["log_p"][:4].std() < 0.1, "each pixel's score depends on it alone: signs give its divergence"
    assert last.x[0].std().item() == pytest.approx(FLAT, rel=0.1)


def test_bits_beyond_the_noise_are_what_it_leaves_of_the_picture(exact: Exact, x0: torch.Tensor) -> None:
    """On average over normal pictures log p(y | x0) / p(y) is half the log of 1 + v / σ² for each pixel."""
    moments = solved(exact, ViewParams(task="Likelihood", evaluations=400), x0)
    noise = log_normal(moments[0].x[:1], x0, LOW)
    beyond = (noise - moments[-1].extras["log_p"][0]).item()
    assert beyond == pytest.approx(1024 * np.log(1 + 0.25 / LOW**2) / 2, rel=0.03)
    assert noise.item() == pytest.approx(-1024 * entropy(LOW), rel=0.05)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_described(model: ddpm.Model, task: str) -> None:
    params = ViewParams(task=task, n=5, evaluations=22)
    calls: list[int] = []
    hook = model.net.register_forward_hook(lambda *_: calls.append(1))
    x0 = torch.zeros(1, 1, 8, 8)
    gone = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    gone[..., :4] = True
    moments = solved(model, params, x0, gone)
    hook.remove()
    chosen, problem = TASKS[task], Problem(x0, gone)
    film = chosen.film(params, problem, subsample(moments, digits.MAX_FRAMES))
    assert "sigma" in numbers_in(film.formula) <= {*film.numbers}
    value = scrubber.pack(film)
    assert value["frames"] == len(moments) <= digits.MAX_FRAMES
    assert abs(len(calls) - params.evaluations) <= 2
    assert moments[-1].step == len(moments) - 1 == chosen.steps(params.evaluations)
    shown = chosen.strips(params, problem, moments[0], moments[:1])
    assert len({strip.frames.shape[1:] for strip in shown}) == 1, "all strips have one size"
    assert [strip.name for strip in shown] == [strip["name"] for strip in value["strips"]], "live as in the end"


def test_a_link_restores_what_was_asked_and_no_drawing() -> None:
    params = ViewParams(task="Inpaint", mask=SQUARE, noise=0.7, n=6, evaluations=40, digit="3", seed=5)
    value = links.value(restoration.TAB, restoration.linkable(params))
    assert links.restore(ViewParams, restoration.TAB, value["link"]) == params
    for drawn in (
        {"picture": image_picker.DRAWING},
        {"picture": image_picker.UPLOAD},
        {"task": "Inpaint", "mask": PAINTED},
    ):
        assert restoration.linkable(ViewParams(**drawn)) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("task", "magic"), ("picture", "a cat"), ("number", 10_000), ("mask", None), ("noise", float("nan")),
     ("noise", 0), ("n", 11), ("n", 0), ("evaluations", 401), ("evaluations", 10.5), ("digit", 3), ("seed", -1)],
)  # fmt: skip
def test_absurd_tasks_are_refused(name: str, value) -> None:
    with pytest.raises(UserError):
        ViewParams(**{name: value})


@pytest.mark.parametrize("sampler", ["langevin", "mala", "probability flow"])
def test_a_dropped_particle_begins_where_it_is_dropped_and_ends_near_the_data(sampler: str) -> None:
    params = langevin_runs.ViewParams(sampler=sampler, n=10, steps=250, data="ring")
    density = params.settings.density
    score = make_true_score(density)
    length = len(list(particles.sample(score, params.settings)))
    path = langevin_runs.drop(score, params, (0.75, 0.25), length)
    frames = langevin_runs.film(params, list(particles.sample(score, params.settings)), score).strips[0].frames
    assert path.shape == (len(frames), 2), "a place for each frame of the film"
    assert path[0] == pytest.approx([0.75, 0.25]), "on the right, above the middle"
    end = torch.from_numpy((2 * path[-1:] - 1) * [1, -1] * langevin_runs.SPAN).float()
    assert torch.cdist(end, density.modes()[0]).min() < 0.5
    assert len(langevin_runs.drop(score, params, (0.75, 0.25), 5)) == 5, "of a run that was stopped"


def test_the_newest_of_two_dropped_particles_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gr.Blocks() as page:
        view = langevin_2d.LangevinView(Paths(tmp_path, tmp_path))
        view.bind(page)
    (event,) = [event for event in page.fns.values() if event.name == "drop"]
    assert event.trigger_mode == "multiple", "Gradio would send the place of the one before again"
    requests, walk, drop = Requests(), (langevin_runs.ViewParams(steps=10), 11, "run"), langevin_runs.drop

    def at(x: float) -> object:
        return view.drop(requests, walk, gr.EventData(None, {"x": x, "y": 0.5}))

    newer = list[object]()

    def drop_slowly(*values: object) -> np.ndarray:
        monkeypatch.setattr(langevin_runs, "drop", drop)
        newer.append(at(0.75))
        return drop(*values)

    monkeypatch.setattr(langevin_runs, "drop", drop_slowly)
    assert at(0.25) == gr.skip()
    assert json.loads(newer[0]["following"])["part"]["path"][0] == [0.75, 0.5]


def test_the_verdict_on_the_modes_allows_for_chance() -> None:
    truth = torch.tensor([0.8, 0.2])

    def judge(*shares: float, n: int = 400) -> str:
        kl = sum(share * np.log(share / weight) for share, weight in zip(shares, truth.tolist(), strict=True))
        return langevin_runs.judge(
            langevin_runs.Plot(np.zeros(0), Measures(torch.tensor(shares), kl, 0.0, 1.0), n), truth
        )

    weights = "weights from left to right: 80% 20%\nthe truth: 80% 20%"
    assert judge(0.8, 0.2) == f"The modes have their true weights.\n{weights}"
    assert judge(0.5, 0.5).startswith("The modes have wrong weights.")
    assert judge(0.6, 0.4, n=20).startswith("The modes have their true weights."), "by chance, among so few"
