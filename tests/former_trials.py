"""Names of objects that tagfs once wrote or deleted on trial, and that may be another's."""

FORMER = (".tagfs-no-object", ".tagfs-trial", ".tagfs-trial-link", ".tagfs-doctor-")
