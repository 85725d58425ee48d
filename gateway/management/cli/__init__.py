"""The command line. Nothing else imports this package, so click and rich cost the gateway itself nothing."""
