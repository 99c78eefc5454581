"""The tab of score matching and Langevin dynamics."""

from playground.tabs import tab_of_views
from playground.tabs.score_matching import digits, lab, langevin_2d, restoration
from playground.web.header import GuideStep

SUMMARY = "The score is the gradient of the log density: wherever you stand, the way to where the data are denser."
GUIDE = (
    GuideStep(
        "#score-lab [data-do=play]",
        "Press Play: a network learns, from noisy points alone, which way the data get denser.",
    ),
    GuideStep(
        "#score-lab .dial",
        "Move this slider: with much noise all arrows lead to the middle, with little noise to the nearest mode.",
    ),
    GuideStep(
        "[data-tab-id=langevin]",
        "Then let particles follow the arrows in Langevin: see which get stuck, and click to drop one of your own.",
    ),
)
TAB = tab_of_views(
    "Score",
    30,
    SUMMARY,
    {
        "lab": lab.ScoreLabView,
        "langevin": langevin_2d.LangevinView,
        "digits": digits.DigitsView,
        "restoration": restoration.RestorationView,
    },
    GUIDE,
)
