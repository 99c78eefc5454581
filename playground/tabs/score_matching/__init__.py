"""The tab of score matching and Langevin dynamics."""

from playground.tabs import tab_of_views
from playground.tabs.score_matching import digits, lab, langevin_2d, restoration

SUMMARY = "The score is the gradient of the log density: wherever you stand, the way to where the data are denser."
HINT = (
    "**Press Play** to watch a network learn it; see particles follow it in *Langevin*, and digits mended in *Restore*."
)
TAB = tab_of_views(
    "Score",
    30,
    SUMMARY,
    HINT,
    {
        "lab": lab.ScoreLabView,
        "langevin": langevin_2d.LangevinView,
        "digits": digits.DigitsView,
        "restoration": restoration.RestorationView,
    },
)
