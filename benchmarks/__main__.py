"""All benchmarks, one after another."""

from __future__ import annotations

from benchmarks import generating, image_size, start

if __name__ == "__main__":
    start.main()
    generating.main()
    image_size.main()
