"""The tab of generative adversarial networks: two networks that learn from each other."""

from playground.tabs import tab_of_views
from playground.tabs.gan import ask_discriminator, lab, loss_comparison, samples

SUMMARY = "A generator G makes fakes, a discriminator D learns to tell them from data, and each learns from the other."
HINT = "**Press Play** to watch both learn, and try *Cause collapse*; *Losses* holds whole trainings on digits."
TAB = tab_of_views(
    "GAN",
    20,
    SUMMARY,
    HINT,
    {
        "lab": lab.GANLabView,
        "losses": loss_comparison.LossView,
        "samples": samples.SamplesView,
        "ask": ask_discriminator.AskView,
    },
)
