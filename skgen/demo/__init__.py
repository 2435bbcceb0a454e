"""The main job on real data; run it with ``python -m skgen.demo``."""
