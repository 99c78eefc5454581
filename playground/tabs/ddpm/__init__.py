"""The tab of denoising diffusion: from noise to digits, and from a digit to noise, frame by frame."""

from playground.tabs import tab_of_views
from playground.tabs.ddpm import forward, reverse

SUMMARY = (
    "Diffusion turns noise into pictures: noise is added to digits, and a network learns to take it away again, "
    "step by step, until digits come out of nothing but noise."
)
HINT = "**Press Play, or drag the slider under the pictures.**"
TAB = tab_of_views("DDPM / DDIM", 40, SUMMARY, HINT, {"reverse": reverse.ReverseView, "forward": forward.ForwardView})
