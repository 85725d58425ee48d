"""The ledger's own code on many simulated instances, in simulated time, over a simulated store."""
