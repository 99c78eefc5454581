"""Denoising networks to compare: the one that is shipped, and well-known ones."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from denoising_diffusion_pytorch import Unet
from diffusers import UNet2DModel
from torch import Tensor, nn

from playground.families import ddpm
from train.ddpm import Recipe

SIZE = 32  # height and width of the images, in pixels
Name = Literal["ours", "lucidrains", "ddpm-cifar10", "course"]


class Network(NamedTuple):
    """Network to time."""

    title: str  # name in the table
    build: Callable[[], nn.Module]  # function that builds the network with random weights
    # Function that evaluates it: (model, xt (B, 1, H, W), t (B,)) -> (B, 1, H, W).
    predict: Callable[[nn.Module, Tensor, Tensor], Tensor]


def _build_course() -> nn.Module:
    """Build the network of the diffusion course, unit 1, "Diffusion Models from Scratch" (there for 28x28 images)."""
    return UNet2DModel(
        sample_size=SIZE,
        in_channels=1,
        out_channels=1,
        layers_per_block=2,
        block_out_channels=(32, 64, 64),
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
    )


def _build_cifar10() -> nn.Module:
    """Build the architecture of google/ddpm-cifar10-32, with one channel in and out instead of three."""
    return UNet2DModel(
        sample_size=SIZE,
        in_channels=1,
        out_channels=1,
        layers_per_block=2,
        block_out_channels=(128, 256, 256, 256),
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=None,
        norm_eps=1e-6,
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
    )


NETWORKS: dict[Name, Network] = {
    "ours": Network(
        "ours, as shipped in ddpm-digits",
        lambda: ddpm.Model(Recipe().config),
        lambda model, xt, t: model(xt, t, t % 10),  # any class
    ),
    "lucidrains": Network(
        "denoising-diffusion-pytorch, `Unet(64, (1, 2, 4))`",
        lambda: Unet(dim=64, dim_mults=(1, 2, 4), channels=1),
        lambda model, xt, t: model(xt, t),
    ),
    "ddpm-cifar10": Network(
        "diffusers, google/ddpm-cifar10-32",
        _build_cifar10,
        lambda model, xt, t: model(xt, t).sample,
    ),
    "course": Network(
        "diffusers, the Hugging Face course's",
        _build_course,
        lambda model, xt, t: model(xt, t).sample,
    ),
}
