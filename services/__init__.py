"""Real servers for the integration tests: built here, pinned, started on 127.0.0.1, stopped by their own pid.

`python -m services build|up|down|status|isolated [NAME ...]`; `make services` and `make services-stop` call it.

One file per service says how it is built, started and recognised as ready; `registry.py` lists them. What is built or
written lives in `.services/`: `bin/` and `NAME/lib/` (built, kept), `log/`, `run/` (pid files), `data/` (of the running
servers, thrown away) and `env.json`, the endpoints of what is up.
"""
