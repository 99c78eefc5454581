"""The fidelity of text to image to its prompts: the model draws captions of scenes, and the pictures are recognized.

`train.evaluation.recognition` finds the scene that a picture shows; the Frechet distance from real scenes is taken in
the features of `clip-emoji`.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from playground.datasets import emoji, scenes
from playground.datasets.emoji import Glyphs
from playground.datasets.scenes import Scenes
from playground.families import clip, latent_diffusion
from playground.families.latent_diffusion import Settings
from playground.runtime import checkpoint, inference, results
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from train import device, processes
from train.evaluation.metrics import frechet
from train.evaluation.prompt_sets import CAPTIONS, PROMPT_SETS, PromptSet, every_emoji, select
from train.evaluation.recognition import Recognizer
from train.evaluation.render_fidelity import crop_error, fit_renders, nearest_glyph
from train.evaluation.results import Figures, Measurement

TABLE = "prompts"
JUDGE = "clip-emoji.safetensors"  # beside the checkpoint, whether or not that stands on it
SEEDS, BATCH = 2, 50
REAL = 5_000  # scenes that the pictures are compared with
N_ATTENTION = 100  # captions whose attention is measured
WEIGHTS = (0.0, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0)
NEAR = 0.01  # fraction of new scenes that would count as near-copies of training scenes


def measurements(path: Path, data: Path, n: int = CAPTIONS) -> Iterator[Measurement]:
    """Yield the rows of a checkpoint: n captions of each kind, at most `CAPTIONS`, at the best guidance weight, the
    first at all, and more."""
    n = min(n, CAPTIONS)
    best, evaluator = Settings(n=n, prompt=""), cache(lambda: PromptEvaluator(path, data))
    digests = {"sha256": checkpoint.sha256(path), "judge": checkpoint.sha256(path.with_name(JUDGE))}

    def measurement(
        row: str, settings: Settings, measure: Callable[["PromptEvaluator"], Figures], n: int
    ) -> Measurement:
        settings_text = ", ".join(f"{k}={v}" for k, v in asdict(settings).items() if k not in ("n", "prompt", "seed"))
        identity = {"table": TABLE, "checkpoint": path.stem, **digests, "row": row, "settings": settings_text,
                    "n": n, "seed": settings.seed}  # fmt: skip
        return Measurement(identity, lambda: measure(evaluator()))

    yield measurement("floor", best, partial(PromptEvaluator.floor, n=n), n)
    for kind in PROMPT_SETS:
        for seed in range(SEEDS):
            settings = replace(best, seed=seed)
            yield measurement(
                kind, settings, partial(PromptEvaluator.measure_agreement, kind=kind, settings=settings), n
            )
    for w in WEIGHTS if "scenes" in checkpoint.read_header(path).flags else ():  # the scenes that it was trained on
        settings = replace(best, w=w)
        yield measurement(f"w = {w:g}", settings, partial(PromptEvaluator.distances, settings=settings), n)
    yield measurement(results.EVERY_EMOJI, best, partial(PromptEvaluator.render_errors, settings=best), n)
    n_attention = min(n, N_ATTENTION)
    yield measurement(
        "attention", best, partial(PromptEvaluator.attention, settings=replace(best, n=n_attention)), n_attention
    )
    for n in (1, 4):
        settings = replace(best, n=n, prompt=Settings().prompt)
        yield measurement(f"{n} at once", settings, partial(PromptEvaluator.speed, settings=settings), n)


class PromptEvaluator:
    """Evaluator of a checkpoint, with the real scenes and the CLIP model that its pictures are compared with."""

    def __init__(self, path: Path, data: Path):
        self.model: latent_diffusion.Model = device.load(path, family="latent_diffusion")
        self.flags, self.data = checkpoint.read_header(path).flags, data
        self.glyphs = emoji.load_training_glyphs(data, self.flags.get("core", True))
        self.judge = cast(clip.Model, device.load(path.with_name(JUDGE), family="clip"))

    def measure_agreement(self, kind: str, settings: Settings) -> dict[str, float]:
        """Measure how often the pictures agree with their prompts."""
        prompt_set = self.prompt_set(kind, settings.n)
        x = self.draw(prompt_set.prompts, settings)
        return agreement(prompt_set.scenes, self.recognize(x, prompt_set.scenes.glyph.shape[1]))

    def distances(self, settings: Settings) -> dict[str, float]:
        """Measure the agreement, the distance from real scenes, and the fraction of near-copies of training scenes."""
        prompt_set = self.prompt_set("seen pairs", settings.n)
        x = self.draw(prompt_set.prompts, settings)
        distance = nearest_distance(shrink(x), self.training_pictures)
        return {
            **agreement(prompt_set.scenes, self.recognize(x, 1)),
            "frechet": frechet(self.expected, self.features(x)),
            "near_copies": (distance < self.limit).float().mean().item(),
        }

    def floor(self, n: int) -> dict[str, float]:
        """Measure n real scenes, for the figures of a perfect model."""
        x = self.real(n, 1)
        recognized = self.recognize(x, 1)
        return {
            **agreement(self.fresh(n, 1), recognized),
            "frechet": frechet(self.expected, self.features(x)),
        }

    def attention(self, settings: Settings) -> dict[str, float]:
        """Measure how much of a name's attention lies on its own emoji, in multiples of the emoji's area.

        Attention is the mean over steps, layers and heads; pictures count where both of two emoji are right.
        """
        prompt_set, ratios = self.prompt_set("two emoji", settings.n), list[float]()
        tokens = self.model.components().encoder.tokenize
        for start in range(0, settings.n, BATCH):
            part = slice(start, min(start + BATCH, settings.n))
            prompts, expected_scenes = prompt_set.prompts[part], select(prompt_set.scenes, part)
            maps, x = record_attention(self.model, replace(settings, n=len(prompts)), start, prompts)
            recognized = self.recognize(x, 2)
            for i in (recognized.glyph == expected_scenes.glyph).all(1).nonzero()[:, 0].tolist():
                names = [self.glyphs.names[glyph] for glyph in expected_scenes.glyph[i].tolist()]
                words = token_slices(tokens(names), tokens([prompts[i]])[0])
                for k, mask in enumerate(masks(select(recognized, slice(i, i + 1)), self.glyphs, maps.shape[-1])):
                    attention_map = maps[i, words[k]].mean(0)
                    ratios.append(float((attention_map * mask).sum() / attention_map.sum() / mask.mean()))
        return {"attention": statistics.fmean(ratios), "names": float(len(ratios))} if ratios else {"names": 0.0}

    def render_errors(self, settings: Settings) -> Figures:
        """Measure the difference of a picture of every emoji from its render, in units of the autoencoder's, and the
        share whose nearest render, of all emoji of the font, is the right one."""
        x, fitted, ratio = self.draw_every_emoji(settings)
        median, p90 = ratio.quantile(torch.tensor([0.5, 0.9])).tolist()
        font = emoji.load(self.data, download=True)
        names = [font.names[i] for i in nearest_glyph(x, fitted, font).tolist()]
        nearest = statistics.fmean(a == b for a, b in zip(names, self.glyphs.names, strict=True))
        by_emoji = {name: round(error, 2) for name, error in zip(self.glyphs.names, ratio.tolist(), strict=True)}
        return {"error_median": median, "error_p90": p90, "nearest_of_font": nearest, "error_by_emoji": by_emoji}

    def draw_every_emoji(self, settings: Settings) -> tuple[Tensor, Scenes, Tensor]:
        """Return a picture of every emoji (n, 3, 64, 64), the scenes whose renders fit them best, and the difference
        from those (n,), in units of the autoencoder's."""
        prompt_set = every_emoji(self.glyphs)
        x = self.draw(prompt_set.prompts, replace(settings, n=len(prompt_set.prompts)))
        fitted = fit_renders(x, prompt_set.scenes, self.recognize, self.glyphs)
        renders = scenes.render(fitted, self.glyphs)
        return x, fitted, crop_error(x, renders, fitted) / crop_error(self.reconstruct(renders), renders, fitted)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """Return what the autoencoder makes of pictures."""
        autoencoder = self.model.components().autoencoder
        return torch.cat([self.model.decode(autoencoder.encode(part.to(device.DEVICE))).cpu() for part in x.split(50)])

    def speed(self, settings: Settings) -> dict[str, float]:
        """Measure the seconds from the prompt to the pictures, as the median of five runs."""
        return {"seconds": inference.median_seconds(lambda: sample_pictures(self.model, settings), runs=5)}

    def prompt_set(self, kind: str, n: int) -> PromptSet:
        """Return the first captions of a kind."""
        full_set = PROMPT_SETS[kind](self.glyphs)
        return PromptSet(select(full_set.scenes, slice(n)), full_set.prompts[:n])

    def draw(self, prompts: list[str], settings: Settings) -> Tensor:
        """Sample a picture of each prompt (n, 3, 64, 64)."""

        def draw_batch(start: int) -> Tensor:
            part = prompts[start : start + BATCH]
            return sample_pictures(self.model, replace(settings, n=len(part)), start, part).cpu()

        starts = range(0, len(prompts), BATCH)
        return torch.cat(processes.share(draw_batch, starts, f"batches, seed {settings.seed}"))

    def fresh(self, n: int, seed: int) -> Scenes:
        """Sample scenes of one emoji from the training distribution, with new random numbers."""
        return scenes.sample(n, make_rng(4, seed), scenes.training_combinations(self.glyphs.names).backgrounds)

    def real(self, n: int, seed: int) -> Tensor:
        """Render such scenes."""
        return scenes.render(self.fresh(n, seed), self.glyphs)

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """Return the CLIP embeddings of pictures, (n, E)."""
        return torch.cat([self.judge.encode_image(part.to(device.DEVICE)).cpu() for part in x.split(500)])

    @cached_property
    def expected(self) -> Tensor:
        """Return the CLIP embeddings of real scenes, (REAL, E)."""
        return self.features(self.real(REAL, 0))

    @cached_property
    def limit(self) -> float:
        """Return the largest distance from a training scene at which a picture counts as a near-copy."""
        return nearest_distance(shrink(self.real(CAPTIONS, 2)), self.training_pictures).quantile(NEAR).item()

    @cached_property
    def recognize(self) -> Recognizer:
        """Return the recognizer of the emoji."""
        return Recognizer(self.glyphs)

    @cached_property
    def training_pictures(self) -> Tensor:
        """Return the pictures that the model was trained on, shrunk and in half precision (N, D)."""
        allowed = scenes.training_combinations(self.glyphs.names)
        pool = scenes.sample_mixed(self.flags["scenes"], make_rng(self.flags["seed"]), allowed, self.flags["of_two"])
        parts = tqdm(range(0, self.flags["scenes"], 500), desc="training scenes", leave=False)
        return torch.cat([shrink(scenes.render(select(pool, slice(i, i + 500)), self.glyphs)).half() for i in parts])


def agreement(expected_scenes: Scenes, recognized: Scenes) -> dict[str, float]:
    """Return the fractions of right names and backgrounds; of two emoji with right names also that of relations."""
    names = (recognized.glyph.sort(1).values == expected_scenes.glyph.sort(1).values).all(1)
    figures = {
        "name": names.float().mean().item(),
        "ground": (recognized.background == expected_scenes.background).float().mean().item(),
    }
    if expected_scenes.glyph.shape[1] == 1 or not names.any():
        return figures
    upright = [
        (part.y[:, 1] - part.y[:, 0]).abs() > (part.x[:, 1] - part.x[:, 0]).abs()
        for part in (expected_scenes, recognized)
    ]
    right = (recognized.glyph == expected_scenes.glyph).all(1) & (upright[0] == upright[1])
    return {**figures, "relation": right[names].float().mean().item()}


def sample_pictures(
    model: latent_diffusion.Model, settings: Settings, first: int = 0, prompts: Sequence[str] = ()
) -> Tensor:
    """Sample pictures (n, C, H, W); arguments as of `latent_diffusion.sample`."""
    return latent_diffusion.decode_frame(model, last_frame(latent_diffusion.sample(model, settings, first, prompts)))


@torch.no_grad()
def record_attention(
    model: latent_diffusion.Model, settings: Settings, first: int, prompts: list[str]
) -> tuple[Tensor, Tensor]:
    """Return the attention to each token (n, L, h, w), the mean over steps, layers and heads, and the pictures."""
    maps, size = list[Tensor](), model.config.size
    for frame in latent_diffusion.sample(model, settings, first, prompts):
        for layer in frame.attention if frame.t else ():  # the final frame repeats the attention of the last step
            mean = layer.float().mean(1).transpose(1, 2)  # (n, L, places)
            side = round(mean.shape[2] ** 0.5)
            maps.append(F.interpolate(mean.unflatten(2, (side, side)), [size, size], mode="nearest"))
    return torch.stack(maps).mean(0).cpu(), latent_diffusion.decode_frame(model, frame).cpu()


def masks(scene_batch: Scenes, glyphs: Glyphs, size: int) -> Iterator[Tensor]:
    """Yield the opacity (size, size) of each emoji of a scene."""
    for k in range(scene_batch.glyph.shape[1]):
        opacity = scenes.place_glyphs(
            glyphs.colours[scene_batch.glyph[:, k]], scene_batch.side[:, k], scene_batch.x[:, k], scene_batch.y[:, k]
        )
        yield F.adaptive_avg_pool2d(opacity[0, 3:], size)[0]


def token_slices(names: Tensor, prompt: Tensor) -> list[slice]:
    """Find the tokens of names (K, L), between start and end, in a prompt (L,).

    The longest name is matched first and removed, so that "fire" is not found within "fire engine".
    """
    remaining, recognized = prompt.clone(), dict[int, slice]()
    for k in names.argmax(1).argsort(descending=True).tolist():
        inner = names[k, 1 : int(names[k].argmax())]
        at = int(remaining.unfold(0, len(inner), 1).eq(inner).all(1).nonzero()[0, 0])
        recognized[k] = slice(at, at + len(inner))
        remaining[recognized[k]] = -1
    return [recognized[k] for k in range(len(names))]


def shrink(x: Tensor) -> Tensor:
    """Shrink pictures (n, 3, 64, 64) to (n, 768), one value for sixteen pixels."""
    return F.avg_pool2d(x, 4).flatten(1)


def nearest_distance(x: Tensor, training_pictures: Tensor, chunk: int = 20_000) -> Tensor:
    """Return the root-mean-square difference of each of x (n, D) from the nearest training picture (N, D): (n,)."""
    distances = [torch.cdist(x, part.float()).min(1).values for part in training_pictures.split(chunk)]
    return torch.stack(distances).min(0).values / x.shape[1] ** 0.5
