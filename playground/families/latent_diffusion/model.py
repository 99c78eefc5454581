"""Text to image: diffusion in the latents of an autoencoder, conditioned on the states of a text encoder.

Rombach 2022, "High-Resolution Image Synthesis with Latent Diffusion Models". There are three networks: an autoencoder
(images x to latents z and back), a text encoder (a prompt to a state for each token), and a U-Net that denoises latents
z_t with cross-attention from every position to those states. The model here is the U-Net; the other two are its
components, with files of their own. Shapes: B batch, (c, h, w) of a latent, L tokens, D width of the states.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground.diffusion.parameterization import PREDICTIONS
from playground.diffusion.schedule import SCHEDULES
from playground.families import clip
from playground.families.autoencoder import Model as Autoencoder
from playground.families.ddpm import add_random_noise
from playground.nn.attention import AttentionHook, Context
from playground.nn.blocks import GROUPS
from playground.nn.config import check_unet_config
from playground.nn.embeddings import make_time_network, sinusoidal_embedding
from playground.nn.unet import UNet
from playground.runtime import validation
from playground.runtime.validation import UserError


@dataclass(frozen=True)
class Config:
    """Configuration of the U-Net, with the autoencoder and the text encoder of its training."""

    size: int = 16  # Width and height of the latents.
    channels: int = 4  # Channels of the latents.
    context_dim: int = 128  # Width of the states of the text encoder.
    width: int = 64  # Channels at the highest resolution of the U-Net, a multiple of 8.
    multipliers: Sequence[int] = (1, 2)  # One for each level of the U-Net, which has `width * multiplier` channels.
    blocks: int = 2  # Residual blocks per level.
    patch: int = 1  # Width and height of the patches of latents that become channels first.
    fine_width: int = 0  # Channels of one more block at the end, at the full resolution of the latents; 0 for none.
    emb_dim: int = 256  # Dimensions of the embedding of time.
    prediction: str = "v"  # "eps", "v" or "x0", see `playground.diffusion.parameterization`.
    schedule: str = "cosine"  # "cosine" or "linear", see `playground.diffusion.schedule`.
    T: int = 1000  # Number of time steps of the schedule.
    autoencoder: str = "autoencoder-emoji"  # Name of the autoencoder's checkpoint.
    # Name of the text encoder's checkpoint, or ARCHITECTURE/WEIGHTS of a pretrained OpenCLIP model.
    encoder: str = "clip-emoji"
    # See `playground.runtime.checkpoint.digest`; the U-Net works only with this autoencoder.
    autoencoder_digest: str = ""
    encoder_digest: str = ""  # Digest of the text encoder.

    def __post_init__(self) -> None:
        check_unet_config(self, _BOUNDS)
        if self.fine_width % GROUPS:
            raise UserError(f"fine_width must be a multiple of {GROUPS}, not {self.fine_width}")
        validation.check_choice("prediction", self.prediction, PREDICTIONS)
        validation.check_choice("schedule", self.schedule, SCHEDULES)
        if "/" in self.autoencoder:
            raise UserError("the autoencoder must be the name of a checkpoint in the same folder")


_BOUNDS = {"size": (1, 256), "channels": (1, 64), "context_dim": (1, 4096), "width": (8, 2048), "blocks": (1, 8),
           "patch": (1, 32), "fine_width": (0, 2048),
           "emb_dim": (1, 8192), "T": (1, 100_000)}  # fmt: skip


class Encoder(Protocol):
    """Text encoder, such as `playground.families.clip.Model`."""

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Return the tokens of texts (B, L)."""

    def words(self, text: str) -> list[clip.Word]:
        """Return the tokens of a text as words."""

    def context(self, tokens: Tensor) -> Context:
        """Return the states of tokens (B, L, D), with a mask of the tokens of the text."""


class Components(NamedTuple):
    """Autoencoder and text encoder of a latent diffusion model."""

    autoencoder: Autoencoder
    encoder: Encoder


class Model(nn.Module):
    """U-Net with its noise schedule, and access to its autoencoder and text encoder."""

    # Autoencoder and text encoder, if they are not loaded from files; not among the weights.
    parts: Components | None = None
    # Loads a component by name, family and digest; set when the model is loaded from a file.
    load_component: Callable[[str, str, str], nn.Module] | None = None

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.schedule = SCHEDULES[config.schedule](config.T)
        self.prediction = PREDICTIONS[config.prediction]
        self.embed_time = make_time_network(config.width, config.emb_dim)
        self.net = UNet(config.channels, config.width, config.multipliers, config.blocks, config.emb_dim, config.patch,
                        context_dim=config.context_dim, fine_width=config.fine_width)  # fmt: skip

    def forward(self, zt: Tensor, t: Tensor, context: Context, hook: AttentionHook | None = None) -> Tensor:
        """Return the network's output (B, c, h, w) for zt (B, c, h, w), t (B,) in 1 ... T and the context of prompts;
        `hook` sees, and may replace, the attention weights of each cross-attention layer."""
        emb = self.embed_time(sinusoidal_embedding(t, self.config.width))  # (B, emb_dim)
        return self.net(zt, emb, context, hook)

    def encode_text(self, texts: Sequence[str]) -> Context:
        """Return the context of texts: the states of the text encoder."""
        encoder = self.components().encoder
        return encoder.context(encoder.tokenize(texts))

    def decode(self, z: Tensor) -> Tensor:
        """Decode latents (B, c, h, w) to images (B, C, H, W) in [-1, 1]."""
        return self.components().autoencoder.decode(z).clamp(-1, 1)

    def components(self) -> Components:
        """Return the autoencoder and the text encoder, which all models that have them share: do not change them.

        They are loaded at each call, so that a change of their files is noticed.

        Raises:
            UserError: The model was not loaded from a file and has no `parts`, or a component does not fit.
        """
        if self.parts is not None:
            return self.parts
        if self.load_component is None:
            raise UserError("the model of text to image has no autoencoder and no text encoder yet: set its parts")
        config = self.config
        autoencoder = self.load_component(config.autoencoder, "autoencoder", config.autoencoder_digest)
        encoder = (
            clip.load_pretrained(config.encoder)
            if "/" in config.encoder
            else self.load_component(config.encoder, "clip", config.encoder_digest)
        )
        device = next(self.parameters()).device
        if device.type != "cpu":
            autoencoder, encoder = _copy_to_device(autoencoder, device), _copy_to_device(encoder, device)
        return Components(cast(Autoencoder, autoencoder), cast(Encoder, encoder))


@lru_cache(maxsize=4)
def _copy_to_device(component: nn.Module, device: torch.device) -> nn.Module:
    """Return a copy of a component on a device; the loaded one is shared and stays where it is."""
    return copy.deepcopy(component).to(device)


def loss(
    model: nn.Module, z0: Tensor, context: Context, empty: Context, rng: torch.Generator, dropout: float = 0.1
) -> Tensor:
    """Return the mean squared error of the prediction at random times, a scalar. Rombach 2022, eq. 3.

    Args:
        z0: Latents (B, c, h, w).
        context: Context of their captions.
        empty: Context of the empty prompt, a batch of 1.
        dropout: Probability of replacing a caption by the empty prompt, so that the network learns the unconditional
            model as well, which guidance needs.
    """
    inner = cast(Model, getattr(model, "module", model))
    zt, t, target = add_random_noise(z0, inner.schedule, inner.prediction, rng)
    drop = (torch.rand(len(z0), generator=rng) < dropout).to(z0.device)
    states = torch.where(drop[:, None, None], empty.states, context.states)
    mask = torch.where(drop[:, None], empty.mask, context.mask)
    return F.mse_loss(model(zt, t, Context(states, mask)).float(), target)


GuidanceSchedule = Literal["constant", "linear", "cosine", "interval"]
