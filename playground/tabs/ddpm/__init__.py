"""The tab of denoising diffusion: from noise to digits, and from a digit to noise, frame by frame."""

from playground.tabs import tab_of_views
from playground.tabs.ddpm import forward, reverse, runs
from playground.web.header import GuideStep

SUMMARY = (
    "Diffusion turns noise into pictures: noise is added to digits, and a network learns to take it away again, "
    "step by step, until digits come out of nothing but noise."
)
GUIDE = (
    GuideStep(
        "#ddpm-scrubber .position",
        "At the left end the first pictures, x, are nothing but noise. Drag slowly to the right, and digits come out.",
    ),
    GuideStep(
        "#ddpm-scrubber .strips figure:nth-child(2)",
        "What the network expects at this moment: first a blur, the mean of all digits that are still possible.",
    ),
    GuideStep(
        "#ddpm-sample",
        "Choose a class or fewer steps and press Sample. Pin keeps a run below the next, to compare the two.",
    ),
)
VIEWS = {"reverse": reverse.ReverseView, "forward": forward.ForwardView}
TAB = tab_of_views("Diffusion", 40, SUMMARY, VIEWS, GUIDE, prepare=runs.warm_up)
