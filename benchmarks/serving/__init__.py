"""Model servers side by side: one after another on one core, driven by wrk from another.

`python -m benchmarks.serving` compares; `python -m benchmarks.serving.soak` keeps this server at twice its
capacity. Both need Linux with two cores, and wrk.
"""
