"""What several tabs share: scrubber, explorer, plane, drawing pad, picture source, controls, plots, exports, links."""
