"""Where a command puts the events that it makes: `--events`. One file per kind; `location.py` reads the option."""
