"""What the views of the compare tab that follow digits through every family compute, on tiny models."""

import itertools
import json
import math
from dataclasses import asdict, astuple
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch

from playground.datasets import mnist
from playground.families import ddpm, gan, normalizing_flow, vae
from playground.families.score_matching import likelihood as score_likelihood
from playground.runtime import checkpoint, pictures
from playground.runtime.paths import Paths
from playground.runtime.rng import Noise, make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import UserError
from playground.tabs.compare import digits, drawing, interpolations, likelihoods, paradox, passages, paths_between
from playground.tabs.compare.digits import Models
from playground.tabs.compare.passages import PASSAGES
from playground.tabs.compare.paths_between import FRAMES, PATHS
from playground.web import image_picker, live_run
from playground.web.image_picker import NO_SOURCES
from playground.web.scrubber import Film

CONFIGS = {
    "vae-digits": vae.Config(latent=3, width=8, multipliers=(1,)),
    "gan-digits-r3gan": gan.Config(latent=4, widths=(8, 8, 8)),
    "ddpm-digits": ddpm.Config(width=8, multipliers=(1,), blocks=1, emb_dim=8, prediction="v"),
    "flow-digits": normalizing_flow.Config(steps=(1, 1), widths=(8, 8), bins=3, noise_steps=1, noise_width=8),
}
X = mnist.load(Path("none"), "test", subset=slice(2))[0]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A folder with a small model of each family, and no data."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for (name, config), family in zip(CONFIGS.items(), (vae, gan, ddpm, normalizing_flow), strict=True):
        checkpoint.save(folder / f"{name}.safetensors", family.Model(config), {})
    return Paths(folder, folder / "data")


@pytest.fixture
def models(paths: Paths) -> Models:
    return Models(paths)


# --- one drawing ----------------------------------------------------------------------------------


Items = list[tuple[str, passages.Progress]]


@pytest.fixture(scope="module")
def drawn(paths: Paths) -> Items:
    """The progress of a digit on its passage through all families."""
    return list(passages.run(PASSAGES, Models(paths), X[:1], 0))


def film_of(items: Items) -> Film:
    recorder = drawing.Recorder(X[:1])
    for item in items:
        recorder.add(item)
    return recorder.film()


def test_a_run_has_as_many_moments_as_its_progress_counts(drawn: Items) -> None:
    titles = [title for title, _ in drawn]
    assert [titles.count(passage.title) for passage in PASSAGES] == [passage.steps for passage in PASSAGES]


def test_every_family_has_a_row_and_what_is_missing_a_sentence(drawn: Items) -> None:
    film = film_of(drawn)
    assert [strip.name for strip in film.strips] == [passage.title for passage in PASSAGES[:-1]]
    assert film.notice == "The training digits are not here: the view Nearest of the tab VAE fetches them once."
    assert all(strip.frames.shape == (drawing.FRAMES, 3, 32, 32, 1) for strip in film.strips)
    for strip in film.strips:
        assert (strip.frames[:, 0] == pictures.to_uint8(X[:1])[0]).all(), "the picture stays"
    back = film.strips[1].frames[-1, 1]
    assert np.abs(back.astype(int) - film.strips[1].frames[-1, 0]).max() <= 1, "the flow brings the picture back"


def test_a_missing_model_is_told_and_the_others_run(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "vae-digits.safetensors").symlink_to(paths.weights / "vae-digits.safetensors")
    film = film_of(list(passages.run(PASSAGES, Models(Paths(tmp_path, tmp_path)), X[:1], 0)))
    assert [strip.name for strip in film.strips] == ["VAE: reconstruction"]
    assert film.notice.count("python -m train") == 4


def test_a_model_of_other_data_takes_no_part(tmp_path: Path) -> None:
    header = {"flags": {"dataset": "fashion_mnist"}}
    checkpoint.save(tmp_path / "clothes.safetensors", ddpm.Model(CONFIGS["ddpm-digits"]), header)
    models = Models(Paths(tmp_path, tmp_path))
    with pytest.raises(UserError, match="clothes learned Fashion-MNIST: `python -m train ddpm-digits` learns digits"):
        passages.score_of(models.ddpm, 1)


def test_without_models_all_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_run, "PAUSE", -1)  # every step would be shown
    with gr.Blocks():
        view = drawing.DrawingView(Paths(tmp_path, tmp_path))
    *_, (stage, *_) = itertools.islice(view.sample(*NO_SOURCES, image_picker.TEST_IMAGE, 0, 0), 3)
    assert stage["message"].count("python -m train") == 5
    assert "training digits are not here" in stage["message"]


def test_the_reconstruction_begins_with_no_number_and_ends_with_all(models: Models) -> None:
    images = torch.cat([entry.images for entry in passages.reconstruct(models, X[:1], 0)])
    model = models.vae
    with torch.no_grad():
        mu, _ = model.encode(mnist.crop(X[:1]))
        assert len(images) == 1 + mu.shape[1]
        torch.testing.assert_close(images[0], model.mean(model.decode(0 * mu)).clamp(-1, 1)[0])
        torch.testing.assert_close(images[-1], model.mean(model.decode(mu)).clamp(-1, 1)[0])


def test_the_error_is_the_root_mean_square() -> None:
    assert passages.error(-X[:1], X[:1]) == pytest.approx(2 * X[:1].square().mean().sqrt().item())
    assert passages.error(mnist.crop(X[:1]), X[:1]) == 0, "without the border too"


def test_a_blank_drawing_is_one_sentence(paths: Paths) -> None:
    with gr.Blocks():
        view = drawing.DrawingView(paths)
    run = view.sample(*NO_SOURCES, image_picker.DRAWING, 0, 0)
    assert "The drawing pad is blank" in next(run)[0]["message"]  # type: ignore[index]


def test_a_link_holds_no_drawing() -> None:
    assert drawing.ViewParams().linkable == drawing.ViewParams()
    assert drawing.ViewParams(image_picker.DRAWING).linkable is None
    with pytest.raises(UserError, match="number of the test image"):
        drawing.ViewParams(number=10_000)


def test_a_file_has_the_rows_of_the_page(drawn: Items) -> None:
    film = film_of(drawn)
    run = digits.to_export("stem", {}, film)
    height = len(film.strips) * (32 + digits.GAP) - digits.GAP
    assert run.strips[0].shape == (drawing.FRAMES, 1, height, 3 * (32 + digits.GAP) - digits.GAP, 1)
    below = run.strips[0][-1, 0, 32 + digits.GAP : 64 + digits.GAP, :32]
    assert (below == film.strips[1].frames[-1, 0]).all()


def test_a_file_tells_of_the_checkpoints_that_took_part(paths: Paths, tmp_path: Path) -> None:
    """Of no other: without the diffusion model the run is made all the same."""
    for name in ("vae-digits", "gan-digits-r3gan"):
        (tmp_path / f"{name}.safetensors").symlink_to(paths.weights / f"{name}.safetensors")
    runs = [
        (drawing.DrawingView, ["vae-digits", "gan-digits-r3gan"]),
        (interpolations.InterpolationsView, ["vae-digits", "gan-digits-r3gan"]),
    ]
    for view_type, names in runs:
        with gr.Blocks():
            view = view_type(Paths(tmp_path, tmp_path))
        sources = NO_SOURCES if view_type is drawing.DrawingView else ()
        *_, (_, run, _) = view.sample(*sources, *astuple(view.params_type()))
        assert list(json.loads(run.about["checkpoints"])) == names
        assert "checkpoint" not in run.about


def test_likelihoods_tell_of_the_models_that_have_one(paths: Paths) -> None:
    models, kinds = Models(paths), paradox.make_kinds(paths, 2, 0)
    first, *_ = paradox.measure(models, kinds, 10, 0)
    settings = likelihoods.ViewParams()
    assert json.loads(models.build_origin(settings)["checkpoints"]).keys() == {
        "vae-digits",
        "flow-digits",
        "ddpm-digits",
    }
    assert json.loads(models.build_origin(settings)["settings"]) == asdict(settings)
    assert first.family == paradox.COMPRESSOR, "which needs none"


# --- interpolations -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def between(paths: Paths) -> Items:
    """The progress of the paths between two digits."""
    return list(paths_between.run(Models(paths), X, 0))


def test_each_path_ends_at_the_ends(models: Models, between: Items) -> None:
    progress = dict(between)
    assert all(entry.images.shape == (FRAMES, 1, 32, 32) for entry in progress.values())
    ends = {title: entry.images[[0, -1]] for title, entry in progress.items()}
    torch.testing.assert_close(ends["Pixels"], X)
    assert (ends["Flow"] - X).abs().max() < 0.01, "but for the noise of the dequantization"
    with torch.no_grad():
        mu, _ = models.vae.encode(mnist.crop(X))
        decoded = models.vae.mean(models.vae.decode(mu))
        nearest = last_frame(gan.project(models.gan, X, passages.DESCENT_STEPS)).x
    torch.testing.assert_close(mnist.crop(ends["VAE"]), decoded.clamp(-1, 1), atol=1e-5, rtol=0)
    torch.testing.assert_close(ends["GAN"], nearest, atol=1e-5, rtol=0)


def test_the_progress_of_the_paths_counts_their_moments(between: Items) -> None:
    titles = [title for title, _ in between]
    assert [titles.count(path.title) for path in PATHS] == [path.steps for path in PATHS]


def test_the_film_of_the_paths_goes_in_step(paths: Paths, between: Items) -> None:
    film = interpolations.film(paths, dict(between))
    assert [strip.name for strip in film.strips] == [path.title for path in PATHS]
    change = next(series.values for series in film.curves[0].series if series.name == "Pixels")
    expected = (X[1] - X[0]).square().mean().sqrt().item() / (FRAMES - 1)
    assert change == pytest.approx([0.0, *[expected] * (FRAMES - 1)], rel=1e-3)


# --- likelihoods ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured(paths: Paths) -> tuple[paradox.Kinds, paradox.Bits]:
    kinds = paradox.make_kinds(paths, 2, 0)
    return kinds, {item.family: item.bits for item in paradox.measure(Models(paths), kinds, 10, 0)}


def test_the_likelihoods_are_those_of_the_families(models: Models, measured) -> None:
    kinds, bits = measured
    x = torch.cat([*kinds.values()])
    values = {family: torch.cat([*row.values()]) for family, row in bits.items()}
    torch.testing.assert_close(values["Flow"], normalizing_flow.bits_per_dimension(models.flow, x).detach())
    terms = next(vae.sample_terms(models.vae, x, 20, make_rng(0)))
    assert values["VAE"] == pytest.approx(-terms.elbo / 784 / math.log(2), rel=0.02)
    padded, noise = mnist.pad(x), Noise(0, len(x))
    noisy = padded + score_likelihood.LOW * noise((1, 32, 32))
    score = digits.score_of(models.ddpm, len(x))
    log_p = last_frame(score_likelihood.flow_to_noise(score, noisy, 10, noise)).extras["log_p"]
    torch.testing.assert_close(values["Score"], -log_p / 1024 / math.log(2) + math.log2(127.5), atol=1e-3, rtol=1e-4)


def test_the_kinds_are_what_they_are_called(measured) -> None:
    kinds, bits = measured
    x = mnist.crop(X)
    assert torch.equal(kinds["inverted"], -x)
    assert (kinds["a blank page"] == -1).all()
    torch.testing.assert_close(kinds["shifted"][..., 4:], x[..., :-4])
    centre = x[..., 13:16, 13:16].mean((-1, -2))
    torch.testing.assert_close(kinds["blurred"][..., 14, 14], centre)
    assert kinds["noise"].unique().numel() > 200
    zlib = {kind: values.mean() for kind, values in bits["zlib"].items()}
    assert zlib["a blank page"] < zlib["test digits"] < zlib["noise"]
    assert zlib["noise"] == pytest.approx(8, rel=0.05), "nothing of it can be compressed"


def test_the_sentences_tell_the_numbers(measured) -> None:
    kinds, bits = measured
    text = " ".join(paradox.explain(kinds, bits))
    for family in ("VAE", "Flow", "Score"):
        assert f"{bits[family]['test digits'].mean():.2f}" in text
    assert paradox.explain(kinds, {"zlib": bits["zlib"]}) == [], "nothing was measured yet"
    html = likelihoods.table(kinds, bits)
    assert html.count("<tr>") == 5
    assert likelihoods.UNFETCHED in html.replace("&#x27;", "'")


def test_parameters_that_are_not_allowed_are_refused() -> None:
    with pytest.raises(UserError, match="number of digits"):
        likelihoods.ViewParams(n=1)
    with pytest.raises(UserError, match="number of the other end"):
        interpolations.ViewParams(to_number=10_000)
