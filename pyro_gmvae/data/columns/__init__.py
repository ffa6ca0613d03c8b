"""Read columns of any type, guess what they mean, and match them with those in training."""
