"""The tab that compares the families: the same request to each, and how good each was when it was measured."""

from playground.tabs import tab_of_views
from playground.tabs.compare import drawing, interpolations, likelihoods, request, scoreboard
from playground.web.header import GuideStep
from playground.web.view import View

SUMMARY = "The families side by side: what each makes of the same task, how long it takes, and how good the result is."
# By their names in links; the first is at the tab's own address.
VIEWS: dict[str, type[View]] = {
    "request": request.RequestView,
    "scoreboard": scoreboard.ScoreboardView,
    "drawing": drawing.DrawingView,
    "interpolations": interpolations.InterpolationsView,
    "likelihoods": likelihoods.LikelihoodsView,
}
GUIDE = (
    GuideStep(
        "#compare-race",
        "Each family makes the same digits. The clocks run together, as if each had this machine to itself.",
    ),
    GuideStep(
        "#compare-sample", "Choose a digit, and press Sample: who finishes first, and how long does the last one take?"
    ),
    GuideStep("[data-tab-id=scoreboard]", "Fast does not mean good: here is how close each comes to real digits."),
)
TAB = tab_of_views("Compare", 5, SUMMARY, VIEWS, GUIDE)
