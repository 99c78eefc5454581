"""Text to image: diffusion in the latents of an autoencoder, told what to draw by the states of a text encoder.

Rombach 2022, "High-Resolution Image Synthesis with Latent Diffusion Models". Three parts: an autoencoder (pictures x to
latents z and back), a text encoder (a prompt to a state for each token), and a U-Net that denoises latents z_t while
every place of its maps attends to those states. The U-Net is the model here; the other two are attached to it, each
from a file of its own. Shapes: B batch, (c, h, w) of a latent, L tokens, D width of the states.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, NamedTuple, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground import compute, validation
from playground.models import clip
from playground.models.autoencoder import Model as Autoencoder
from playground.models.ddpm import noised
from playground.nets import GROUPS, Context, Control, UNet, sinusoidal_embedding
from playground.prediction import PREDICTIONS
from playground.sampling import SAMPLERS, Denoiser, Noise, guide
from playground.schedule import SCHEDULES
from playground.validation import UserError

LONGEST = 300  # characters of a prompt


@dataclass(frozen=True)
class Config:
    """What rebuilds the U-Net, and the parts that it was trained with.

    Attributes:
        size, channels: of the latents, (channels, size, size).
        context_dim: width of the states of the text encoder.
        width, multipliers, blocks, patch: of the U-Net, see `playground.nets.UNet`.
        emb_dim: of the embedding of time.
        prediction, schedule, T: see `playground.prediction` and `playground.schedule`.
        autoencoder, encoder: names of the two other parts; an encoder of OpenCLIP's own is ARCHITECTURE/WEIGHTS.
        autoencoder_sha256, encoder_sha256: of their files: with others the U-Net would draw noise.
    """

    size: int = 16
    channels: int = 4
    context_dim: int = 128
    width: int = 64
    multipliers: Sequence[int] = (1, 2)
    blocks: int = 2
    patch: int = 1
    emb_dim: int = 256
    prediction: str = "v"
    schedule: str = "cosine"
    T: int = 1000
    autoencoder: str = "autoencoder-emoji"
    encoder: str = "clip-emoji"
    autoencoder_sha256: str = ""
    encoder_sha256: str = ""

    def __post_init__(self) -> None:
        """A config may come from a file of unknown origin: what it asks for is bounded before anything is built."""
        validation.levelled(self, _BOUNDS, GROUPS)
        validation.choice("prediction", self.prediction, PREDICTIONS)
        validation.choice("schedule", self.schedule, SCHEDULES)
        if "/" in self.autoencoder:
            raise UserError("the autoencoder must be named as a file beside this one")


_BOUNDS = {"size": (1, 256), "channels": (1, 64), "context_dim": (1, 4096), "width": (8, 2048), "blocks": (1, 8),
           "patch": (1, 32), "emb_dim": (1, 8192), "T": (1, 100_000)}  # fmt: skip


class Encoder(Protocol):
    """A text encoder, such as `playground.models.clip.Model`."""

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Tokens (B, L)."""

    def words(self, text: str) -> list[clip.Word]:
        """What the tokens of a text say."""

    def context(self, tokens: Tensor) -> Context:
        """Their states (B, L, D), and which tokens there are."""


class Parts(NamedTuple):
    """What the U-Net works between: pictures and latents, text and states."""

    autoencoder: Autoencoder
    encoder: Encoder


class Model(nn.Module):
    """The U-Net with its schedule and its prediction.

    Attributes:
        parts: the two others, to sample with; not among the weights.
        find: gives a part by its name, its family and the sha256 of its file; set when the model is loaded from one.
    """

    parts: Parts | None = None
    find: Callable[[str, str, str], nn.Module] | None = None

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.schedule = SCHEDULES[config.schedule](config.T)
        self.prediction = PREDICTIONS[config.prediction]
        self.embed_time = nn.Sequential(
            nn.Linear(config.width, config.emb_dim), nn.SiLU(), nn.Linear(config.emb_dim, config.emb_dim)
        )
        self.net = UNet(config.channels, config.width, config.multipliers, config.blocks, config.emb_dim, config.patch,
                        context_dim=config.context_dim)  # fmt: skip

    def forward(self, zt: Tensor, t: Tensor, context: Context, control: Control | None = None) -> Tensor:
        """zt (B, c, h, w), t (B,) in 1 ... T, what is to be drawn -> what the network predicts (B, c, h, w)."""
        emb = self.embed_time(sinusoidal_embedding(t, self.config.width))  # (B, emb_dim)
        return self.net(zt, emb, context, control)

    def said(self, texts: Sequence[str]) -> Context:
        """What the text encoder makes of texts."""
        encoder = self.attached().encoder
        return encoder.context(encoder.tokenize(texts))

    def decode(self, z: Tensor) -> Tensor:
        """Latents (B, c, h, w) -> pictures (B, C, H, W) in [-1, 1]."""
        return self.attached().autoencoder.decode(z).clamp(-1, 1)

    def attached(self) -> Parts:
        """The two others, found where this model was found."""
        if self.parts is None:
            if self.find is None:
                raise UserError("the model of text to image has no autoencoder and no text encoder yet: attach them")
            config = self.config
            found = [
                self.find(config.autoencoder, "autoencoder", config.autoencoder_sha256),
                clip.pretrained(config.encoder)
                if "/" in config.encoder
                else self.find(config.encoder, "clip", config.encoder_sha256),
            ]
            device = next(self.parameters()).device
            if device.type != "cpu":  # what is found belongs to all
                found = [copy.deepcopy(part).to(device) for part in found]
            self.parts = Parts(*cast(Any, found))
        return self.parts


def loss(
    model: nn.Module, z0: Tensor, context: Context, empty: Context, generator: torch.Generator, dropout: float = 0.1
) -> Tensor:
    """Squared error of the prediction at random times, a scalar. Rombach 2022, eq. 3.

    Args:
        model: a `Model`, or one wrapped for several processes.
        z0: latents (B, c, h, w); context: of their captions; empty: of no caption, for a batch of 1.
        generator: on the CPU, the only source of randomness here.
        dropout: share of the captions hidden, so that one network learns both models that guidance needs.
    """
    inner = cast(Model, getattr(model, "module", model))
    zt, t, target = noised(z0, inner.schedule, inner.prediction, generator)
    hide = (torch.rand(len(z0), generator=generator) < dropout).to(z0.device)
    states = torch.where(hide[:, None, None], empty.states, context.states)
    given = Context(states, torch.where(hide[:, None], empty.there, context.there))
    return F.mse_loss(model(zt, t, given).float(), target)


# Samples.


GUIDANCE: dict[str, Callable[[float], float]] = {  # of t / T, 1 at the noise: how much of the guidance there is
    "constant": lambda share: 1.0,
    "linear": lambda share: 2 * (1 - share),  # Wang 2024, "Analysis of Classifier-Free Guidance Weight Schedulers"
    "cosine": lambda share: 1 + float(torch.cos(torch.tensor(torch.pi * share))),
    "interval": lambda share: float(0.2 <= share <= 0.8),  # Kynkaanniemi 2024, "Guidance in a Limited Interval"
}


@dataclass(frozen=True)
class Settings:
    """What a user may ask of a run; checked when made, so that page, API and command line refuse alike.

    Attributes:
        n: number of pictures.
        prompt: what to draw; nothing makes an unconditional run.
        negative: what to keep away from, instead of "anything" (the empty prompt).
        sampler: a name in `playground.sampling.SAMPLERS`.
        steps: of the sampler; each costs an evaluation of the network, with and without the prompt.
        eta: DDIM's stochasticity.
        w: guidance weight: 0 ignores the prompt, 1 is the plain conditional model.
        guidance: how w - 1 changes over a run, one of `GUIDANCE`.
        seed: of the noise; picture i depends on (seed, i) alone.
    """

    n: int = 4
    prompt: str = "a small pizza on a blue background"
    negative: str = ""
    sampler: str = "ddim"
    steps: int = 20
    eta: float = 0.0
    w: float = 3.0
    guidance: str = "constant"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("prompt", "negative"):
            text = getattr(self, name)
            if not isinstance(text, str) or len(text) > LONGEST or not _is_unicode(text):
                raise UserError(f"the {name} must be text of at most {LONGEST} characters")
        validation.keep(
            self,
            n=validation.integer("number of pictures", self.n, 1, 1_000_000),
            sampler=validation.choice("sampler", self.sampler, SAMPLERS),
            steps=validation.integer("steps", self.steps, 1, 1000),
            eta=validation.number("eta", self.eta, 0, 1),
            w=validation.number("guidance w", self.w, 0, 12),
            guidance=validation.choice("guidance", self.guidance, GUIDANCE),
            seed=validation.integer("seed", self.seed, 0, validation.MAX_SEED),
        )

    def weight(self, share: float) -> float:
        """The guidance weight at a time t / T: what exceeds 1 follows the curve."""
        if self.w <= 1:
            return self.w
        return 1 + (self.w - 1) * GUIDANCE[self.guidance](share)


def _is_unicode(text: str) -> bool:
    """Whether it can be written: JSON allows halves of characters."""
    return text.encode(errors="ignore").decode() == text


Attending = Callable[[float, Tensor], Tensor]


class Moment(NamedTuple):
    """One moment of a run, of latents (B, c, h, w).

    Attributes:
        step, t, z, z0_hat, eps_hat: as in `playground.sampling.Frame`; z0_hat is guided.
        without, given: the estimates of z0 without and with the prompt, from which it is guided.
        attention: of each cross-attention (B, heads, h w, L), with the prompt.
        x: the picture (B, C, H, W); of the last moment alone.
    """

    step: int
    t: int
    z: Tensor
    z0_hat: Tensor
    eps_hat: Tensor
    without: Tensor
    given: Tensor
    attention: list[Tensor]
    x: Tensor | None = None


class Guided:
    """The denoiser of one run: both estimates of z0, guided; what it saw last is kept.

    Args:
        negative: what to keep away from, a context of a batch of 1.
        prompts: what to draw, one of as many as there are pictures.
        control: may change the attention (B, heads, places, L) to the prompts, at a time t / T.
    """

    def __init__(
        self, model: Model, negative: Context, prompts: Context, settings: Settings, control: Attending | None = None
    ):
        self.model, self.settings, self.control = model, settings, control
        pairs = zip(negative, prompts, strict=True)
        self.context = Context(*(torch.cat([without.expand_as(given), given]) for without, given in pairs))
        self.attention: list[Tensor] = []

    def __call__(self, zt: Tensor, t: int) -> Tensor:
        """zt (B, c, h, w) -> the guided estimate of z0."""
        model, z, self.share = self.model, zt.repeat(2, 1, 1, 1), t / self.model.schedule.T
        self.attention = []
        with compute.fast(zt):
            out = model(z, torch.full((len(z),), t, device=z.device), self.context, self._watch).float()
        coefficients = model.schedule.coefficients(torch.tensor([t]), zt)
        self.without, self.given = (model.prediction.x0_hat(part, zt, *coefficients) for part in out.chunk(2))
        return guide(self.without, self.given, self.settings.weight(self.share))

    def _watch(self, place: int, attention: Tensor) -> Tensor:
        without, given = attention.chunk(2)
        if self.control:
            given = self.control(self.share, given)
            attention = torch.cat([without, given])
        self.attention.append(given.half())
        return attention


@torch.no_grad()
def sample(model: Model, settings: Settings, first: int = 0, prompts: Sequence[str] = ()) -> Iterator[Moment]:
    """Moments of a run from noise to pictures, `settings.steps` + 1 of them.

    Args:
        first: index of the first picture, for runs split into batches.
        prompts: of the pictures of the whole run, if they are not all `settings.prompt`.
    """
    noise = Noise(settings.seed, settings.n, first)
    given = model.said(prompts[first : first + settings.n] or [settings.prompt] * settings.n)
    yield from _run(model, settings, given, noise(_shape(model)), noise, times(model, settings))


def shown(model: Model, moment: Moment) -> Tensor:
    """A moment as pictures (B, C, H, W): what the decoder makes of the latents, noise and all."""
    with torch.no_grad():
        return model.decode(moment.z)


@torch.no_grad()
def varied(model: Model, settings: Settings, z0: Tensor, strength: float) -> Iterator[Moment]:
    """Moments of a run that starts from the latents (1, c, h, w) of a picture, as noisy as in the midst of a run.
    Meng 2022, "SDEdit".

    Args:
        strength: the share of the steps that is made: 1 keeps nothing of the picture.
    """
    steps = times(model, settings, strength)
    noise = Noise(settings.seed, settings.n)
    zt = model.schedule.add_noise(
        z0.expand(settings.n, *z0.shape[1:]), torch.tensor(steps[:1]), noise(_shape(model), z0.device)
    )
    yield from _run(model, settings, model.said([settings.prompt] * settings.n), zt, noise, steps)


@torch.no_grad()
def edited(model: Model, settings: Settings, other: str, kept: float) -> Iterator[Moment]:
    """Moments of a run of twice as many pictures: those of the prompt, and from the same noise those of another one,
    which attends to the words that both share as the first does. Hertz 2022, "Prompt-to-Prompt", section 3.2.

    Args:
        kept: for which share of the run it does so, from the noise on.
    """
    encoder = model.attached().encoder
    tokens = encoder.tokenize([settings.prompt, other])
    place = shared(*tokens.tolist()).to(tokens.device)  # of each of the other's tokens in the prompt, or -1

    def control(share: float, attention: Tensor) -> Tensor:
        if share <= 1 - kept:
            return attention
        first, second = attention.chunk(2)
        mixed = torch.where(place >= 0, first[..., place.clamp(min=0)], second)
        return torch.cat([first, mixed / mixed.sum(-1, keepdim=True).clamp(min=1e-6)])

    alone = Noise(settings.seed, settings.n)
    twice = cast(Noise, lambda *shape: alone(*shape).repeat(2, 1, 1, 1))
    given = model.said([settings.prompt] * settings.n + [other] * settings.n)
    yield from _run(model, settings, given, twice(_shape(model)), twice, times(model, settings), control)


def shared(first: Sequence[int], second: Sequence[int]) -> Tensor:
    """For each token of the second of two texts, where the first has it too, in the same order; else -1."""
    place = torch.full((len(second),), -1)
    for block in SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks():
        place[block.b : block.b + block.size] = torch.arange(block.a, block.a + block.size)
    return place


def _shape(model: Model) -> tuple[int, int, int]:
    return model.config.channels, model.config.size, model.config.size


def times(model: Model, settings: Settings, strength: float = 1.0) -> list[int]:
    """The times of a run, down to 0: of all steps, or of the last share of them; at least one.

    Raises:
        UserError: the model has fewer times than that.
    """
    if settings.steps > model.schedule.T:
        raise UserError(f"the model has {model.schedule.T} times: ask for at most as many steps, not {settings.steps}")
    return model.schedule.steps(settings.steps)[min(settings.steps - 1, round((1 - strength) * settings.steps)) :]


def _run(
    model: Model,
    settings: Settings,
    given: Context,
    z: Tensor,
    noise: Noise,
    steps: Sequence[int],
    control: Attending | None = None,
) -> Iterator[Moment]:
    """From latents z (B, c, h, w) at the first of the times on."""
    denoise = Guided(model, model.said([settings.negative]), given, settings, control)
    run: Denoiser = denoise
    z = z.to(next(model.parameters()).device)
    for frame in SAMPLERS[settings.sampler](run, z, model.schedule, steps, noise, settings.eta):
        x = model.decode(frame.x) if frame.t == 0 else None
        yield Moment(*frame, denoise.without, denoise.given, denoise.attention, x)
