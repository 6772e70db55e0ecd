"""What S3 began and OBS speaks too: the protocol that both services share."""
