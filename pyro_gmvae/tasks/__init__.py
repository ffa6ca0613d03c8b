"""Do what a user asks for by name: one thin file for each command.

Each task takes paths and settings and gives plain values; the command line only words them.
"""
