"""The parts of the store of takes, each knowing only its own: files, ledger, sessions, memory. job.Store joins them."""
