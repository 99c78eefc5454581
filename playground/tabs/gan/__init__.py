"""The tab of generative adversarial networks: two networks that learn from each other."""

from playground.tabs import tab_of_views
from playground.tabs.gan import ask_discriminator, lab, loss_comparison, samples
from playground.web.header import GuideStep

SUMMARY = "A generator G makes fakes, a discriminator D learns to tell them from data, and each learns from the other."
GUIDE = (
    GuideStep(
        "#gan-lab [data-do=play]",
        "Press Play: the generator moves its points; the plane is coloured as the discriminator sees it.",
    ),
    GuideStep(
        "#gan-lab .planes",
        "The arrows show where the generator is told to move its points. In the end D cannot tell them from the data.",
    ),
    GuideStep("[data-tab-id=losses]", "Then try the preset Cause collapse, or see the same on digits under Losses."),
)
TAB = tab_of_views(
    "GAN",
    20,
    SUMMARY,
    {
        "lab": lab.GANLabView,
        "losses": loss_comparison.LossView,
        "samples": samples.SamplesView,
        "ask": ask_discriminator.AskView,
    },
    GUIDE,
)
