"""What each colour means, in every tab and plot: the Okabe-Ito palette, which colour-blind people can tell apart."""

DATA = "#0072B2"
NOISE = "#D55E00"
ESTIMATE = "#009E73"
COMPARED = "#CC79A7"
