"""The server inside a released image: `python -m inference` answers predictions over HTTP.

It knows nothing of `generator/`; what it shares with it are the environment variables in `settings`
and the JSON that `replay` reads and writes.
"""

__version__ = "0.1.0"
