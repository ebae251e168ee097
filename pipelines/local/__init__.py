"""The bounded job's stages up to its profiles, on this machine and without a runner, for somebody who waits.

No second engine: what an event or a rule means is decided by `transforms`, as in the job. Here is in which order, in
which process, and in which files the blocks wait meanwhile.
"""
