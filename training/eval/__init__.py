"""Evaluation: accuracy and calibration, test-time augmentation, explanations, and published figures again."""
