"""The recipes of the adversarial networks: every loss on the same digits, in the same order, from the same weights.

Three recipes also change the networks: spectral normalization, class conditioning, and progressive growing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch
from PIL import Image
from torch import Tensor

from playground.datasets import mnist
from playground.families import gan
from playground.families.gan import Config, GrowthStage, history
from playground.families.gan.losses import Objective, clip_weights, converge_spectral_norm
from playground.runtime import checkpoint, pictures
from playground.runtime.run import last_frame
from playground.runtime.validation import UserError
from train import device, processes
from train.checks import check_config
from train.evaluation import gan_history
from train.evaluation.results import MEASURED_FOLDER, Measurement
from train.evaluation.sample_quality import Judge, draw
from train.fit import fit, publish
from train.options import Options
from train.run import Run, Step

PlayerLoss = Callable[[gan.Model, Tensor, Tensor, Objective, torch.Generator, GrowthStage | None], Tensor]
PLAYER_LOSSES: dict[str, PlayerLoss] = {"discriminator": gan.discriminator_loss, "generator": gan.generator_loss}
PLAYERS = tuple(PLAYER_LOSSES)  # in the order of their turns
JUDGE = checkpoint.WEIGHTS / "judge-digits.safetensors"


@dataclass(frozen=True)
class Recipe(Options):
    """Twenty epochs of 60,000 digits, with one step of the discriminator for each step of the generator."""

    name: str = "gan-digits-nonsaturating"
    steps: int = 9_360
    lr: float = 2e-4
    warmup: int = 0
    betas: tuple[float, float] = (0.0, 0.99)
    weight_decay: float = 0.0
    clip_norm: float = 1e6
    save_every: int = 200
    config: Config = field(default_factory=Config)  # Settings of both networks.
    objective: Objective = field(default_factory=Objective)  # The losses and their regularizers.
    stacked: bool = False  # Put a digit into each of three channels, which makes 1,000 modes (Metz 2017, section 3.3).
    judge: Path = JUDGE  # The checkpoint that classifies the samples of the history.

    @property
    def data_name(self) -> str:
        return "stacked" if self.stacked else "digits"

    @property
    def data_description(self) -> str:
        return mnist.DESCRIPTION + (", three in a picture" if self.stacked else "")


PLAIN = Config()


def _digits(variant: str, objective: Objective, config: Config = PLAIN) -> Recipe:
    return Recipe(name=f"gan-digits-{variant}", objective=objective, config=config)


def _stacked(variant: str, objective: Objective, spectral: bool = False) -> Recipe:
    """Return the recipe of a short run, long enough to see which losses keep the modes."""
    name, config = f"gan-stacked-{variant}", Config(channels=3, spectral=spectral)
    return Recipe(name, steps=3_000, objective=objective, stacked=True, config=config, out=MEASURED_FOLDER)


R3 = Objective("relativistic", r1=1.0, r2=1.0)
PENALTY = Objective("wasserstein", gp=10.0)
RECIPES = [
    _digits("nonsaturating", Objective("nonsaturating")),
    _digits("minimax", Objective("minimax")),
    _digits("leastsquares", Objective("leastsquares")),
    _digits("hinge", Objective("hinge"), Config(spectral=True)),
    _digits("wasserstein-clip", Objective("wasserstein", clip=0.01)),
    _digits("wasserstein-gp", PENALTY),
    _digits("r3gan", R3),
    _digits("conditional", R3, Config(classes=10)),
    _digits("progressive", PENALTY, Config(progressive=True)),
    # Measured for the tables of weights/README.md, but not shipped.
    _stacked("nonsaturating", Objective("nonsaturating")),
    _stacked("hinge", Objective("hinge"), spectral=True),
    _stacked("wasserstein-gp", PENALTY),
    _stacked("r3gan", R3),
]


def evaluation_settings(config: Config) -> dict[str, gan.Settings]:
    """Return the rows of samples to evaluate, and the settings of each."""
    return {"samples": gan.Settings()}


def train(recipe: Recipe, data: tuple[Tensor, Tensor] | None = None) -> Path | None:
    """Start or resume training, and write its history beside the checkpoint; return the path of that once it is
    finished. Images are (N, C, H, W) in [-1, 1], with labels (N,); MNIST by default. Raise UserError for several
    processes, a checkpoint to start from, or accumulation: none works for these networks."""
    _check_options(recipe)
    digits = data or processes.main_process_first(lambda: mnist.load(recipe.data, "train", download=True))
    check_config(recipe.config, size=digits[0].shape[-1], channels=3 if recipe.stacked else digits[0].shape[1])
    if not recipe.stacked:
        checkpoint.load(recipe.judge, family="judge")  # fail before the training, not after it
    run = Run(recipe, lambda: gan.Model(recipe.config), players=PLAYERS, caller_data=data is not None)
    if recipe.objective.clip:
        run.after_update(lambda model: clip_weights(cast(gan.Model, model).discriminator, recipe.objective.clip))
    for step in fit(run, _picture):
        take_turns(run, step, *digits)
        if not recipe.stacked:
            gan_history.save_snapshot(run, step)
    if recipe.stacked:
        return publish(run)
    test, _ = data or mnist.load(recipe.data, "test", download=True)
    path = publish(run, lambda checkpoint_path: finalize(checkpoint_path, test))
    if path:
        judge = Judge(recipe.judge, mnist.DATASET, test)
        gan_run_history = gan_history.build_history(recipe, run.step, judge, *digits)
        history.save(path.with_suffix(".history.npz"), gan_run_history)
    return path


def _check_options(recipe: Recipe) -> None:
    """Check that a recipe asks for nothing that does not work for these networks, or raise UserError."""
    if processes.state().num_processes > 1:
        raise UserError("adversarial networks train in one process here: start one without a launcher")
    if recipe.start:
        raise UserError("adversarial networks are trained from the first step on, for their history: leave out --start")
    if recipe.accumulate > 1:
        raise UserError("adversarial networks take turns after every batch: leave out --accumulate")


def take_turns(run: Run, step: Step, images: Tensor, labels: Tensor) -> None:
    """Take a step of the discriminator and then one of the generator, on the same batch of the digits (N, C, H, W) and
    their classes (N,)."""
    recipe, model = cast(Recipe, run.options), cast(gan.Model, run.model)
    stage = gan.growth_stage(recipe.config, run.progress)
    digits, y = step.batch(images, labels)
    for player in PLAYERS:
        x = stack(digits, images, step.rng) if recipe.stacked else digits
        with run.accelerator.autocast():
            loss = PLAYER_LOSSES[player](model, x, y, recipe.objective, step.rng, stage)
        step.minimize(loss, player)


def stack(x: Tensor, images: Tensor, rng: torch.Generator) -> Tensor:
    """Stack digits (B, 1, H, W), each with two random ones of all (N, 1, H, W), as channels of pictures (B, 3, H, W),
    on the device of the digits."""
    second, third = torch.randint(len(images), (2, len(x)), generator=rng)
    return torch.cat([x, images[second].to(x), images[third].to(x)], dim=1)


def finalize(path: Path, images: Tensor) -> None:
    """Store in a checkpoint the sorted logits of its discriminator on images (N, C, H, W) and on samples."""
    model: gan.Model = device.load(path)
    converge_spectral_norm(model.discriminator)
    fakes = last_frame(gan.sample(model, gan.Settings(n=gan.N_LOGITS))).x
    model.real_logits.copy_(gan.discriminator_logits(model, images[: gan.N_LOGITS].to(device.DEVICE)).sort().values)
    model.fake_logits.copy_(gan.discriminator_logits(model, fakes).sort().values)
    checkpoint.save(path, model, checkpoint.read_header(path).provenance)


def _picture(model: gan.Model) -> Image.Image:
    x = last_frame(gan.sample(model, gan.Settings(n=40))).x
    return pictures.to_pil(pictures.make_grid(pictures.to_uint8(x), columns=10))


SAMPLES = 26_000  # the number in which the literature counts modes (Metz 2017; Lin 2018, "PacGAN")


def measurements(path: Path, data: Path, n: int, judges: Path) -> Iterator[Measurement]:
    """Yield the measurement of the modes of stacked digits, which a judge in a folder reads."""
    header, judge = checkpoint.read_header(path), judges / JUDGE.name
    if header.flags.get("stacked"):
        identity = {"table": "stacked", "checkpoint": path.stem, "sha256": checkpoint.sha256(path), "row": "modes",
                    "settings": f"{header.provenance.get('steps')} steps", "n": SAMPLES, "seed": 0,
                    "judge": checkpoint.sha256(judge)}  # fmt: skip
        yield Measurement(identity, lambda: measure_modes(path, _load_judge(judge, data)))


def _load_judge(path: Path, data: Path) -> Judge:
    return Judge(path, mnist.DATASET, mnist.load(data, "test", download=True)[0])


def measure_modes(path: Path, judge: Judge, n: int = SAMPLES) -> dict[str, float]:
    """Count the modes, of 1,000, among n samples of a checkpoint of stacked digits; see `count_modes`."""
    x = draw(path, gan.Settings(n=n), torch.zeros(0)).images
    digits = [judge.classify(channel)[1] for channel in x.split(1, dim=1)]
    numbers = torch.stack([10**k * digit for k, digit in enumerate(digits)]).sum(0)
    return count_modes(numbers.bincount(minlength=mnist.N_CLASSES**3))


def count_modes(counts: Tensor) -> dict[str, float]:
    """Return the number of modes covered, and the KL divergence of their distribution from the uniform one.

    Args:
        counts: Samples of each mode (K,).

    Returns:
        "modes", and "reverse_kl" in nats; by chance n samples of all K modes have one of about (K - 1) / 2n.
    """
    p = counts.double() / counts.sum()
    return {"modes": float((counts > 0).sum()), "reverse_kl": torch.special.xlogy(p, p * len(p)).sum().item()}
