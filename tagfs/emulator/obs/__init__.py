"""The Huawei OBS personality."""
