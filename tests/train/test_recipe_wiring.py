"""The fields of each family's recipe reach the losses, the data and the weights that they are for."""

import math
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import test_autoencoder
import test_clip
import test_normalizing_flow
import test_score_matching
import test_vae
import torch
from torch import Tensor

from playground.datasets import captions, emoji, fashion_mnist, mnist, registry, scenes
from playground.datasets.emoji import Glyphs
from playground.families import autoencoder, clip, gan, score_matching, vae
from playground.families.gan.losses import Objective
from playground.runtime import checkpoint
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError
from train import autoencoder as autoencoder_recipe
from train import clip as clip_recipe
from train import gan as gan_recipe
from train import latent_diffusion as latent_diffusion_recipe
from train import normalizing_flow as flow_recipe
from train import score_matching as score_recipe
from train import vae as vae_recipe
from train.run import Run

GLYPHS = Glyphs(emoji.CORE[:6], torch.randint(256, (6, 4, 64, 64), generator=make_rng(0), dtype=torch.uint8), "")


@pytest.fixture
def few(tmp_path: Path) -> dict[str, Any]:
    """Return the options of a short run."""
    return {"name": "tiny", "steps": 3, "batch_size": 8, "warmup": 0, "precision": "no", "out": tmp_path / "weights",
            "runs": tmp_path / "runs"}  # fmt: skip


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str], list[tuple]]:
    """Return a function that records the arguments of a module's function, as it is called."""

    def record(module: Any, name: str) -> list[tuple]:
        function, calls = getattr(module, name), list[tuple]()
        monkeypatch.setattr(module, name, lambda *args: calls.append(args) or function(*args))
        return calls

    return record


def test_a_vae_learns_binary_images_and_its_loss_knows_the_step(few, arguments) -> None:
    calls, grey = arguments(vae, "loss"), torch.rand(16, 1, 8, 8, generator=make_rng(0)) * 2 - 1
    objective = vae.Objective(beta=3.0)
    for binarize in (False, True):
        named = few | {"name": f"{binarize}", "config": test_vae.TINY}
        vae_recipe.train(vae_recipe.Recipe(**named, binarize=binarize, objective=objective), grey)
    assert [(call[1].abs() == 1).all().item() for call in calls] == [False] * 3 + [True] * 3
    assert [call[3:] for call in calls] == [(objective, step) for step in (0, 1, 2)] * 2


@pytest.mark.parametrize("name", ["vae", "ddpm", "judge", "normalizing_flow", "gan"])
def test_a_recipe_reads_the_data_of_its_name_in_its_folder(few, monkeypatch, tmp_path, name: str) -> None:
    roots, options, recipe = list[Path](), {"data": tmp_path / "mine"}, import_module(f"train.{name}")

    def load(root: Path, *_: object, **__: object) -> None:
        roots.append(root)
        raise UserError("enough seen")

    if hasattr(recipe.Recipe, "dataset"):
        options["dataset"] = "fashion_mnist"
        monkeypatch.setitem(registry.DATASETS, "fashion_mnist", replace(fashion_mnist.DATASET, load=load))
    else:
        monkeypatch.setattr(mnist, "load", load)
    with pytest.raises(UserError, match="enough seen"):
        recipe.train(recipe.Recipe(**few, **options))
    assert roots == [tmp_path / "mine"]


@pytest.mark.parametrize("core", [False, True])
@pytest.mark.parametrize("name", ["autoencoder", "clip", "latent_diffusion"])
def test_a_recipe_of_scenes_draws_the_emoji_that_are_asked_for(few, monkeypatch, tmp_path, name, core) -> None:
    asked, recipe = list[tuple[Path, bool]](), import_module(f"train.{name}")

    def load_training_glyphs(root: Path, core: bool) -> None:
        asked.append((root, core))
        raise UserError("enough seen")

    monkeypatch.setattr(emoji, "load_training_glyphs", load_training_glyphs)
    with pytest.raises(UserError, match="enough seen"):
        recipe.train(recipe.Recipe(**few, core=core, data=tmp_path / "mine"))
    assert asked == [(tmp_path / "mine", core)]


@pytest.mark.parametrize("weight", [1e-4, 0.3])
def test_the_weight_of_the_divergence_reaches_the_autoencoders_loss(few, arguments, monkeypatch, weight) -> None:
    monkeypatch.setattr(autoencoder_recipe, "N_LATENT_SCENES", 100)
    calls, config = arguments(autoencoder, "loss"), replace(test_autoencoder.TINY, size=64)
    autoencoder_recipe.train(autoencoder_recipe.Recipe(**few, config=config, kl_weight=weight), GLYPHS)
    assert [call[3] for call in calls] == [weight] * 3


@pytest.mark.parametrize("of_two", [0.0, 0.5, 1.0])
def test_clip_sees_as_many_scenes_of_two_as_asked(few, arguments, monkeypatch, of_two) -> None:
    monkeypatch.setattr(scenes, "holdout_orders", lambda names: torch.zeros(len(names), len(names), dtype=torch.bool))
    calls, config = arguments(clip, "loss"), replace(test_clip.TINY, size=64)
    clip_recipe.train(clip_recipe.Recipe(**few, config=config, of_two=of_two), GLYPHS)
    assert [len(negatives) for *_, (negatives, _), _, _ in calls] == [8 * of_two] * 3
    assert [call[4:] for call in calls] == [(0, 1)] * 3, "the number of the process, and of how many"


def test_clip_sees_its_pictures_captions_and_no_held_out_order_exchanged(few, arguments, monkeypatch) -> None:
    held_out = torch.zeros(6, 6, dtype=torch.bool)
    held_out[0] = True  # the first emoji is never named first
    monkeypatch.setattr(scenes, "holdout_orders", lambda names: held_out)
    losses, named = arguments(clip, "loss"), arguments(captions, "captions_from_choices")
    clip_recipe.train(clip_recipe.Recipe(**few, config=replace(test_clip.TINY, size=64), of_two=1.0), GLYPHS)
    for (_, x, *_), (scene_batch, *_), (exchanged, *_) in zip(losses, named[::2], named[1::2], strict=True):
        torch.testing.assert_close(x, scenes.render(scene_batch, GLYPHS))
        second = scene_batch.glyph[:, 1]
        assert exchanged.glyph[:, 0].tolist() == second[second != 0].tolist()
    assert any((scene_batch.glyph[:, 1] == 0).any() for scene_batch, *_ in named[::2])


def test_clips_logit_scale_stays_below_its_limit(few, monkeypatch) -> None:
    """Radford 2021, section 2.4: logits are scaled by at most 100."""
    monkeypatch.setattr(clip, "loss", lambda model, *_: -model.clip.logit_scale)  # it grows as fast as it can
    config = replace(test_clip.TINY, size=64)
    options = clip_recipe.Recipe(**few | {"steps": 12}, lr=1.0, ema=0.0, decay=0.0, cycles=1, config=config)
    path = clip_recipe.train(options, GLYPHS)
    assert path is not None
    assert checkpoint.load(path).clip.logit_scale.item() == pytest.approx(math.log(100), abs=1e-2)


def test_text_to_image_learns_from_as_many_scenes_of_two_as_asked(few, monkeypatch, tmp_path) -> None:
    pools = list[scenes.Scenes]()

    def encode(recipe: object, parts: object, glyphs: object, pool: scenes.Scenes) -> None:
        pools.append(pool)
        raise UserError("enough seen")

    monkeypatch.setattr(latent_diffusion_recipe, "encode_scenes", encode)
    for of_two in (0.0, 0.25):
        options = latent_diffusion_recipe.Recipe(**few, scenes=40, of_two=of_two)
        with pytest.raises(UserError, match="enough seen"):
            latent_diffusion_recipe.train(options, GLYPHS)
    assert [(pool.glyph[:, 1] != scenes.NONE).sum().item() for pool in pools] == [0, 10]


def test_a_score_is_learned_at_the_noise_levels_of_its_config(few, arguments) -> None:
    calls, config = arguments(score_matching, "loss"), replace(test_score_matching.TINY, sigma_min=0.3, sigma_max=0.9)
    score_recipe.train(score_recipe.Recipe(**few | {"batch_size": 512}, config=config, objective="sliced"))
    sigmas = torch.cat([call[2] for call in calls])
    assert sigmas.min().item() == pytest.approx(0.3, rel=0.02)
    assert sigmas.max().item() == pytest.approx(0.9, rel=0.02)
    assert {call[4] for call in calls} == {"sliced"}


def test_a_flow_starts_from_the_narrower_one(few, tmp_path) -> None:
    images, tiny = test_normalizing_flow.IMAGES, test_normalizing_flow.TINY
    narrower = tmp_path / "narrower.safetensors"
    checkpoint.save(narrower, flow_recipe.build_model(tiny, -images), {})
    config, eps = replace(tiny, widths=(12, 16)), torch.randn(images.shape, generator=make_rng(1))
    path = flow_recipe.train(flow_recipe.Recipe(**few | {"lr": 1e-9}, config=config, narrower=narrower), images)
    assert path is not None
    with torch.no_grad():
        wider, expected = (checkpoint.load(each)(images, eps) for each in (path, narrower))
    torch.testing.assert_close(wider, expected, rtol=1e-3, atol=1e-3)


def test_stacked_digits_have_three_at_random(few, monkeypatch) -> None:
    seen = list[Tensor]()
    for name, loss in gan_recipe.PLAYER_LOSSES.items():
        record = lambda model, x, *args, loss=loss: seen.append(x) or loss(model, x, *args)  # noqa: E731
        monkeypatch.setitem(gan_recipe.PLAYER_LOSSES, name, record)
    digits = torch.arange(32.0).view(-1, 1, 1, 1).expand(-1, 1, 16, 16) / 16 - 1
    config = gan.Config(channels=3, latent=4, widths=(8, 8))
    gan_recipe.train(gan_recipe.Recipe(**few, config=config, stacked=True), (digits, torch.zeros(32).long()))
    numbers = torch.cat([x[:, :, 0, 0] for x in seen])
    assert numbers.shape == (3 * 2 * 8, 3)
    first, second, third = numbers.T
    assert all((one != other).any() for one, other in ((first, second), (first, third), (second, third)))
    assert torch.equal(seen[0][:, 0], seen[1][:, 0]), "both players see the same of the data"


def test_only_the_discriminators_weights_are_clipped(few) -> None:
    """Arjovsky 2017, algorithm 1, after each of its steps."""
    digits = torch.rand(16, 1, 16, 16, generator=make_rng(0)) * 2 - 1, torch.zeros(16).long()
    config, objective = gan.Config(channels=3, latent=4, widths=(8, 8)), Objective("wasserstein", clip=0.01)
    path = gan_recipe.train(gan_recipe.Recipe(**few, config=config, objective=objective, stacked=True), digits)
    assert path is not None
    model = checkpoint.load(path)
    largest = [max(p.abs().max().item() for p in part.parameters()) for part in (model.discriminator, model.generator)]
    assert largest[0] <= 0.0101 < 0.05 < largest[1]


def test_the_seed_chooses_the_first_weights(few) -> None:
    def first_weights(seed: int, folder: str) -> Tensor:
        options = vae_recipe.Recipe(**few | {"seed": seed, "runs": few["runs"] / folder}, config=test_vae.TINY)
        run = Run(options, lambda: vae.Model(options.config))
        return torch.nn.utils.parameters_to_vector(run.model.parameters()).detach()

    assert torch.equal(first_weights(1, "1"), first_weights(1, "1 again"))
    assert not torch.equal(first_weights(1, "1 once more"), first_weights(2, "2"))
