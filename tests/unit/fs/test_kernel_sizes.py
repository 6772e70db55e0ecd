"""The kernel may use a size that it got for as long as its attr_timeout lasts, and no longer."""

from tagfs.fs.openfiles.kernel_sizes import KERNEL_MEMORY, MANY, KernelSizes


def test_a_size_is_outdated_while_the_kernel_may_use_another_one() -> None:
    now = 100.0
    sizes = KernelSizes(clock=lambda: now)
    sizes.record("/f", 3)
    assert sizes.is_outdated("/f", 4)
    assert not sizes.is_outdated("/f", 3)
    assert not sizes.is_outdated("/other", 4)
    now += KERNEL_MEMORY
    assert not sizes.is_outdated("/f", 4)


def test_a_change_here_is_known_to_the_kernel() -> None:
    sizes = KernelSizes(clock=lambda: 0.0)
    sizes.record("/f", 3)
    sizes.discard("/f")
    sizes.discard("/never")
    assert not sizes.is_outdated("/f", 4)


def test_the_latest_of_many_are_kept() -> None:
    sizes = KernelSizes(clock=lambda: 0.0)
    for number in range(3 * MANY):
        sizes.record(f"/{number}", 1)
    assert sizes.is_outdated(f"/{2 * MANY}", 2)
    assert not sizes.is_outdated("/0", 2)
