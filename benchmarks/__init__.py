"""Measurements, one file each, shipped as `benchmarks`.

Each is a script (``python benchmarks/step.py``) and a command (``pyro-gmvae benchmark step``), and
says in its docstring what question it answers. This table is all that the command's help needs.
"""

__all__ = ["NAMES"]

NAMES = {
    "step": "time of a training step, beside stock Pyro and hand-written torch",
    "scaling": "time and memory of a step against the number of clusters",
    "limit": "how far a step is from what the machine could do",
    "ablation": "what each thing gives that a compiled step on a CPU has besides",
    "precision": "likelihood after a training in bfloat16, beside one in float32",
    "epoch": "seconds for an epoch of MNIST",
    "start": "time to import the package and to print the help",
    "peers": "the same training by other packages; needs the extra `peers` and MNIST",
    "paper": "the paper's experiment: exact against Concrete, time and likelihood; needs its data",
    "clusters": "clusters over seeds: right, and the same? beside others; needs its data",
    "tables": "groups of small tables, by each method, with and without a regulariser",
    "clusterings": "how good the clusters are that a training may begin near",
    "known": "what a few known labels, or rows that belong together, give",
    "selection": "whether select finds how many clusters there are",
    "objective": "what each part of the objective does to the clusters; needs MNIST",
    "bias": "how far each method's gradient is from the exact one",
    "golden": "held-out ELBO on MNIST beside a public implementation's; needs MNIST",
}
