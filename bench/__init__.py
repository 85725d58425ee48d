"""`make bench`: the gateway through the Functions worker, beside nginx, on this machine, in one run."""
