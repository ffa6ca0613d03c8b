"""What a user asks for by name: train a source into a run, evaluate it, predict, sample.

Each task takes paths and settings and gives plain values; the command line only words them.
Nothing is imported here: `pyro_gmvae.tasks.settings` must cost nothing, for a command's ``--help``
shows its defaults.
"""
