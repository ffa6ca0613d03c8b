"""Repeat the paper's experiment, and study its objective and gradients."""
