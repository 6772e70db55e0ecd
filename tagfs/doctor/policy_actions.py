"""What the services' policies call the rights that a mount needs, for advice."""

from collections.abc import Mapping
from typing import Final

ACTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "oss": {
        "list": "oss:ListObjects",
        "head": "oss:GetObject",
        "get": "oss:GetObject",
        "get tagging": "oss:GetObjectTagging",
        "bucket tagging": "oss:GetBucketTags",
        "put": "oss:PutObject",
        "put tagging": "oss:PutObjectTagging",
        "copy": "oss:GetObject and oss:PutObject",
        "multipart": "oss:PutObject and oss:AbortMultipartUpload",
        "symlink": "oss:PutObject and oss:GetObject",
        "delete": "oss:DeleteObject",
    },
    "obs": {
        "list": "obs:bucket:ListBucket",
        "head": "obs:object:GetObject",
        "get": "obs:object:GetObject",
        "get tagging": "obs:object:GetObjectTagging",
        "bucket tagging": "obs:bucket:GetBucketTagging",
        "put": "obs:object:PutObject",
        "put tagging": "obs:object:PutObjectTagging",
        "copy": "obs:object:GetObject and obs:object:PutObject",
        "multipart": "obs:object:PutObject and obs:object:AbortMultipartUpload",
        "symlink": "obs:object:PutObject and obs:object:GetObject",
        "delete": "obs:object:DeleteObject",
    },
    "s3": {
        "list": "s3:ListBucket",
        "head": "s3:GetObject",
        "get": "s3:GetObject",
        "get tagging": "s3:GetObjectTagging",
        "bucket tagging": "s3:GetBucketTagging",
        "put": "s3:PutObject",
        "put tagging": "s3:PutObjectTagging",
        "copy": "s3:GetObject, s3:GetObjectTagging and s3:PutObject",
        "multipart": "s3:PutObject and s3:AbortMultipartUpload",
        "symlink": "s3:PutObject and s3:GetObject",
        "delete": "s3:DeleteObject",
    },
}

NEEDED_FOR: Final[Mapping[str, str]] = {
    "list": "only names that are known can be used without, and nothing is shown",
    "head": "no file can be seen without",
    "get": "no file can be read without",
    "get tagging": "files are read, and what may have tags is not rewritten (but see tags_denied)",
    "bucket tagging": "the tags of the bucket are not shown on the mount's root",
    "put": "nothing can be written without",
    "put tagging": "no tag can be set without",
    "copy": "nothing can be renamed without",
    "multipart": "no large file can be written without",
    "symlink": "no link can be made without",
    "delete": "nothing can be removed or renamed without",
}
"""What goes wrong without each right."""
