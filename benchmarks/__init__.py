"""Measure this package: its speed, its memory, its clusters.

Run a benchmark in a clone by ``python -m benchmarks NAME``; ``python -m benchmarks --help`` lists
the names. Each file of a benchmark says in its docstring what question it answers.
"""
