"""The OSS service: Alibaba Cloud's object storage as its SDKs know it."""
