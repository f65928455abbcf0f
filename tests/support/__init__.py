"""What tests share: small files and networks, tolerances, runs of the commands."""
