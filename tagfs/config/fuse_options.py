"""The words of libfuse and of mount(8) that may stand after -o beside our own."""

from typing import Final

SELINUX: Final = ("context", "fscontext", "defcontext", "rootcontext")
"""Labels that SELinux gives to what is mounted, since a bucket keeps none: mount(8)."""

FUSE_OPTIONS: Final = frozenset(
    "allow_other allow_root auto_unmount default_permissions fsname subtype large_read max_read "
    "hard_remove use_ino readdir_ino direct_io kernel_cache auto_cache noauto_cache entry_timeout "
    "negative_timeout attr_timeout ac_attr_timeout noforget remember nopath intr intr_signal "
    "modules max_write max_readahead max_background congestion_threshold async_read sync_read "
    "atomic_o_trunc big_writes no_remote_lock no_remote_flock no_remote_posix_lock splice_write "
    "splice_move splice_read debug nonempty blkdev blksize nodev nosuid exec noexec "
    "atime noatime diratime nodiratime sync async dirsync nothreads "
    "clone_fd max_threads max_idle_threads".split()
).union(SELINUX)
"""Options that a libfuse, the kernel or mount(8) know and that are passed on."""

VALUED: Final = frozenset(
    "fsname subtype max_read entry_timeout negative_timeout attr_timeout ac_attr_timeout "
    "remember intr_signal modules max_write max_readahead max_background congestion_threshold "
    "blksize max_threads max_idle_threads".split()
).union(SELINUX)
"""Those of them that take a value; the others are there or are not."""

IGNORED: Final = frozenset(
    "_netdev nofail noauto auto user users nouser owner group nogroup defaults relatime norelatime "
    "strictatime lazytime nolazytime silent loud nomand iversion noiversion".split()
)
"""Options of /etc/fstab that concern who mounts, not what is mounted."""
