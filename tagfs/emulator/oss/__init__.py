"""The OSS personality: Alibaba Cloud's object storage as its SDKs know it."""
