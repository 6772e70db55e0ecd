"""The Huawei OBS service."""
