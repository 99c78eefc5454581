"""The tab of text to image: diffusion in latents, told what to draw by a prompt."""

from playground.tabs import tab_of_views
from playground.tabs.latent_diffusion import compare, draw, grid, latent_space, latent_vs_pixel

SUMMARY = (
    "A text encoder reads the prompt, a U-Net denoises a small latent while it looks at the words, and a decoder "
    "makes a picture of it."
)
HINT = "**Type a prompt and press Sample**, then point at a word below the pictures."
TAB = tab_of_views(
    "Text to image",
    50,
    SUMMARY,
    HINT,
    {
        "draw": draw.DrawView, "compare": compare.CompareView, "grid": grid.GridView,
        "latent_space": latent_space.LatentSpaceView, "latent_vs_pixel": latent_vs_pixel.CostView,
    },
)  # fmt: skip
