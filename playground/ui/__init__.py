"""What several tabs share: the scrubber, the drawing pad, the picture source, controls, exports."""
