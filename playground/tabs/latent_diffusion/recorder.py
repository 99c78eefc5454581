"""Runs of text to image as a visitor's state keeps them: small, and with the attention of some frames."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from playground.families import latent_diffusion
from playground.families.clip import Word
from playground.families.latent_diffusion import Model, Settings
from playground.runtime.recording import subsample
from playground.runtime.run import Frame
from playground.tabs.latent_diffusion.latent_pictures import decoded

MAX_FRAMES = 61  # of a run; longer ones keep an even subset
ATTENTION = 16_000_000  # bytes of attention that a run keeps: longer runs keep that of fewer moments


@dataclass(frozen=True)
class Run:
    """A run as one visitor's `gr.State` keeps it: F frames of N pictures, latents (F, N, c, h, w) in half precision."""

    settings: Settings
    times: list[int]  # times of all steps, and 0
    words: list[Word]  # the L tokens of the prompt
    # Step, time and numbers of the sampler's step of each frame, see `Frame`.
    steps: list[int]
    t: list[int]
    coefficients: list[Mapping[str, float]]
    # Latents, and the guided estimates of z0 and of the noise.
    z: Tensor
    z0_hat: Tensor
    eps_hat: Tensor
    # Estimates of z0 without and with the prompt.
    uncond: Tensor
    cond: Tensor
    x0_hat: np.ndarray  # the estimates as pictures, uint8 (F, N, H, W, C)
    attention: list[np.ndarray]  # for each cross-attention that of K frames, uint8 (K, N, heads, places, L)
    attention_index: list[int]  # index of the attention of each frame, below K


class Recorder:
    """Recorder of at most `MAX_FRAMES` frames of a run, the first and the last included; a run from a picture starts
    with noise of a `strength`."""

    def __init__(self, model: Model, settings: Settings, strength: float = 1.0):
        self.model, self.settings = model, settings
        self.times = latent_diffusion.timesteps(model, settings, strength)
        self.words = model.components().encoder.words(settings.prompt)
        self._recorded_steps = subsample(range(len(self.times)), MAX_FRAMES)
        self._attention_steps: list[int] = []
        self._frames: list[Frame] = []
        self._attention: list[list[np.ndarray]] = []

    def add(self, frame: Frame) -> None:
        """Record a frame, unless its step is left out of a long run."""
        if frame.step not in self._recorded_steps:
            return
        if not self._frames:
            size = sum(layer[..., : len(self.words)].numel() for layer in frame.attention)
            self._attention_steps = subsample(self._recorded_steps, max(1, ATTENTION // size))
        if frame.step in self._attention_steps:
            layers = [layer[..., : len(self.words)] for layer in frame.attention]
            self._attention.append([(255 * layer.float()).round().byte().cpu().numpy() for layer in layers])
        estimates = {name: estimate.half().cpu() for name, estimate in frame.estimates.items()}
        self._frames.append(replace(frame, x=frame.x.half().cpu(), estimates=estimates, attention=()))

    def run(self) -> Run:
        """Return the frames recorded so far."""
        frames, attention_steps = self._frames, self._attention_steps[: len(self._attention)]
        estimates = {name: torch.stack([frame.estimates[name] for frame in frames]) for name in frames[0].estimates}
        nearest = [int(np.abs(np.array(attention_steps) - frame.step).argmin()) for frame in frames]
        return Run(
            self.settings, self.times, self.words, [frame.step for frame in frames], [frame.t for frame in frames],
            coefficients=[frame.coefficients for frame in frames],
            z=torch.stack([frame.x for frame in frames]), z0_hat=estimates["x0_hat"], eps_hat=estimates["eps_hat"],
            uncond=estimates["x0_uncond"], cond=estimates["x0_cond"], x0_hat=decoded(self.model, estimates["x0_hat"]),
            attention=[np.stack(layer) for layer in zip(*self._attention, strict=True)], attention_index=nearest,
        )  # fmt: skip
