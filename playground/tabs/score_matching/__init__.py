"""The tab of score matching and Langevin dynamics."""

from playground.tabs import tab_of_views
from playground.tabs.score_matching import digits, lab, langevin_2d, restoration

SUMMARY = "The score is the gradient of the log density: wherever you stand, the way to where the data are denser."
HINT = (
    "**Drag the slider** to see particles follow it, choose *Annealed* to see all modes found, watch a network "
    "learn it in the *2-D lab*, or let it *Restore* a digit of your own."
)
TAB = tab_of_views(
    "Score",
    30,
    SUMMARY,
    HINT,
    {
        "langevin": langevin_2d.LangevinView,
        "lab": lab.ScoreLabView,
        "digits": digits.DigitsView,
        "restoration": restoration.RestorationView,
    },
)
