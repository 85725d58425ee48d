"""Azure AI Content Safety: what is asked of it, what it says, and what is remembered of that."""
