"""Guard what a process has only once: Pyro's handlers, torch's generators, its memory."""
