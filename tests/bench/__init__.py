"""tagfs beside s3fs and rclone, on one service, in one run."""
