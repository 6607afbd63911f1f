"""How good a model is, and why: metrics, calibration, robustness, explanation, report."""
