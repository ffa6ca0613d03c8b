"""Decide what is trained and where it begins, and train it.

`pyro_gmvae.fitting.settings` is what a user says, `pyro_gmvae.fitting.plan` decides everything else
once, and `pyro_gmvae.fitting.train` does it. Nothing is imported here, for a command's ``--help``
shows the settings at once.
"""
