"""Which profiles are probably one person: canonical forms, the model, what speaks for a pair. Nobody is merged here."""
