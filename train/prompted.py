"""How well text to image draws what it is asked for: scenes are captioned, drawn by the model, and recognised.

What a picture shows is found by `train.recognition`; how far the pictures are from real scenes, in the features of
`clip-emoji`.
"""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from playground import checkpoint, compute
from playground.data import captions, emoji, scenes
from playground.data.emoji import Glyphs
from playground.data.scenes import Scenes
from playground.models import clip, text_to_image
from playground.models.text_to_image import Settings
from playground.sampling import generator, last
from train import device
from train.measures import frechet
from train.recognition import Recogniser
from train.results import Entry

TABLE = "prompts"
CAPTIONS, SEEDS, BATCH = 1_000, 2, 50
REAL = 5_000  # scenes that the pictures are compared with
WATCHED = 100  # captions whose attention is measured
WEIGHTS = (0.0, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0)
NEAR = 0.01  # share of fresh scenes that would be called near-copies of the training scenes


class Asked(NamedTuple):
    """Scenes that a model is asked to draw, and the captions it is asked with."""

    scenes: Scenes
    prompts: list[str]


def entries(path: Path, data: Path, n: int = CAPTIONS) -> Iterator[Entry]:
    """The rows of a checkpoint: captions of each kind at the best weight, the first kind at all weights, and more.

    Args:
        n: captions of each kind, at most `CAPTIONS`.
    """
    n = min(n, CAPTIONS)
    sha256, flags = checkpoint.sha256(path), checkpoint.header(path).provenance["flags"]
    best, bench = Settings(n=n, prompt=""), cache(lambda: Bench(path, data, flags))

    def entry(row: str, settings: Settings, measure: Callable[["Bench"], dict[str, float]], n: int) -> Entry:
        shown = ", ".join(f"{k}={v}" for k, v in asdict(settings).items() if k not in ("n", "prompt", "seed"))
        identity = {"table": TABLE, "checkpoint": path.stem, "sha256": sha256, "row": row, "settings": shown,
                    "n": n, "seed": settings.seed}  # fmt: skip
        return Entry(identity, lambda: measure(bench()))

    yield entry("floor", best, partial(Bench.floor, n=n), n)
    for kind in KINDS:
        for seed in range(SEEDS):
            settings = replace(best, seed=seed)
            yield entry(kind, settings, partial(Bench.read, kind=kind, settings=settings), n)
    for w in WEIGHTS:
        settings = replace(best, w=w)
        yield entry(f"w = {w:g}", settings, partial(Bench.distances, settings=settings), n)
    watched = min(n, WATCHED)
    yield entry("attention", best, partial(Bench.attention, settings=replace(best, n=watched)), watched)
    for n in (1, 4):
        settings = replace(best, n=n, prompt=Settings().prompt)
        yield entry(f"{n} at once", settings, partial(Bench.speed, settings=settings), n)


# What is asked for.


def _one(glyphs: Glyphs, pairs: Tensor, **choices: float) -> Asked:
    shown = scenes.sample(CAPTIONS, generator(3), pairs)
    return _captioned(shown, glyphs, **choices)


def _two(glyphs: Glyphs, orders: Tensor, **choices: float) -> Asked:
    pairs = scenes.for_training(glyphs.names).pairs
    return _captioned(scenes.sample_two(CAPTIONS, generator(3), scenes.Allowed(pairs, orders)), glyphs, **choices)


def _captioned(shown: Scenes, glyphs: Glyphs, **choices: float) -> Asked:
    return Asked(shown, captions.plain(shown, captions.words(glyphs.names), **choices))


def _with_aliases(glyphs: Glyphs) -> Tensor:
    """The pairs of training whose emoji have another name."""
    more = torch.tensor([len(called) > 1 for called in captions.words(glyphs.names)])
    return scenes.for_training(glyphs.names).pairs & more[:, None]


KINDS: dict[str, Callable[[Glyphs], Asked]] = {
    "seen pairs": lambda glyphs: _one(glyphs, scenes.for_training(glyphs.names).pairs),
    "the, not a": lambda glyphs: _one(glyphs, scenes.for_training(glyphs.names).pairs, article=0.5),
    "no article": lambda glyphs: _one(glyphs, scenes.for_training(glyphs.names).pairs, article=0.9),
    "held-out pairs": lambda glyphs: _one(glyphs, scenes.held_out(glyphs.names)),
    "by name": lambda glyphs: _one(glyphs, _with_aliases(glyphs)),
    "by alias": lambda glyphs: _one(glyphs, _with_aliases(glyphs), first=0.999),
    "two emoji": lambda glyphs: _two(glyphs, scenes.for_training(glyphs.names).orders),
    "two, right of or under": lambda glyphs: _two(glyphs, scenes.for_training(glyphs.names).orders, template=0.999),
    "held-out orders": lambda glyphs: _two(glyphs, scenes.held_out_orders(glyphs.names)),
}


# What is measured.


class Bench:
    """A checkpoint, and what its pictures are compared with."""

    def __init__(self, path: Path, data: Path, flags: dict[str, Any]):
        self.model: text_to_image.Model = device.load(path, expect="text_to_image")
        self.glyphs, self.flags = emoji.learned(data, flags["core"]), flags
        self.judge = cast(clip.Model, device.load(path.parent / "clip-emoji.safetensors", expect="clip"))

    def read(self, kind: str, settings: Settings) -> dict[str, float]:
        """How often the pictures show what they were asked for."""
        asked = self.asked(kind, settings.n)
        x = self.draw(asked.prompts, settings)
        return agreement(asked.scenes, self.recognise(x, asked.scenes.glyph.shape[1]))

    def distances(self, settings: Settings) -> dict[str, float]:
        """The same, and how far the pictures are from real scenes, and how many are near-copies of training scenes."""
        asked = self.asked("seen pairs", settings.n)
        x = self.draw(asked.prompts, settings)
        distance = nearest(small(x), self.known)
        return {
            **agreement(asked.scenes, self.recognise(x, 1)),
            "frechet": frechet(self.expected, self.features(x)),
            "near_copies": (distance < self.limit).float().mean().item(),
        }

    def floor(self, n: int) -> dict[str, float]:
        """What as many real scenes would have."""
        x = self.real(n, 1)
        found = self.recognise(x, 1)
        return {
            **agreement(self.fresh(n, 1), found),
            "frechet": frechet(self.expected, self.features(x)),
        }

    def attention(self, settings: Settings) -> dict[str, float]:
        """Of pictures of two emoji that are both as asked for: how much of a name's attention, in the mean over steps,
        layers and heads, lies on its own emoji, in multiples of the emoji's share of the picture."""
        asked, ratios = self.asked("two emoji", settings.n), list[float]()
        tokens = self.model.attached().encoder.tokenize
        for start in range(0, settings.n, BATCH):
            part = slice(start, min(start + BATCH, settings.n))
            prompts, wanted = asked.prompts[part], _part(asked.scenes, part)
            maps, x = attended(self.model, replace(settings, n=len(prompts)), start, asked.prompts)
            found = self.recognise(x, 2)
            for i in (found.glyph == wanted.glyph).all(1).nonzero()[:, 0].tolist():
                names = [self.glyphs.names[glyph] for glyph in wanted.glyph[i].tolist()]
                words = places(tokens(names), tokens([prompts[i]])[0])
                for k, mask in enumerate(masks(_part(found, slice(i, i + 1)), self.glyphs, maps.shape[-1])):
                    on = maps[i, words[k]].mean(0)
                    ratios.append(float((on * mask).sum() / on.sum() / mask.mean()))
        return {"attention": statistics.fmean(ratios), "names": float(len(ratios))} if ratios else {"names": 0.0}

    def speed(self, settings: Settings) -> dict[str, float]:
        """Seconds from the prompt to the pictures, the median of five runs."""
        return {"seconds": compute.seconds(lambda: last(text_to_image.sample(self.model, settings)), runs=5)}

    def asked(self, kind: str, n: int) -> Asked:
        """The first captions of a kind."""
        whole = KINDS[kind](self.glyphs)
        return Asked(_part(whole.scenes, slice(n)), whole.prompts[:n])

    def draw(self, prompts: list[str], settings: Settings) -> Tensor:
        """A picture of each prompt (n, 3, 64, 64)."""
        made = []
        for start in tqdm(range(0, len(prompts), BATCH), desc=f"pictures, seed {settings.seed}", leave=False):
            n = min(BATCH, len(prompts) - start)
            run = text_to_image.sample(self.model, replace(settings, n=n), start, prompts)
            made.append(cast(Tensor, last(run).x).cpu())
        return torch.cat(made)

    def fresh(self, n: int, seed: int) -> Scenes:
        """Scenes of one emoji like those of the training, but not among them."""
        return scenes.sample(n, generator(4, seed), scenes.for_training(self.glyphs.names).pairs)

    def real(self, n: int, seed: int) -> Tensor:
        """Their pictures."""
        return scenes.draw(self.fresh(n, seed), self.glyphs)

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """What the CLIP makes of pictures (n, E)."""
        return torch.cat([self.judge.image(part.to(device.DEVICE)).cpu() for part in x.split(500)])

    @cached_property
    def expected(self) -> Tensor:
        """What the CLIP makes of real scenes (REAL, E)."""
        return self.features(self.real(REAL, 0))

    @cached_property
    def limit(self) -> float:
        """Up to which distance from the nearest training scene a picture is a near-copy."""
        return nearest(small(self.real(CAPTIONS, 2)), self.known).quantile(NEAR).item()

    @cached_property
    def recognise(self) -> Recogniser:
        """Finds the emoji in pictures."""
        return Recogniser(self.glyphs)

    @cached_property
    def known(self) -> Tensor:
        """The scenes that the model was trained on, small and in half precision (N, D)."""
        allowed = scenes.for_training(self.glyphs.names)
        drawn = scenes.sample_both(self.flags["scenes"], generator(self.flags["seed"]), allowed, self.flags["of_two"])
        parts = tqdm(range(0, self.flags["scenes"], 500), desc="training scenes", leave=False)
        return torch.cat([small(scenes.draw(_part(drawn, slice(i, i + 500)), self.glyphs)).half() for i in parts])


def _part(shown: Scenes, part: slice) -> Scenes:
    return Scenes(*(choice[part] for choice in shown))


def agreement(wanted: Scenes, found: Scenes) -> dict[str, float]:
    """How often names and ground are as asked for; of two emoji also their relation, among those with both names."""
    names = (found.glyph.sort(1).values == wanted.glyph.sort(1).values).all(1)
    figures = {"name": names.float().mean().item(), "ground": (found.ground == wanted.ground).float().mean().item()}
    if wanted.glyph.shape[1] == 1 or not names.any():
        return figures
    upright = [(part.y[:, 1] - part.y[:, 0]).abs() > (part.x[:, 1] - part.x[:, 0]).abs() for part in (wanted, found)]
    right = (found.glyph == wanted.glyph).all(1) & (upright[0] == upright[1])
    return {**figures, "relation": right[names].float().mean().item()}


@torch.no_grad()
def attended(model: text_to_image.Model, settings: Settings, first: int, prompts: list[str]) -> tuple[Tensor, Tensor]:
    """The mean attention of all steps, layers and heads to each token (n, L, h, w), and the pictures."""
    maps, size = list[Tensor](), model.config.size
    for moment in text_to_image.sample(model, settings, first, prompts):
        for layer in moment.attention if moment.t else ():  # the end shows that of the last step again
            mean = layer.float().mean(1).transpose(1, 2)  # (n, L, places)
            side = round(mean.shape[2] ** 0.5)
            maps.append(F.interpolate(mean.unflatten(2, (side, side)), [size, size], mode="nearest"))
    return torch.stack(maps).mean(0).cpu(), cast(Tensor, moment.x).cpu()


def masks(shown: Scenes, glyphs: Glyphs, size: int) -> Iterator[Tensor]:
    """Where each emoji of a scene is: its opacity (size, size)."""
    for k in range(shown.glyph.shape[1]):
        each = scenes.placed(glyphs.colours[shown.glyph[:, k]], shown.side[:, k], shown.x[:, k], shown.y[:, k])
        yield F.adaptive_avg_pool2d(each[0, 3:], size)[0]


def places(names: Tensor, prompt: Tensor) -> list[slice]:
    """Where the tokens of names (K, L), between start and end, stand in a prompt (L,).

    The longest is looked for first, and taken out: "fire" is not that of "fire engine".
    """
    left, found = prompt.clone(), dict[int, slice]()
    for k in names.argmax(1).argsort(descending=True).tolist():
        inner = names[k, 1 : int(names[k].argmax())]
        at = int(left.unfold(0, len(inner), 1).eq(inner).all(1).nonzero()[0, 0])
        found[k] = slice(at, at + len(inner))
        left[found[k]] = -1
    return [found[k] for k in range(len(names))]


def small(x: Tensor) -> Tensor:
    """Pictures (n, 3, 64, 64) as (n, 768): a pixel for sixteen."""
    return F.avg_pool2d(x, 4).flatten(1)


def nearest(x: Tensor, known: Tensor, chunk: int = 20_000) -> Tensor:
    """The root mean square difference of each of x (n, D) to the nearest of those known (N, D): (n,)."""
    found = [torch.cdist(x, part.float()).min(1).values for part in known.split(chunk)]
    return torch.stack(found).min(0).values / x.shape[1] ** 0.5
