"""The tab of text to image: diffusion in latents, told what to draw by a prompt."""

from playground.tabs import tab_of_views
from playground.tabs.latent_diffusion import compare, draw, grid, latent_space, latent_vs_pixel
from playground.web.header import GuideStep

SUMMARY = (
    "A text encoder reads the prompt, a U-Net denoises a small latent while it looks at the words, and a decoder "
    "turns the latent into a picture."
)
GUIDE = (
    GuideStep("#text-prompt", "Type an emoji and a background, and press Sample. The line below says how it was read."),
    GuideStep(
        "#text-scrubber .words", "Point at a word, or press it: its colour shows where the network looks for it."
    ),
    GuideStep(
        "#text-scrubber .position",
        "Drag this to see the picture appear: first the colours, then the layout, and last the details.",
    ),
)
TAB = tab_of_views(
    "Text to image",
    50,
    SUMMARY,
    {
        "draw": draw.DrawView, "compare": compare.CompareView, "grid": grid.GridView,
        "latent_space": latent_space.LatentSpaceView, "latent_vs_pixel": latent_vs_pixel.CostView,
    },
    GUIDE,
)  # fmt: skip
