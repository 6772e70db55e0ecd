"""Options of s3fs, ossfs 1 and 2, rclone and mountpoint-s3 that have another name here, or none.

Who moves a line of fstab here gets the right name, not the nearest word.
"""

from collections.abc import Mapping
from typing import Final

from tagfs.config.options import TABLE

_SAME: Final[Mapping[str, str]] = {
    # Where the bucket is
    "url": "endpoint",
    "host": "endpoint",
    "endpoint_url": "endpoint",
    "oss_endpoint": "endpoint",
    "s3_endpoint": "endpoint",
    "oss_region": "region",
    "s3_region": "region",
    "use_path_request_style": "addressing=path",
    "force_path_style": "addressing=path",
    "s3_force_path_style": "addressing=path",
    "http_proxy": "proxy",
    "https_proxy": "proxy",
    "proxy_cred_file": "proxy=FILE",
    "ca_cert": "ca_bundle",
    "s3_requester_pays": "requester_pays",
    "retries": "timeout",
    "low_level_retries": "timeout",
    "contimeout": "timeout",
    "connect_timeout": "timeout",
    "readwrite_timeout": "timeout",
    "oss_request_timeout_ms": "timeout",
    # Credentials
    "passwd_file": "credentials",
    "s3_shared_credentials_file": "credentials",
    "ahbe_conf": "credentials",
    "credlib": "credential_process",
    "s3_profile": "credentials_profile",
    "public_bucket": "anonymous",
    "no_sign_request": "anonymous",
    "ram_role": "instance_role=auto",
    "iam_role": "instance_role=auto",
    "s3_env_auth": "instance_role=auto",
    # Who may do what
    "read_only": "ro",
    "readonly": "ro",
    "mp_umask": "umask",
    "file_perms": "file_mode",
    "dir_perms": "dir_mode",
    "allow_non_empty": "nonempty",
    # What is shown and kept
    "default_acl": "acl",
    "s3_acl": "acl",
    "use_sse": "sse",
    "s3_server_side_encryption": "sse",
    "s3_sse_kms_key_id": "sse_kms_key_id",
    "load_sse_c": "sse_c_key_file",
    "s3_sse_customer_key": "sse_c_key_file",
    "s3_storage_class": "storage_class",
    "use_rrs": "storage_class",
    "mime": "content_type",
    "set_mime_for_rename_dst": "content_type=auto",
    "infer_content_type": "content_type=auto",
    "stat_cache_expire": "ttl",
    "stat_cache_interval_expire": "ttl",
    "metadata_ttl": "ttl",
    "dir_cache_time": "ttl",
    "attr_cache_timeout": "ttl",
    "negative_metadata_ttl": "negative_ttl",
    "oss_negative_cache_timeout": "negative_ttl",
    "disable_noobj_cache": "negative_ttl=0",
    "enable_appendable_object": "append_objects='*'",
    "vfs_write_back": "durability=local",
    "no_modtime": "attributes=listing",
    "use_server_modtime": "attributes=listing",
    # Resources
    "tmpdir": "cache_dir",
    "temp_dir": "cache_dir",
    "max_dirty_data": "part_size",
    "multipart_size": "part_size",
    "write_part_size": "part_size",
    "upload_buffer_size": "part_size",
    "s3_chunk_size": "part_size",
    "parallel_count": "parallel",
    "multireq_max": "parallel",
    "max_thread_count": "parallel",
    "transfers": "parallel",
    "prefetch_concurrency": "parallel",
    "upload_concurrency": "parallel",
    "s3_upload_concurrency": "parallel",
    "buffer_size": "memory",
    "vfs_read_ahead": "memory",
    "memory_data_cache_size": "memory",
    "total_mem_limit": "memory",
    # Logs
    "dbglevel": "log_level=debug",
    "curldbg": "request_log",
    "logfile": "log_file",
    "log_dir": "log_file",
    "log_directory": "log_file",
    "metrics_port": "metrics",
}
"""Options of another name: what to write here."""

_ALWAYS: Final[Mapping[str, str]] = {
    "use_xattr": "extended attributes are always there",
    "enable_xattr": "extended attributes are always there",
    "enable_symlink": "symlinks are always there",
    "multipart": "it is chosen by size",
    "multipart_threshold": "it is chosen by size",
    "singlepart_copy_limit": "it is chosen by size",
    "streamupload": "parts are sent while a file is written",
    "incremental_upload": "parts are sent while a file is written",
    "enable_content_md5": "every transfer is verified",
    "enable_crc64": "every transfer is verified",
    "upload_checksums": "every transfer is verified",
    "compat_dir": "directories of all these tools are seen",
    "notsup_compat_dir": "directories of all these tools are seen",
    "complement_stat": "what has no mode gets that of umask, file_mode and dir_mode",
    "enable_noobj_cache": "absences are remembered for ttl, or negative_ttl",
    "listobjectsv2": "what the service understands is found out",
    "use_list_obj_v2": "what the service understands is found out",
    "sigv4": "with a region requests are signed by V4",
    "use_session_token": "a session token is used where there is one",
    "close_to_open": "every open asks the service",
    "allow_delete": "deleting is allowed unless there is no_delete",
    "allow_overwrite": "overwriting is allowed unless there is no_overwrite",
    "allow_rename_dir": "directories can be renamed",
    "readdirplus": "attributes are read ahead by themselves",
    "daemon": "a mount goes to the background unless there is -f",
    "vfs_cache_mode": "every pattern of writing works; what is written is staged in cache_dir",
    "parallel_upload": "parts are sent in parallel",
}
"""What these tools have to be asked for, and is so here."""

_FILES: Final = "cache_size says how much of what is read is kept, in cache_dir"
_RATE: Final = "limit the rate by the host's means (tc, or the service's own limit)"
_KEYS: Final = "put the key pair into a file of mode 0600 and name that by credentials="
_IN_URL: Final = "it stands in the URL: oss://BUCKET/PREFIX"

_NONE: Final[Mapping[str, str]] = {
    "use_cache": _FILES,
    "del_cache": _FILES,
    "ensure_diskfree": _FILES,
    "cache": _FILES,
    "max_cache_size": _FILES,
    "vfs_cache_max_size": _FILES,
    "vfs_cache_max_age": _FILES,
    "upload_traffic_limit": _RATE,
    "download_traffic_limit": _RATE,
    "bwlimit": _RATE,
    "maximum_throughput_gbps": _RATE,
    "bind": "the host's routes decide",
    "bind_ips": "the host's routes decide",
    "no_check_certificate": "name the authority by ca_bundle=FILE",
    "ssl_verify_hostname": "name the authority by ca_bundle=FILE",
    "sigv2": "only servers that know signatures of version 4",
    "oss_access_key_id": _KEYS,
    "oss_access_key_secret": _KEYS,
    "s3_access_key_id": _KEYS,
    "s3_secret_access_key": _KEYS,
    "bucket": _IN_URL,
    "oss_bucket": _IN_URL,
    "oss_bucket_prefix": _IN_URL,
    "prefix": _IN_URL,
    "servicepath": "write it behind the host: endpoint=HOST/PATH",
}
"""What there is no option for, and what to do."""


def advice(name: str) -> str | None:
    """Return what to do about an option of another tool, None of one that none of them has."""
    known = name.strip("-").replace("-", "_").lower()
    if known in _SAME:
        return f"it is {_written(_SAME[known])} here"
    if known in TABLE and known != name:
        return f"it is {_written(known)} here"
    if known in _ALWAYS:
        return f"it is not needed here: {_ALWAYS[known]}"
    if known in _NONE:
        return f"there is none: {_NONE[known]}"
    return None


def _written(text: str) -> str:
    option = TABLE.get(text)
    takes_value = option is not None and option.parse is not None and not option.alone
    return f"{text}=..." if takes_value else text


FOREIGN: Final = (*_SAME, *_ALWAYS, *_NONE)
"""All names that have advice."""

MEANT: Final[Mapping[str, str]] = _SAME
"""Those of another name, and what to write here."""
